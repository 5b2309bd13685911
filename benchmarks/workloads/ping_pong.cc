// SPDX-License-Identifier: MIT OR Apache-2.0
// Two threads that wake each other: nanoseconds per round trip, that is, per two wakes.
#include "workloads/workloads.h"

#include "harness/registry.h"

#include <cstdio>

namespace plc_bench {
namespace {
void register_pair(std::size_t processors, bool under) {
    cell what;
    what.job.workers = 2;
    what.workers_per_operation = 2;
    what.waits = true;
    what.job.notify_under = under;
    what.processors.assign(allowed_processors().begin(),
                           allowed_processors().begin() + static_cast<std::ptrdiff_t>(processors));
    std::string where = "/processors:" + std::to_string(processors);
    register_crew_cell("condvar_ping_pong" + where + (under ? "/notify:under" : "/notify:after"), what,
                       &plc_bench_peer::condvar_ping_pong);
    if (under)
        register_crew_cell("park_ping_pong" + where, what, &plc_bench_peer::park_ping_pong);
}
} // namespace

void register_ping_pong() {
    for (std::size_t processors : {std::size_t{1}, std::size_t{2}}) {
        if (processors > allowed_processors().size()) {
            std::fprintf(stderr, "only one processor: ping-pong across two is left out\n");
            continue;
        }
        register_pair(processors, true);
        register_pair(processors, false);
    }
}
} // namespace plc_bench
