// SPDX-License-Identifier: MIT OR Apache-2.0
// A thread that sleeps until something changes, or for too long.
#include "harness/watchdog.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace plc_bench {
watchdog::watchdog(std::function<void()> save) : save_(std::move(save)), thread_([this] { watch(); }) {}

watchdog::~watchdog() {
    {
        std::lock_guard<std::mutex> held(lock_);
        over_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void watchdog::begin(const std::string &run) {
    std::lock_guard<std::mutex> held(lock_);
    run_ = run;
    changed_.notify_one();
}

void watchdog::end() {
    begin("");
}

// A run that begins as another one ends is none that lasts: each begin starts the time anew.
void watchdog::watch() {
    std::unique_lock<std::mutex> held(lock_);
    while (!over_) {
        if (run_.empty()) {
            changed_.wait(held);
        } else if (changed_.wait_for(held, std::chrono::seconds(seconds)) == std::cv_status::timeout) {
            std::fprintf(stderr, "\nplc_bench: %s has not ended after %d seconds; what there is is saved\n",
                         run_.c_str(), seconds);
            save_();
            std::_Exit(exit_status);
        }
    }
}
} // namespace plc_bench
