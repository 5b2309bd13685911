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

void register_sides(uint64_t writers, uint64_t readers, uint64_t section_ns) {
    cell what;
    what.job.workers = writers + readers;
    what.job.producers = writers;
    what.job.section = delay_turns(section_ns);
    what.waits = true;
    what.counted = cell::writes;
    what.two_sides = true;
    register_crew_cell("rwlock_sides/writers:" + std::to_string(writers) + "/readers:" + std::to_string(readers) +
                           "/section:" + std::to_string(section_ns),
                       what, &plc_bench_peer::rwlock_sides);
}
} // namespace

void register_rwlock(bool full) {
    std::vector<uint64_t> threads{2, 8, 16}, writes{0, 10, 50};
    if (full) {
        threads.push_back(64);
        writes = {0, 1, 10, 50, 100};
    }
    for (uint64_t section_ns : {uint64_t{0}, uint64_t{1000}})
        for (uint64_t percent : writes)
            for (uint64_t count : threads)
                register_cell(count, percent, section_ns);
    for (uint64_t section_ns : {uint64_t{0}, uint64_t{1000}}) {
        register_sides(1, 15, section_ns);
        register_sides(15, 1, section_ns);
    }
}
} // namespace plc_bench
