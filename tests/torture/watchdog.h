/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Knows what every thread is doing and since when, and ends the program with all of that when something is wrong. */
#ifndef PLC_TESTS_TORTURE_WATCHDOG_H
#define PLC_TESTS_TORTURE_WATCHDOG_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "configuration.h"

namespace torture {

/* What one thread is doing. Written by that thread; all relaxed, so that watching orders nothing that is tested. */
class Slot {
  public:
    /* A new step, which is expected to end within the watchdog's patience. */
    void at(const char *step, const void *object = nullptr);
    /* One more operation is done. */
    void done() {
        operations_.store(operations_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    uint64_t operations() const {
        return operations_.load(std::memory_order_relaxed);
    }
    /* A new round. */
    void reset();
    /* A new thread. */
    void begin(int thread_id);
    void end();
    int thread_id() const {
        return thread_id_.load(std::memory_order_relaxed);
    }

  private:
    friend struct Watchdog;
    std::atomic<const char *> step_{nullptr}; /* null: no thread */
    std::atomic<const void *> object_{nullptr};
    std::atomic<uint64_t> since_{0}; /* in the watchdog's ticks */
    std::atomic<uint64_t> operations_{0};
    std::atomic<int> thread_id_{0};
};

inline constexpr size_t max_threads = 512;
Slot &slot(size_t thread);

/* What a report says first: how to repeat the round. */
void describe_round(const char *program, const Configuration &configuration, uint64_t seed, size_t operations);

/* Starts the thread that looks ten times a second whether every thread still gets on; before_all: let it run before
   every worker, whatever its priority. */
void start_watchdog(bool before_all, double patience_seconds);

/* Prints the message, the round and what every thread is doing, and aborts, so that there is a core. */
[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char *format, ...);

/* From now on fail() knows that this process is a forked child, in which there are no other threads. */
void this_is_a_child();

} // namespace torture

#endif
