// SPDX-License-Identifier: MIT OR Apache-2.0
// The processors' busy time less our own.
#include "harness/disturbance.h"

#include "harness/abi.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>

namespace plc_bench {
namespace {
double own_seconds() {
    timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, in clock ticks since boot.
double busy_seconds() {
    std::ifstream stat("/proc/stat");
    std::string label;
    double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft_irq = 0, steal = 0;
    if (!(stat >> label >> user >> nice >> system >> idle >> waiting >> irq >> soft_irq >> steal))
        return 0;
    return (user + nice + system + irq + soft_irq + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
}
} // namespace

disturbance_watch::disturbance_watch()
    : foreign_seconds_(busy_seconds() - own_seconds()), begin_ns_(plc_bench_now_ns()) {}

double disturbance_watch::foreign_share() const {
    double wall = static_cast<double>(plc_bench_now_ns() - begin_ns_) * 1e-9;
    double processors = std::max(1u, std::thread::hardware_concurrency());
    double foreign = busy_seconds() - own_seconds() - foreign_seconds_;
    return wall > 0 ? std::max(0.0, foreign / (wall * processors)) : 0;
}
} // namespace plc_bench
