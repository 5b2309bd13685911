// SPDX-License-Identifier: MIT OR Apache-2.0
// One thread wakes many: nanoseconds per broadcast, until all of the woken wait again.
#include "workloads/workloads.h"

#include "harness/registry.h"

namespace plc_bench {
namespace {
void register_cell(uint64_t waiters, bool under) {
    cell what;
    what.job.workers = waiters + 1;
    what.job.producers = 1;
    what.job.notify_under = under;
    what.workers_per_operation = waiters;
    what.counted = cell::consumers;
    what.waits = true;
    register_crew_cell("broadcast/waiters:" + std::to_string(waiters) + (under ? "/notify:under" : "/notify:after"),
                       what, &plc_bench_peer::broadcast);
}
} // namespace

void register_broadcast() {
    for (uint64_t waiters : {uint64_t{16}, uint64_t{64}})
        for (bool under : {true, false})
            register_cell(waiters, under);
}
} // namespace plc_bench
