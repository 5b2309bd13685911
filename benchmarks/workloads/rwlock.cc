// SPDX-License-Identifier: MIT OR Apache-2.0
// One read-write lock, several threads, by share of writes: nanoseconds per section of all threads together.
#include "workloads/workloads.h"

#include "harness/delay.h"
#include "harness/registry.h"

namespace plc_bench {
namespace {
void register_cell(uint64_t threads, uint64_t writes_percent, uint64_t section_ns) {
    cell what;
    what.job.workers = threads;
    what.job.writes = (writes_percent * 1024 + 50) / 100;
    what.job.section = delay_turns(section_ns);
    what.waits = true;
    what.counted = cell::writes;
    register_crew_cell("rwlock/threads:" + std::to_string(threads) + "/writes:" + std::to_string(writes_percent) +
                           "/section:" + std::to_string(section_ns),
                       what, &plc_bench_peer::rwlock);
}
} // namespace

void register_rwlock(bool full) {
    register_cell(2, 0, 0);
    register_cell(16, 0, 0);
    register_cell(2, 10, 0);
    register_cell(16, 10, 0);
    for (uint64_t threads : {uint64_t{2}, uint64_t{8}, uint64_t{16}})
        for (uint64_t writes : {uint64_t{10}, uint64_t{50}})
            register_cell(threads, writes, 1000);
    if (!full)
        return;
    for (uint64_t threads : {uint64_t{2}, uint64_t{16}, uint64_t{64}})
        for (uint64_t writes : {uint64_t{1}, uint64_t{100}})
            register_cell(threads, writes, 1000);
}
} // namespace plc_bench
