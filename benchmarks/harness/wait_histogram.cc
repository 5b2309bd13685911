// SPDX-License-Identifier: MIT OR Apache-2.0
// A histogram of waiting times.
#include "harness/wait_histogram.h"

#include "harness/abi.h"

#include <algorithm>

namespace plc_bench {
// Values below `steps` have a slot each; above, the leading `step_bits` + 1 bits choose it.
std::size_t wait_histogram::slot_of(uint64_t ns) {
    if (ns < steps)
        return static_cast<std::size_t>(ns);
    unsigned power = 63u - static_cast<unsigned>(__builtin_clzll(ns));
    unsigned shift = power - step_bits;
    return static_cast<std::size_t>((shift + 1) * steps + ((ns >> shift) - steps));
}

double wait_histogram::middle_of(std::size_t slot) {
    if (slot < steps)
        return static_cast<double>(slot);
    std::size_t shift = slot / steps - 1;
    double width = static_cast<double>(uint64_t{1} << shift);
    return (static_cast<double>(slot % steps + steps) + 0.5) * width;
}

void wait_histogram::add(uint64_t ns) {
    ++counts_[slot_of(ns)];
    ++count_;
    longest_ = std::max(longest_, ns);
}

void wait_histogram::merge(const wait_histogram &other) {
    for (std::size_t i = 0; i < slots; ++i)
        counts_[i] += other.counts_[i];
    count_ += other.count_;
    longest_ = std::max(longest_, other.longest_);
}

double wait_histogram::quantile(double quantile) const {
    double wanted = quantile * static_cast<double>(count_);
    uint64_t seen = 0;
    for (std::size_t slot = 0; slot < slots; ++slot) {
        seen += counts_[slot];
        if (seen != 0 && static_cast<double>(seen) >= wanted)
            return std::min(middle_of(slot), static_cast<double>(longest_));
    }
    return 0;
}
} // namespace plc_bench

extern "C" void plc_bench_record_wait(plc_bench_worker *self, uint64_t ns) {
    static_cast<plc_bench::wait_histogram *>(self->waits)->add(ns);
}
