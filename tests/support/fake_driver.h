/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A driver for tests of the driver parker: events are a number that goes up, and nobody but who runs it sees them. */
#ifndef PLC_TESTS_SUPPORT_FAKE_DRIVER_H
#define PLC_TESTS_SUPPORT_FAKE_DRIVER_H

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <gtest/gtest.h>
#include <mutex>
#include <plc/driver_parker.h>

namespace plc_test {

class FakeDriver {
  public:
    static const plc_driver_ops *ops() {
        static const plc_driver_ops table = {
            [](void *self, plc_deadline_t deadline) { return static_cast<FakeDriver *>(self)->park_until(deadline); },
            [](void *self) { static_cast<FakeDriver *>(self)->unpark(); },
            [](void *self) { static_cast<FakeDriver *>(self)->shut_down(); }};
        return &table;
    }
    void let_happen(size_t events = 1) {
        std::lock_guard<std::mutex> guard(mutex_);
        pending_ += events;
        changed_.notify_one();
    }
    void fail(int error) {
        std::lock_guard<std::mutex> guard(mutex_);
        error_ = error;
        changed_.notify_one();
    }
    size_t handled() const {
        return handled_.load(std::memory_order_acquire);
    }
    bool is_inside() const {
        return inside_.load(std::memory_order_acquire);
    }
    int shutdowns() const {
        return shutdowns_;
    }
    size_t unparks() const {
        return unparks_.load();
    }
    size_t runs() const {
        return runs_;
    }

  private:
    int park_until(plc_deadline_t deadline) {
        EXPECT_FALSE(inside_.exchange(true)) << "two threads in the driver";
        EXPECT_EQ(shutdowns_, 0) << "run after its shutdown";
        ++runs_; /* plain: ThreadSanitizer sees whether runs are ordered */
        int error = wait(deadline);
        inside_.store(false, std::memory_order_release);
        return error;
    }
    int wait(plc_deadline_t deadline) {
        std::unique_lock<std::mutex> guard(mutex_);
        while (pending_ == 0 && !token_ && error_ == 0 && !plc_deadline_has_passed(deadline)) {
            if (plc_deadline_is_never(deadline))
                changed_.wait(guard);
            else
                changed_.wait_for(guard, std::chrono::microseconds(100));
        }
        token_ = false;
        handled_.fetch_add(pending_, std::memory_order_release);
        pending_ = 0;
        return error_;
    }
    void unpark() {
        ++unparks_;
        std::lock_guard<std::mutex> guard(mutex_);
        token_ = true;
        changed_.notify_one();
    }
    void shut_down() {
        EXPECT_FALSE(is_inside()) << "shut down while a thread is in it";
        ++shutdowns_;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    size_t pending_ = 0;
    bool token_ = false;
    int error_ = 0;
    std::atomic<size_t> handled_{0}, unparks_{0};
    std::atomic<bool> inside_{false};
    size_t runs_ = 0;
    int shutdowns_ = 0;
};

} // namespace plc_test

#endif
