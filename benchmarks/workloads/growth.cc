// SPDX-License-Identifier: MIT OR Apache-2.0
// What grows with the number of threads: the cost of a wake, the lot's table, memory.
#include "workloads/workloads.h"

#include "harness/churn.h"
#include "harness/delay.h"
#include "harness/registry.h"

namespace plc_bench {
namespace {
// On one processor, so that a wake's own cost is seen and not the kernel's choice of a place.
std::vector<int> one_processor() {
    return {allowed_processors().front()};
}

// One producer, a queue of one item, and everybody else waits for it at one address: nanoseconds per item.
void register_one_address(uint64_t waiters) {
    cell what;
    what.job.workers = waiters + 1;
    what.job.producers = 1;
    what.job.capacity = 1;
    what.counted = cell::consumers;
    what.start = cell::driver_last;
    what.processors = one_processor();
    register_crew_cell("growth_one_address/waiters:" + std::to_string(waiters), what, &plc_bench_peer::queue);
}

// A token that goes from one parked thread to any other: nanoseconds per wake.
void register_relay(const std::string &name, uint64_t threads, plc_bench_kernel plc_bench_peer::*kernel) {
    cell what;
    what.job.workers = threads + 1;
    what.start = cell::driver_last;
    what.processors = one_processor();
    register_crew_cell(name + "/waiters:" + std::to_string(threads), what, kernel);
}

// Nanoseconds per thread that comes; the waits are of operations of a thread that has nothing to do with them.
void register_crowd(uint64_t threads) {
    cell what;
    what.job.workers = threads + 1;
    what.job.pause_ns = 100000;
    what.start = cell::driver_first;
    register_crew_cell("growth_stall/threads:" + std::to_string(threads), what, &plc_bench_peer::crowd);
}

void register_lives(uint64_t threads, uint64_t alive) {
    churn what;
    what.job.turns = 10;
    what.job.section = delay_turns(100);
    what.threads = threads;
    what.alive = alive;
    register_churn_cell("thread_churn/threads:" + std::to_string(threads) + "/alive:" + std::to_string(alive), what,
                        &plc_bench_peer::brief);
}
} // namespace

void register_growth() {
    register_lives(10000, 16);
    register_lives(10000, 1000);
    // First, as long as the table is small.
    register_crowd(10000);
    for (uint64_t waiters : {uint64_t{1}, uint64_t{100}, uint64_t{10000}})
        register_one_address(waiters);
    for (uint64_t waiters : {uint64_t{1}, uint64_t{100}, uint64_t{10000}})
        register_relay("growth_addresses", waiters, &plc_bench_peer::relay);
    for (uint64_t waiters : {uint64_t{1}, uint64_t{100}, uint64_t{1000}})
        register_relay("growth_one_bucket", waiters, &plc_bench_peer::collision);
}
} // namespace plc_bench
