// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that come and go, a fixed number of them alive at any time.
#ifndef PLC_BENCH_CHURN_H
#define PLC_BENCH_CHURN_H

#include "harness/crew.h"

namespace plc_bench {
struct churn {
    plc_bench_job job{};
    uint64_t threads = 0; // all together
    uint64_t alive = 0;   // each leaves when so many have come after it
};

// Time and processor time are per thread; `waits` are the steps of whoever makes the threads: one goes, one comes.
outcome run_churn(const plc_bench_kernel &kernel, const churn &what);
} // namespace plc_bench
#endif
