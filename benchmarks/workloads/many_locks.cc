// SPDX-License-Identifier: MIT OR Apache-2.0
// Many locks: a random one out of a million for one thread, and some that are more popular than others for 16.
#include "workloads/workloads.h"

#include "harness/delay.h"
#include "harness/registry.h"
#include "harness/zipf.h"

namespace plc_bench {
namespace {
void register_zipf(uint64_t section_ns) {
    constexpr uint16_t locks = 1000;
    cell what;
    what.job.workers = 16;
    what.job.locks = locks;
    what.job.picks = zipf_picks(locks);
    what.job.section = delay_turns(section_ns);
    what.waits = true;
    register_crew_cell("zipf/locks:1000/threads:16/section:" + std::to_string(section_ns), what, &plc_bench_peer::zipf);
}
} // namespace

void register_many_locks(bool full) {
    std::vector<uint64_t> sizes{1000000};
    if (full)
        sizes = {1, 1000, 1000000};
    for (uint64_t locks : sizes) {
        cell what;
        what.job.workers = 1;
        what.job.locks = locks;
        register_crew_cell("random_lock/locks:" + std::to_string(locks), what, &plc_bench_peer::million);
    }
    for (uint64_t section_ns : {uint64_t{0}, uint64_t{100}, uint64_t{1000}})
        register_zipf(section_ns);
}
} // namespace plc_bench
