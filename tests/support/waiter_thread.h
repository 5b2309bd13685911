/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thread that parks once: started when it is known to be queued, and let to sleep when the test says so. */
#ifndef PLC_TESTS_SUPPORT_WAITER_THREAD_H
#define PLC_TESTS_SUPPORT_WAITER_THREAD_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "support/internal.h"

namespace plc_test {

class WaiterThread {
  public:
    struct Options {
        uintptr_t token = 0;
        plc_deadline_t deadline = PLC_NO_DEADLINE;
        unsigned flags = 0;
        bool gated = false; /* queued, but does not look at its deadline before open_gate() */
    };

    WaiterThread(LotKey key, Options options)
        : key_(key), options_(options), gate_open_(!options.gated), thread_([this] { run(); }) {
        while (!queued_.load())
            std::this_thread::yield();
    }
    ~WaiterThread() {
        if (thread_.joinable()) {
            open_gate();
            thread_.join();
        }
    }
    WaiterThread(const WaiterThread &) = delete;
    WaiterThread &operator=(const WaiterThread &) = delete;

    void open_gate() {
        gate_open_ = true;
    }
    /* Has it returned from the lot? Only a hint while it may still be unparked. */
    bool has_returned() const {
        return returned_.load();
    }
    /* Opens the gate, waits for the thread to end and says what park returned. */
    plc_park_result join() {
        open_gate();
        thread_.join();
        return result_;
    }

    /* What the timed_out callback was told; for after join. */
    int timed_out_calls() const {
        return timed_out_calls_;
    }
    const void *timed_out_key() const {
        return timed_out_key_;
    }
    bool was_last() const {
        return was_last_;
    }

  private:
    void run() {
        plc_park_ops ops = {};
        ops.before_sleep = [](void *context) { static_cast<WaiterThread *>(context)->pass_gate(); };
        ops.timed_out = [](void *context, const void *key, bool was_last) {
            auto *self = static_cast<WaiterThread *>(context);
            self->timed_out_calls_++;
            self->timed_out_key_ = key;
            self->was_last_ = was_last;
        };
        ops.flags = options_.flags;
        result_ = plc_lot_park(key_, &ops, this, options_.token, options_.deadline);
        returned_ = true;
    }
    void pass_gate() {
        queued_ = true;
        while (!gate_open_.load())
            std::this_thread::yield();
    }

    LotKey key_;
    Options options_;
    plc_park_result result_ = {};
    int timed_out_calls_ = 0;
    const void *timed_out_key_ = nullptr;
    bool was_last_ = false;
    std::atomic<bool> queued_{false};
    std::atomic<bool> gate_open_;
    std::atomic<bool> returned_{false};
    std::thread thread_; /* the last member: it uses the others */
};

/* Parks a thread on @p key with @p token; it is queued when this returns. */
inline std::unique_ptr<WaiterThread> park_thread(LotKey key, uintptr_t token = 0) {
    WaiterThread::Options options;
    options.token = token;
    return std::make_unique<WaiterThread>(key, options);
}

inline std::unique_ptr<WaiterThread> park_thread(const void *address, uintptr_t token = 0) {
    return park_thread(plc_lot_key(address, PLC_WAITER_USER), token);
}

/* Queues a thread on @p address whose time has run out already: it notices when its gate is opened. */
inline std::unique_ptr<WaiterThread> park_expired_thread(const void *address, uintptr_t token = 0) {
    WaiterThread::Options options;
    options.token = token;
    options.deadline = plc_deadline_t{0, PLC_CLOCK_MONOTONIC};
    options.gated = true;
    return std::make_unique<WaiterThread>(plc_lot_key(address, PLC_WAITER_USER), options);
}

/* Parks one thread after the other on @p address, with tokens first, first + 1, ... */
inline std::vector<std::unique_ptr<WaiterThread>> park_threads(const void *address, size_t count,
                                                               uintptr_t first_token = 0) {
    std::vector<std::unique_ptr<WaiterThread>> threads;
    for (size_t i = 0; i < count; ++i)
        threads.push_back(park_thread(address, first_token + i));
    return threads;
}

} // namespace plc_test

#endif
