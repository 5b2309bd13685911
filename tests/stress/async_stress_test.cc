/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Thousands of tasks on a few threads, beside threads, on the same locks: each excludes, nobody is forgotten, and who gives
   up leaves no trace. */
#include <gtest/gtest.h>
#include <plc/async.h>
#include <vector>

#include "support/executor.h"
#include "support/stress.h"

namespace {

using plc_test::Executor;
using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

/* Plain data: a race or a lost update shows that a lock failed. */
struct Counted {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    size_t sections = 0;
    size_t copy = 0;

    void enter() {
        ++sections;
    }
    void leave() {
        copy = sections;
    }
};

constexpr size_t workers = 3;
constexpr size_t threads = 3;
constexpr size_t locks = 4;

/* Locks one of several mutexes again and again; gives up now and then while it waits; goes to sleep inside now and then,
   and may go on on another thread. */
class Locker : public Executor::Runnable {
  public:
    Locker(Counted *counted, size_t rounds, size_t stream) : counted_(counted), rounds_(rounds), random_(stream) {}

    plc_poll poll(const plc_waker_t *waker) override {
        while (rounds_ > 0) {
            if (!inside_) {
                if (plc_mutex_lock_async(&counted_[at_].mutex, &waiter_, waker) == PLC_POLL_PENDING) {
                    if (!random_.one_in(4))
                        return PLC_POLL_PENDING;
                    plc_async_cancel(&waiter_);
                    at_ = random_.below(locks);
                    continue;
                }
                inside_ = true;
                counted_[at_].enter();
                if (random_.one_in(8)) {
                    plc_waker_wake_by_ref(waker);
                    return PLC_POLL_PENDING;
                }
            }
            counted_[at_].leave();
            plc_mutex_unlock_async(&counted_[at_].mutex);
            inside_ = false;
            --rounds_;
            at_ = random_.below(locks);
        }
        return PLC_POLL_READY;
    }

  private:
    Counted *counted_;
    size_t rounds_;
    Random random_;
    size_t at_ = 0;
    bool inside_ = false;
    plc_async_waiter_t waiter_ = PLC_ASYNC_WAITER_INIT;
};

TEST(AsyncStress, TasksAndThreadsShareMutexes) {
    constexpr size_t tasks = 2000;
    const size_t rounds = scaled(25);
    const size_t thread_rounds = scaled(20'000);
    Counted counted[locks];
    Executor executor;
    for (size_t i = 0; i < tasks; ++i)
        executor.add(std::make_unique<Locker>(counted, rounds, 100 + i));
    executor.start();
    std::atomic<size_t> timed_out{0};
    run_threads(workers + threads, [&](size_t self, Random &random) {
        if (self < workers) {
            executor.work();
            return;
        }
        for (size_t i = 0; i < thread_rounds; ++i) {
            Counted &mine = counted[random.below(locks)];
            if (random.one_in(8)) {
                if (!plc_mutex_lock_until(&mine.mutex,
                                          plc_deadline_after_ns(static_cast<int64_t>(random.below(20'000))))) {
                    ++timed_out;
                    continue;
                }
            } else {
                plc_mutex_lock(&mine.mutex);
            }
            mine.enter();
            mine.leave();
            if (random.one_in(8))
                plc_mutex_unlock_fair(&mine.mutex);
            else
                plc_mutex_unlock(&mine.mutex);
        }
    });
    size_t sections = 0;
    for (const Counted &each : counted) {
        EXPECT_EQ(each.mutex.state, 0);
        EXPECT_EQ(each.sections, each.copy);
        sections += each.sections;
    }
    EXPECT_EQ(sections, tasks * rounds + threads * thread_rounds - timed_out);
}

} // namespace
