// SPDX-License-Identifier: MIT OR Apache-2.0
// The one delay loop of all peers, and its calibration.
#include "harness/delay.h"

#include "harness/abi.h"

#include <algorithm>
#include <ctime>

namespace plc_bench {
namespace {
double turns_per_ns = 0;

// Without this a processor that works out of order runs the delays of successive sections side by side, and a section
// is shorter than it says.
inline void finish_earlier_work() {
#if defined(__x86_64__) || defined(__i386__)
    __asm__ volatile("lfence" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}
} // namespace

void calibrate_delay() {
    // Whatever disturbs a trial makes it longer, so the shortest of many is the true one.
    constexpr uint64_t turns = 20000;
    uint64_t best = UINT64_MAX;
    for (int trial = 0; trial < 500; ++trial) {
        uint64_t begin = plc_bench_now_ns();
        plc_bench_delay(turns);
        best = std::min(best, plc_bench_now_ns() - begin);
    }
    turns_per_ns = static_cast<double>(turns) / static_cast<double>(std::max<uint64_t>(best, 1));
}

uint64_t delay_turns(uint64_t ns) {
    return ns == 0 ? 0 : std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(ns) * turns_per_ns));
}

double delay_turns_per_ns() {
    return turns_per_ns;
}
} // namespace plc_bench

extern "C" __attribute__((noinline)) void plc_bench_delay(uint64_t turns) {
    // A chain of dependent multiplications: no memory, nothing that a hypervisor intercepts, nothing that another
    // thread of the core could slow down much.
    plc_bench::finish_earlier_work();
    uint64_t value = turns;
    for (uint64_t i = 0; i < turns; ++i) {
        value = value * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(value));
    }
    plc_bench::finish_earlier_work();
}

extern "C" uint64_t plc_bench_now_ns(void) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}
