// SPDX-License-Identifier: MIT OR Apache-2.0
// Registers every (cell, peer) pair with Google Benchmark and remembers it for the rounds.
#ifndef PLC_BENCH_REGISTRY_H
#define PLC_BENCH_REGISTRY_H

#include "harness/abi.h"
#include "harness/churn.h"
#include "harness/crew.h"

#include <string>
#include <vector>

namespace plc_bench {
// One registered benchmark; its name is "cell/peer" plus what Google Benchmark appends.
struct entry {
    std::string cell;
    std::string peer;
};

// In the order of registration: all peers of a cell together.
const std::vector<entry> &registered_entries();

// Registers `what` under `name` for every peer that has the kernel.
void register_crew_cell(const std::string &name, const cell &what, plc_bench_kernel plc_bench_peer::*kernel);
// The same for threads that come and go.
void register_churn_cell(const std::string &name, const churn &what, plc_bench_kernel plc_bench_peer::*kernel);
// Registers a loop of one thread for every peer that has it.
void register_loop_cell(const std::string &name, plc_bench_loop plc_bench_peer::*loop);

// Runs whose guarded counter was wrong, since the start; any makes the program fail.
unsigned failed_runs();

// The processors that this process may use.
const std::vector<int> &allowed_processors();
} // namespace plc_bench
#endif
