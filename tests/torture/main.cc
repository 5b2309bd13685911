/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The torture driver: rounds of random operations in the configurations asked for, until the time or the number is
   reached, or something is wrong. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "worker.h"

/* A child of fork goes on as it is; the first report is the one to look at. */
extern "C" const char *__tsan_default_options() {
    return "die_after_fork=0:halt_on_error=1:abort_on_error=1";
}

namespace {

using namespace torture;

struct Options {
    std::vector<const Configuration *> configurations;
    uint64_t seed = 0;
    size_t operations = 10'000;
    size_t rounds = 1;
    double seconds = 0;
    double patience = 60;
    bool is_exact = false; /* --operations was given: so many for each thread */
};

[[noreturn]] void usage(int status) {
    std::printf("Usage: %s [OPTION...]\n\n"
                "  --config NAME[,NAME...]|all  what to run under (default: all that are possible)\n"
                "  --seed N                     repeats a run's random programs (default: PLC_SEED, or a new one)\n"
                "  --operations N               of each thread in a round (10000, times PLC_STRESS_SCALE)\n"
                "  --rounds N                   of each configuration (1)\n"
                "  --seconds N                  goes on until the time is over, whatever the number of rounds\n"
                "  --patience N                 seconds that a step may take before it counts as stuck (60)\n\n"
                "Configurations:\n",
                program_name);
    for (const Configuration &one : configurations())
        std::printf("  %-10s %3zu threads: %s\n", one.name, one.threads, one.purpose);
    std::exit(status);
}

void add_configurations(Options &options, std::string names) {
    names += ',';
    while (!names.empty()) {
        const std::string name = names.substr(0, names.find(','));
        names.erase(0, names.find(',') + 1);
        const Configuration *found = configuration_named(name);
        if (!found && name != "all")
            usage(2);
        for (const Configuration &one : configurations()) {
            const char *reason = "";
            if (&one != found && name != "all")
                continue;
            if (is_possible(one, &reason))
                options.configurations.push_back(&one);
            else
                std::printf("skipped: %s: %s\n", one.name, reason);
        }
    }
}

double scale() {
    const char *given = std::getenv("PLC_STRESS_SCALE");
    return given ? std::strtod(given, nullptr) : 1.0;
}

Options parse(int count, char **arguments) {
    Options options;
    const char *seed = std::getenv("PLC_SEED");
    options.seed = seed ? std::strtoull(seed, nullptr, 0) : std::random_device{}();
    std::string names;
    for (int i = 1; i < count; i += 2) {
        const std::string name = arguments[i];
        const char *value = i + 1 < count ? arguments[i + 1] : nullptr;
        if (name == "--help" || name == "-h")
            usage(0);
        if (!value)
            usage(2);
        if (name == "--config")
            names = value;
        else if (name == "--seed")
            options.seed = std::strtoull(value, nullptr, 0);
        else if (name == "--operations")
            options.operations = std::strtoull(value, nullptr, 0);
        else if (name == "--rounds")
            options.rounds = std::strtoull(value, nullptr, 0);
        else if (name == "--seconds")
            options.seconds = std::strtod(value, nullptr);
        else if (name == "--patience")
            options.patience = std::strtod(value, nullptr);
        else
            usage(2);
        options.is_exact = options.is_exact || name == "--operations";
    }
    add_configurations(options, names.empty() ? "all" : names);
    if (!options.is_exact)
        options.operations =
            std::max(size_t{1}, static_cast<size_t>(static_cast<double>(options.operations) * scale()));
    return options;
}

double seconds_now() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/* Many threads share a round's operations, so that every configuration takes about as long. */
size_t operations_per_thread(const Options &options, const Configuration &configuration) {
    constexpr size_t usual_threads = 6;
    if (options.is_exact)
        return options.operations;
    return std::max(size_t{1}, options.operations * usual_threads / std::max(configuration.threads, usual_threads));
}

size_t run(const Configuration &configuration, uint64_t seed, size_t operations) {
    describe_round(program_name, configuration, seed, operations);
    const double begin = seconds_now();
    const size_t done = run_round(configuration, seed, operations);
    const double seconds = seconds_now() - begin;
    std::printf("%-10s seed %#018llx  %9zu operations  %6.2f s  %9.0f/s\n", configuration.name,
                static_cast<unsigned long long>(seed), done, seconds, static_cast<double>(done) / seconds);
    std::fflush(stdout);
    return done;
}

} // namespace

int main(int count, char **arguments) {
    const Options options = parse(count, arguments);
    if (options.configurations.empty())
        return 77; /* skipped */
    std::printf("PLC_SEED=%#llx repeats this run's programs\n", static_cast<unsigned long long>(options.seed));
    std::fflush(stdout);
    const bool fifo = std::any_of(options.configurations.begin(), options.configurations.end(),
                                  [](const Configuration *one) { return one->fifo; });
    start_watchdog(fifo, options.patience);
    /* The first round has the seed itself, so that any round can be repeated as a first one. */
    Random seeds(options.seed);
    uint64_t seed = options.seed;
    const double begin = seconds_now();
    size_t done = 0;
    for (size_t round = 0; options.seconds > 0 ? seconds_now() - begin < options.seconds : round < options.rounds;
         ++round) {
        for (const Configuration *configuration : options.configurations) {
            if (options.seconds > 0 && round > 0 && seconds_now() - begin >= options.seconds)
                break;
            done += run(*configuration, seed, operations_per_thread(options, *configuration));
            seed = seeds.next();
        }
    }
    const double seconds = seconds_now() - begin;
    std::printf("passed: %zu operations in %.1f s, %.0f/s\n", done, seconds, static_cast<double>(done) / seconds);
    return 0;
}
