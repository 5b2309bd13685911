// SPDX-License-Identifier: MIT OR Apache-2.0
// Addresses that multiplicative hashing puts into one bucket, whatever the table's size.
#include "harness/abi.h"

namespace {
constexpr uint64_t golden = 0x9E3779B97F4A7C15u;

// Newton's iteration doubles the number of right bits.
constexpr uint64_t inverse_of(uint64_t odd) {
    uint64_t inverse = odd;
    for (int i = 0; i < 6; ++i)
        inverse *= 2 - odd * inverse;
    return inverse;
}
static_assert(inverse_of(golden) * golden == 1);

constexpr uint64_t first_product = uint64_t{0x55} << 56;
uint64_t next = 0;
} // namespace

// The products of these with `golden` are successive numbers, so their upper bits are the same.
extern "C" uintptr_t plc_bench_colliding_key(void) {
    return static_cast<uintptr_t>((first_product + next++) * inverse_of(golden));
}
