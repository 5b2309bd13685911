// SPDX-License-Identifier: MIT OR Apache-2.0
// Zipf's law as a table to look random numbers up in, the same for all peers.
#ifndef PLC_BENCH_ZIPF_H
#define PLC_BENCH_ZIPF_H

#include <cstdint>

namespace plc_bench {
// 65,536 entries below `count`; entry k is as frequent as 1 / (k + 1) asks for. Valid for as long as the program runs.
const uint16_t *zipf_picks(uint16_t count);
} // namespace plc_bench
#endif
