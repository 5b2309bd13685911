/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The program that is fuzzed, read byte by byte. */
#ifndef PLC_TESTS_FUZZ_BYTES_H
#define PLC_TESTS_FUZZ_BYTES_H

#include <cstddef>
#include <cstdint>

namespace fuzz {

/* Beyond the end everything is zero. */
class Bytes {
  public:
    Bytes(const uint8_t *data, size_t size) : at_(data), end_(data + size) {}

    bool empty() const {
        return at_ == end_;
    }
    uint8_t next() {
        return empty() ? uint8_t{0} : *at_++;
    }
    /* In [0, bound). */
    size_t below(size_t bound) {
        return next() % bound;
    }
    bool flag() {
        return (next() & 1) != 0;
    }
    uint64_t word() {
        uint64_t value = 0;
        for (int i = 0; i < 8; ++i)
            value = value << 8 | next();
        return value;
    }

  private:
    const uint8_t *at_;
    const uint8_t *end_;
};

} // namespace fuzz

#endif
