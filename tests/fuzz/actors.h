/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The few threads that do what may block, and how a mismatch is reported. */
#ifndef PLC_TESTS_FUZZ_ACTORS_H
#define PLC_TESTS_FUZZ_ACTORS_H

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>

namespace fuzz {

/* A thread that does one thing at a time, and says when it is done. */
class Actor {
  public:
    Actor();
    Actor(const Actor &) = delete;
    Actor &operator=(const Actor &) = delete;

    bool is_idle() const {
        return state_.load(std::memory_order_acquire) == State::idle;
    }
    bool is_done() const {
        return state_.load(std::memory_order_acquire) == State::done;
    }
    void start(std::function<void()> task);
    /* After it is done. */
    void rest();

  private:
    enum class State { idle, busy, done };
    [[noreturn]] void run();

    std::atomic<State> state_{State::idle};
    std::mutex mutex_;
    std::condition_variable condition_;
    std::function<void()> task_;
};

/* One that has nothing to do, or null. */
Actor *idle_actor();

/* ---- The program's journal: what was done, for the report of a mismatch */

void begin_program(const uint8_t *data, size_t size);
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);

/* Prints the journal and the program's bytes, and aborts. */
[[noreturn]] __attribute__((format(printf, 1, 2))) void mismatch(const char *format, ...);

/* Until the condition holds, which it must. What is waited for comes by itself: another thread is on its way. */
void wait_until(const char *what, const std::function<bool()> &condition);

/* How many steps the program has made. */
size_t now();

} // namespace fuzz

#endif
