// SPDX-License-Identifier: MIT OR Apache-2.0
// One mutex, several threads: nanoseconds per critical section of all threads together.
#include "workloads/workloads.h"

#include "harness/delay.h"
#include "harness/registry.h"

namespace plc_bench {
namespace {
void register_cell(uint64_t threads, uint64_t section_ns, uint64_t outside_ns) {
    cell what;
    what.job.workers = threads;
    what.job.section = delay_turns(section_ns);
    what.job.outside = delay_turns(outside_ns);
    what.waits = true;
    // Everybody waits all the time and gets turns of half a millisecond or so: fairness shows once each had a dozen.
    if (threads >= 64 && section_ns >= 1000 && outside_ns == 0)
        what.least_ns = 500000000;
    register_crew_cell("contended/threads:" + std::to_string(threads) + "/section:" + std::to_string(section_ns) +
                           "/outside:" + std::to_string(outside_ns),
                       what, &plc_bench_peer::mutex);
}
} // namespace

void register_contended(bool full) {
    std::vector<uint64_t> threads{2, 4, 16, 64};
    std::vector<uint64_t> sections{0, 100, 1000};
    if (full) {
        threads = {1, 2, 3, 4, 8, 16, 32, 64};
        sections = {0, 100, 1000, 10000};
    }
    for (uint64_t count : threads)
        for (uint64_t section_ns : sections)
            for (uint64_t outside_ns : {uint64_t{0}, uint64_t{1000}})
                register_cell(count, section_ns, outside_ns);
}
} // namespace plc_bench
