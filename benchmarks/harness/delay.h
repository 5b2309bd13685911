// SPDX-License-Identifier: MIT OR Apache-2.0
// Sections of a stated length: nanoseconds to turns of the common delay loop.
#ifndef PLC_BENCH_DELAY_H
#define PLC_BENCH_DELAY_H

#include <cstdint>

namespace plc_bench {
// To be called once, before anything is measured.
void calibrate_delay();
uint64_t delay_turns(uint64_t ns);
double delay_turns_per_ns();
} // namespace plc_bench
#endif
