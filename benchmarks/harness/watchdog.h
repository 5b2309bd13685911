// SPDX-License-Identifier: MIT OR Apache-2.0
// Ends the program when a run does not end: a lock that loses a wake-up must not take hours of results with it.
#ifndef PLC_BENCH_WATCHDOG_H
#define PLC_BENCH_WATCHDOG_H

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace plc_bench {
class watchdog {
  public:
    // When a run has not ended after this time, `save` runs in another thread and the program exits with this status.
    static constexpr int seconds = 120;
    static constexpr int exit_status = 3;

    explicit watchdog(std::function<void()> save);
    ~watchdog();
    watchdog(const watchdog &) = delete;
    watchdog &operator=(const watchdog &) = delete;

    void begin(const std::string &run);
    void end();

  private:
    void watch();

    std::function<void()> save_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::string run_; // empty: none is under way
    bool over_ = false;
    std::thread thread_;
};
} // namespace plc_bench
#endif
