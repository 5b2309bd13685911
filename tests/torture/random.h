/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The random choices of the torture driver: streams that split, so that a thread's program depends on the seed alone. */
#ifndef PLC_TESTS_TORTURE_RANDOM_H
#define PLC_TESTS_TORTURE_RANDOM_H

#include <cstddef>
#include <cstdint>

namespace torture {

/* splitmix64 */
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t next() {
        uint64_t z = state_ += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
    }
    /* In [0, bound). */
    size_t below(size_t bound) {
        return static_cast<size_t>(next() % bound);
    }
    bool one_in(size_t n) {
        return below(n) == 0;
    }
    /* A stream of its own: however much of it is used, this one goes on alike. */
    Random split() {
        return Random(next());
    }

  private:
    uint64_t state_;
};

} // namespace torture

#endif
