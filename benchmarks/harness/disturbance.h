// SPDX-License-Identifier: MIT OR Apache-2.0
// Tells whether other work had the processors during a run.
#ifndef PLC_BENCH_DISTURBANCE_H
#define PLC_BENCH_DISTURBANCE_H

#include <cstdint>

namespace plc_bench {
// Watches from its construction on.
class disturbance_watch {
  public:
    disturbance_watch();
    // The share of all processors' time that went to others, the hypervisor included; 0 where that is unknown. The
    // kernel counts in steps of 10 ms, so a share of a short run is rough.
    double foreign_share() const;

  private:
    double foreign_seconds_;
    uint64_t begin_ns_;
};
} // namespace plc_bench
#endif
