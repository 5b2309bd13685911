// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs the chosen benchmarks in rounds: per cell, the peers one after another in a freshly shuffled order.
#ifndef PLC_BENCH_ROUNDS_H
#define PLC_BENCH_ROUNDS_H

#include <cstdint>
#include <string>
#include <vector>

namespace plc_bench {
struct round_options {
    unsigned rounds = 0; // 0: leave everything to Google Benchmark
    uint64_t seed = 1;
    unsigned first_round = 0;       // the number of the first one, where several processes share the rounds
    unsigned waits_every = 5;       // only each fifth round has timed runs as well; 0: none has
    bool watched = true;            // by a thread that ends the program when a run gets stuck
    unsigned repeats = 1;           // how often a disturbed run is repeated
    double foreign_limit = 0.12;    // the share of others that makes a run disturbed
    std::string json;               // the report, in Google Benchmark's format
    std::vector<std::string> peers; // empty: all
};

// The filter is matched with cells, not with peers. Returns whether anything ran.
bool run_rounds(const round_options &options, const std::string &filter);
} // namespace plc_bench
#endif
