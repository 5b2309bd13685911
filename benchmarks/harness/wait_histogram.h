// SPDX-License-Identifier: MIT OR Apache-2.0
// A histogram of waiting times: 32 steps per power of two, so percentiles are within about 3 %.
#ifndef PLC_BENCH_WAIT_HISTOGRAM_H
#define PLC_BENCH_WAIT_HISTOGRAM_H

#include <array>
#include <cstddef>
#include <cstdint>

namespace plc_bench {
class wait_histogram {
  public:
    void add(uint64_t ns);
    void merge(const wait_histogram &other);
    // The wait that a share of at least `quantile` of all waits does not exceed; 0 when there is none.
    double quantile(double quantile) const;
    uint64_t longest() const {
        return longest_;
    }
    uint64_t count() const {
        return count_;
    }

  private:
    static constexpr unsigned step_bits = 5;
    static constexpr std::size_t steps = std::size_t{1} << step_bits;
    static constexpr std::size_t slots = steps * (64 - step_bits + 1);
    static std::size_t slot_of(uint64_t ns);
    static double middle_of(std::size_t slot);

    std::array<uint64_t, slots> counts_{};
    uint64_t count_ = 0;
    uint64_t longest_ = 0;
};
} // namespace plc_bench
#endif
