// SPDX-License-Identifier: MIT OR Apache-2.0
// plc_bench: libplc's locks beside others'. Google Benchmark's options work; ours are below.
#include "harness/crew.h"
#include "harness/delay.h"
#include "harness/registry.h"
#include "harness/rounds.h"
#include "workloads/workloads.h"

#include <benchmark/benchmark.h>
#include <cstdio>
#include <pthread.h>
#include <semaphore.h>
#include <sstream>
#include <thread>

namespace {
struct options {
    plc_bench::round_options rounds;
    std::string matrix = "quick";
    bool one_thread = false;
    uint64_t duration_ms = 100;
};

constexpr const char *usage =
    "  --rounds=N              N interleaved, shuffled rounds over the peers of each cell\n"
    "  --json=FILE             where the rounds go, in Google Benchmark's JSON\n"
    "  --peers=A,B             only these peers\n"
    "  --seed=N                of the shuffling\n"
    "  --repeats=N             repeat a run that other work disturbed up to N times (default 1)\n"
    "  --duration-ms=N         length of a run with several threads (default 100)\n"
    "  --matrix=quick|full|growth   (default quick)\n"
    "  --one-thread            no second, idle thread: what a single-threaded process sees; only for `uncontended`\n"
    "  --first-round=N         its number; each fifth has a second run of each cell, for the waiting times\n"
    "  --no-waits              no such second runs: for profilers\n";

std::vector<std::string> split(const std::string &list) {
    std::vector<std::string> parts;
    std::stringstream stream(list);
    for (std::string part; std::getline(stream, part, ',');)
        parts.push_back(part);
    return parts;
}

bool parse(const std::string &argument, options &parsed) {
    std::size_t equals = argument.find('=');
    std::string name = argument.substr(0, equals);
    std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    if (name == "--rounds")
        parsed.rounds.rounds = static_cast<unsigned>(std::stoul(value));
    else if (name == "--json")
        parsed.rounds.json = value;
    else if (name == "--peers")
        parsed.rounds.peers = split(value);
    else if (name == "--seed")
        parsed.rounds.seed = std::stoull(value);
    else if (name == "--repeats")
        parsed.rounds.repeats = static_cast<unsigned>(std::stoul(value));
    else if (name == "--duration-ms")
        parsed.duration_ms = std::stoull(value);
    else if (name == "--matrix" && (value == "quick" || value == "full" || value == "growth"))
        parsed.matrix = value;
    else if (argument == "--one-thread")
        parsed.one_thread = true;
    else if (name == "--first-round")
        parsed.rounds.first_round = static_cast<unsigned>(std::stoul(value));
    else if (argument == "--no-waits")
        parsed.rounds.waits_every = 0;
    else
        return false;
    return true;
}

bool parse_all(int argc, char **argv, options &parsed) {
    for (int i = 1; i < argc; ++i) {
        bool understood = false;
        try {
            understood = parse(argv[i], parsed);
        } catch (const std::exception &) {
        }
        if (!understood) {
            std::fprintf(stderr, "plc_bench: cannot use %s\n%s", argv[i], usage);
            return false;
        }
    }
    return true;
}

// Several C library functions omit their atomics while a process has only one thread; locks are for more.
void keep_second_thread() {
    static sem_t never;
    sem_init(&never, 0, 0);
    std::thread([] {
        while (true)
            sem_wait(&never);
    }).detach();
}

void register_cells(const options &parsed) {
    bool full = parsed.matrix == "full";
    if (parsed.matrix == "growth") {
        plc_bench::register_growth();
        return;
    }
    plc_bench::register_uncontended();
    if (parsed.one_thread)
        return;
    plc_bench::register_many_locks(full);
    plc_bench::register_contended(full);
    plc_bench::register_rwlock(full);
    plc_bench::register_ping_pong();
    plc_bench::register_queue(full);
    plc_bench::register_broadcast();
    plc_bench::register_once();
    plc_bench::register_tasks();
}

// So that ten thousand of them fit into the address space that a process may have.
void use_small_stacks() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, std::size_t{256} << 10);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}
} // namespace

int main(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    options parsed;
    if (!parse_all(argc, argv, parsed))
        return 2;
    use_small_stacks();
    parsed.rounds.watched = !parsed.one_thread;
    if (!parsed.one_thread)
        keep_second_thread();
    plc_bench::calibrate_delay();
    plc_bench::set_run_duration(parsed.duration_ms * 1000000);
    register_cells(parsed);
    benchmark::AddCustomContext("delay_turns_per_us", std::to_string(plc_bench::delay_turns_per_ns() * 1000));
    benchmark::AddCustomContext("duration_ms", std::to_string(parsed.duration_ms));
    benchmark::AddCustomContext("seed", std::to_string(parsed.rounds.seed));

    if (parsed.rounds.rounds == 0) {
        plc_bench::want_waits(parsed.rounds.waits_every != 0);
        benchmark::RunSpecifiedBenchmarks();
    } else if (!plc_bench::run_rounds(parsed.rounds, benchmark::GetBenchmarkFilter())) {
        std::fprintf(stderr, "plc_bench: no benchmark matches\n");
        return 2;
    }
    benchmark::Shutdown();
    return plc_bench::failed_runs() == 0 ? 0 : 1;
}
