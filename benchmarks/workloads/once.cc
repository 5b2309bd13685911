// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that all call one new once after the other: nanoseconds per once, of which one microsecond is its function.
#include "workloads/workloads.h"

#include "harness/delay.h"
#include "harness/registry.h"

namespace plc_bench {
void register_once() {
    for (uint64_t threads : {uint64_t{2}, uint64_t{16}}) {
        cell what;
        what.job.workers = threads;
        what.job.section = delay_turns(1000);
        what.job.locks = 1 << 20; // a second's worth
        what.counted = cell::furthest;
        what.waits = true;
        register_crew_cell("once_stampede/threads:" + std::to_string(threads), what, &plc_bench_peer::once);
    }
}
} // namespace plc_bench
