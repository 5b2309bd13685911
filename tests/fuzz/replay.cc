/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fuzz target without libFuzzer: replays files of programs, then runs random ones from a seed. */
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

#include "subject.h"

namespace {

struct Options {
    uint64_t seed = 0;
    size_t programs = 0;
    double seconds = 0;
    std::vector<std::string> files;
};

[[noreturn]] void usage(int status) {
    std::printf("Usage: plc_fuzz_replay [OPTION...] [FILE|FOLDER...]\n\n"
                "Replays the programs in the files, then:\n"
                "  --programs N  runs so many random programs, times PLC_STRESS_SCALE\n"
                "  --seconds N   runs random programs until the time is over\n"
                "  --seed N      that come from this seed (default: PLC_SEED, or a new one)\n");
    std::exit(status);
}

Options parse(int count, char **arguments) {
    Options options;
    const char *seed = std::getenv("PLC_SEED");
    const char *scale = std::getenv("PLC_STRESS_SCALE");
    options.seed = seed ? std::strtoull(seed, nullptr, 0) : std::random_device{}();
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        if (name.compare(0, 1, "-") != 0) {
            options.files.push_back(name);
            continue;
        }
        if (name == "-h" || name == "--help")
            usage(0);
        const char *value = ++i < count ? arguments[i] : nullptr;
        if (!value)
            usage(2);
        if (name == "--programs")
            options.programs =
                static_cast<size_t>(std::strtod(value, nullptr) * (scale ? std::strtod(scale, nullptr) : 1));
        else if (name == "--seconds")
            options.seconds = std::strtod(value, nullptr);
        else if (name == "--seed")
            options.seed = std::strtoull(value, nullptr, 0);
        else
            usage(2);
    }
    return options;
}

/* An operation that should not block does. */
void on_alarm(int) {
    fuzz::mismatch("an operation blocks that the specification says does not");
}

void run(const std::vector<uint8_t> &program) {
    alarm(60);
    fuzz::run_program(program.data(), program.size());
    alarm(0);
}

size_t replay(const std::string &path) {
    namespace fs = std::filesystem;
    std::vector<fs::path> files;
    if (fs::is_directory(path))
        std::copy(fs::directory_iterator(path), fs::directory_iterator(), std::back_inserter(files));
    else
        files.emplace_back(path);
    std::sort(files.begin(), files.end());
    for (const fs::path &file : files) {
        std::ifstream stream(file, std::ios::binary);
        if (!stream) {
            std::fprintf(stderr, "cannot read %s\n", file.c_str());
            std::exit(2);
        }
        run(std::vector<uint8_t>(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()));
    }
    return files.size();
}

double seconds_now() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

} // namespace

int main(int count, char **arguments) {
    const Options options = parse(count, arguments);
    std::signal(SIGALRM, on_alarm);
    std::printf("PLC_SEED=%#llx repeats this run's programs\n", static_cast<unsigned long long>(options.seed));
    std::fflush(stdout);
    size_t replayed = 0;
    for (const std::string &file : options.files)
        replayed += replay(file);
    std::mt19937_64 random(options.seed);
    const double begin = seconds_now();
    size_t done = 0;
    while (options.seconds > 0 ? seconds_now() - begin < options.seconds : done < options.programs) {
        std::vector<uint8_t> program(16 + random() % 240);
        for (uint8_t &byte : program)
            byte = static_cast<uint8_t>(random());
        run(program);
        ++done;
    }
    std::printf("passed: %zu files and %zu random programs\n", replayed, done);
    std::fflush(stdout);
    _exit(0); /* the actors never end */
}
