// SPDX-License-Identifier: MIT OR Apache-2.0
// Turns kernels into Google Benchmark's benchmarks.
#include "harness/registry.h"

#include "peers/peer.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstdio>
#include <sched.h>

namespace plc_bench {
namespace {
std::vector<entry> entries;
unsigned failures = 0;

// One iteration, whose "time" is that of one operation: what is measured needs no ramp-up, and the report reads right.
void report_time(benchmark::State &state, double ns) {
    for (auto unused : state) {
        (void)unused;
        state.SetIterationTime(ns * 1e-9);
    }
}

void report_outcome(benchmark::State &state, const outcome &result, bool writes) {
    report_time(state, result.ns_per_operation);
    state.counters["processor_ns"] = result.processor_ns_per_operation;
    state.counters["switches"] = result.switches;
    if (result.jain > 0) {
        state.counters["jain"] = result.jain;
        state.counters["slowest_share"] = result.slowest_share;
    }
    if (result.alive_bytes != 0) {
        state.counters["alive_bytes"] = result.alive_bytes;
        state.counters["left_bytes"] = result.left_bytes;
    }
    if (writes) {
        state.counters["reads_share"] = result.reads_share;
        state.counters["writes_per_second"] = result.writes_per_second;
        state.counters["reads_per_second"] = result.reads_per_second;
    }
    if (result.waits.count() == 0)
        return;
    state.counters["wait_p50_ns"] = result.waits.quantile(0.5);
    state.counters["wait_p99_ns"] = result.waits.quantile(0.99);
    state.counters["wait_p999_ns"] = result.waits.quantile(0.999);
    state.counters["wait_max_ns"] = static_cast<double>(result.waits.longest());
}

void check_and_report(benchmark::State &state, const std::string &name, const outcome &result, bool writes = false) {
    if (!result.error.empty()) {
        ++failures;
        std::fprintf(stderr, "%s: %s\n", name.c_str(), result.error.c_str());
        state.SkipWithError(result.error.c_str());
        return;
    }
    report_outcome(state, result, writes);
}

// The processor's time, for these loops never sleep; the median of short slices, so that an interrupt spoils one slice
// and not the figure.
void run_loop_cell(benchmark::State &state, plc_bench_loop loop) {
    constexpr std::size_t slices = 25;
    constexpr uint64_t slice_ns = 1000000;
    uint64_t n = 1000, took = 0;
    do {
        n *= 2;
        uint64_t begin = thread_processor_ns();
        loop(n);
        took = thread_processor_ns() - begin;
    } while (took < slice_ns);
    std::vector<double> times;
    for (std::size_t slice = 0; slice < slices; ++slice) {
        uint64_t begin = thread_processor_ns();
        loop(n);
        times.push_back(static_cast<double>(thread_processor_ns() - begin) / static_cast<double>(n));
    }
    std::nth_element(times.begin(), times.begin() + slices / 2, times.end());
    report_time(state, times[slices / 2]);
}

template <class Run>
void register_one(const std::string &cell_name, const char *peer, Run run) {
    entries.push_back({cell_name, peer});
    benchmark::RegisterBenchmark((cell_name + "/" + peer).c_str(), run)->Iterations(1)->UseManualTime();
}

// For every peer that has the kernel.
template <class Run>
void register_kernel(const std::string &name, plc_bench_kernel plc_bench_peer::*kernel, Run run) {
    for (const plc_bench_peer &peer : all_peers()) {
        plc_bench_kernel chosen = peer.*kernel;
        if (chosen.work == nullptr)
            continue;
        std::string full_name = name + "/" + peer.name;
        register_one(name, peer.name, [=](benchmark::State &state) { run(state, full_name, chosen); });
    }
}
} // namespace

const std::vector<entry> &registered_entries() {
    return entries;
}

void register_crew_cell(const std::string &name, const cell &what, plc_bench_kernel plc_bench_peer::*kernel) {
    register_kernel(name, kernel, [=](benchmark::State &state, const std::string &full_name, const auto &chosen) {
        check_and_report(state, full_name, run_crew(chosen, what), what.counted == cell::writes);
    });
}

void register_churn_cell(const std::string &name, const churn &what, plc_bench_kernel plc_bench_peer::*kernel) {
    register_kernel(name, kernel, [=](benchmark::State &state, const std::string &full_name, const auto &chosen) {
        check_and_report(state, full_name, run_churn(chosen, what));
    });
}

void register_loop_cell(const std::string &name, plc_bench_loop plc_bench_peer::*loop) {
    for (const plc_bench_peer &peer : all_peers()) {
        plc_bench_loop chosen = peer.*loop;
        if (chosen != nullptr)
            register_one(name, peer.name, [=](benchmark::State &state) { run_loop_cell(state, chosen); });
    }
}

unsigned failed_runs() {
    return failures;
}

const std::vector<int> &allowed_processors() {
    static const std::vector<int> processors = [] {
        std::vector<int> found;
        cpu_set_t set;
        CPU_ZERO(&set);
        sched_getaffinity(0, sizeof(set), &set);
        for (int i = 0; i < CPU_SETSIZE; ++i)
            if (CPU_ISSET(static_cast<unsigned>(i), &set))
                found.push_back(i);
        return found;
    }();
    return processors;
}
} // namespace plc_bench
