// SPDX-License-Identifier: MIT OR Apache-2.0
// A bounded queue between threads: nanoseconds per item.
#include "workloads/workloads.h"

#include "harness/registry.h"

namespace plc_bench {
namespace {
void register_cell(uint64_t each, uint64_t capacity, bool under) {
    cell what;
    what.job.workers = 2 * each;
    what.job.producers = each;
    what.job.capacity = capacity;
    what.job.notify_under = under;
    what.waits = true;
    what.counted = cell::consumers;
    register_crew_cell("queue/producers:" + std::to_string(each) + "/consumers:" + std::to_string(each) +
                           "/capacity:" + std::to_string(capacity) + (under ? "/notify:under" : "/notify:after"),
                       what, &plc_bench_peer::queue);
}

// Consumers that wait most of the time, for an item every now and then: what counts is the processor time.
void register_idle(uint64_t consumers) {
    cell what;
    what.job.workers = 1 + consumers;
    what.job.producers = 1;
    what.job.capacity = 128;
    what.job.pause_ns = 200000;
    what.counted = cell::consumers;
    register_crew_cell("idle/consumers:" + std::to_string(consumers) + "/pause:200000", what, &plc_bench_peer::queue);
}
} // namespace

void register_queue(bool full) {
    std::vector<uint64_t> sides{1, 4, 16};
    if (full)
        sides.push_back(64);
    for (uint64_t each : sides)
        for (uint64_t capacity : {uint64_t{1}, uint64_t{128}})
            for (bool under : {true, false})
                register_cell(each, capacity, under);
    register_idle(1);
    register_idle(16);
}
} // namespace plc_bench
