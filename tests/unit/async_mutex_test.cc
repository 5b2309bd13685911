/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait for a mutex: their order, wakes and cancellations, beside each other and beside threads. */
#include <algorithm>
#include <csignal>
#include <gtest/gtest.h>
#include <plc/async.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "platform/platform.h"
#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/task.h"

namespace {

using plc_test::Task;

class AsyncMutex : public testing::Test {
  protected:
    void unlock_and_expect_state(uint8_t state) {
        plc_mutex_unlock_async(&mutex);
        EXPECT_EQ(mutex.state, state);
    }
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    Task a, b, c;
};

TEST_F(AsyncMutex, AFreeOneIsTaken) {
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    EXPECT_TRUE(plc_mutex_is_locked(&mutex));
    EXPECT_FALSE(plc_mutex_try_lock(&mutex));
    unlock_and_expect_state(0);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY) << "a waiter can be used again";
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutex, TasksAreWokenInTheOrderInWhichTheyCame) {
    ASSERT_EQ(a.lock(&mutex), PLC_POLL_READY);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(c.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(mutex.state, PLC_MUTEX_LOCKED_ | PLC_MUTEX_PARKED_);
    unlock_and_expect_state(PLC_MUTEX_PARKED_);
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(c.wakes, 0);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
    EXPECT_EQ(c.wakes, 1);
    EXPECT_EQ(c.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutex, AWokenTaskThatIsBeatenKeepsItsPlace) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(c.lock(&mutex), PLC_POLL_READY) << "a free mutex is anybody's";
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock_async(&mutex);
    EXPECT_EQ(a.wakes, 2);
    EXPECT_EQ(b.wakes, 0);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    plc_mutex_unlock_async(&mutex);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutex, AnUnlockLeavesATaskAloneThatIsOnItsWay) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock(&mutex);
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(b.wakes, 0);
    a.cancel();
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutex, CancellingASleeperLeavesNoMark) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(a.wakers, 1);
    a.cancel();
    EXPECT_EQ(a.wakers, 0);
    EXPECT_EQ(mutex.state, PLC_MUTEX_LOCKED_);
    a.cancel();
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.wakes, 0);
    EXPECT_EQ(mutex.state, 0);
}

TEST_F(AsyncMutex, CancellingOneInTheMiddleKeepsTheOthersInOrder) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    for (Task *task : {&a, &b, &c})
        EXPECT_EQ(task->lock(&mutex), PLC_POLL_PENDING);
    b.cancel();
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
    EXPECT_EQ(c.wakes, 1);
    c.cancel();
    EXPECT_EQ(mutex.state, 0);
}

TEST_F(AsyncMutex, AFairUnlockWakesATaskAndLeavesTheMutexFree) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock_fair(&mutex);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(mutex.state, PLC_MUTEX_PARKED_);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    plc_mutex_unlock_async(&mutex);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

/* ---- Wakers */

TEST_F(AsyncMutex, AWakerIsClonedOnceForManyPolls) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(a.wakers, 1);
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.wakers, 0);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutex, TheLatestWakerIsWoken) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    const plc_waker_t another = b.waker();
    EXPECT_EQ(plc_mutex_lock_async(&mutex, &a.waiter, &another), PLC_POLL_PENDING);
    EXPECT_EQ(a.wakers, 0);
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.wakes, 0);
    EXPECT_EQ(b.wakes, 1);
    a.cancel();
}

TEST_F(AsyncMutex, AWakeMayPollAndUnlockAtOnce) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    int sections = 0;
    for (Task *task : {&a, &b}) {
        task->on_wake = [&, task] {
            ASSERT_EQ(task->lock(&mutex), PLC_POLL_READY);
            ++sections;
            plc_mutex_unlock_async(&mutex); /* wakes the other */
        };
    }
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(sections, 2);
    EXPECT_EQ(mutex.state, 0);
}

/* ---- Beside threads */

std::thread thread_that_locks(plc_mutex_t *mutex) {
    std::thread thread([mutex] {
        plc_mutex_lock(mutex);
        plc_mutex_unlock(mutex);
    });
    plc_test::wait_until_parked(mutex, 1, PLC_WAITER_MUTEX);
    return thread;
}

TEST_F(AsyncMutex, ALeakedTaskKeepsNoThreadAsleepBesideAFreeMutex) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    std::thread behind = thread_that_locks(&mutex);
    plc_mutex_unlock(&mutex); /* wakes both; the task is never polled */
    behind.join();
    EXPECT_EQ(a.wakes, 1);
    EXPECT_FALSE(plc_mutex_is_locked(&mutex));
    a.cancel();
    EXPECT_EQ(mutex.state, 0);
}

TEST_F(AsyncMutex, AFairUnlockHandsOverToTheThreadBehindALeakedTask) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    std::thread behind = thread_that_locks(&mutex);
    plc_mutex_unlock_fair(&mutex);
    behind.join();
    EXPECT_EQ(a.wakes, 1) << "by the thread's unlock";
    a.cancel();
    EXPECT_EQ(mutex.state, 0);
}

TEST_F(AsyncMutex, TasksBehindALeakedOneAreWokenByALaterUnlock) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock(&mutex);
    while (b.wakes == 0) { /* until the leaked one counts as stuck */
        plc_mutex_lock(&mutex);
        plc_mutex_unlock(&mutex);
    }
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
    a.cancel();
}

TEST_F(AsyncMutex, ATaskBehindAThreadIsWokenByThatThread) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    std::thread before = thread_that_locks(&mutex);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock(&mutex);
    before.join();
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutex, AThreadWhoseTimeRunsOutLeavesTheTasksTheirMark) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_FALSE(plc_mutex_lock_until(&mutex, plc_deadline_after_ns(1)));
    EXPECT_EQ(mutex.state, PLC_MUTEX_LOCKED_ | PLC_MUTEX_PARKED_);
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.wakes, 1);
    a.cancel();
    EXPECT_EQ(mutex.state, 0);
}

TEST_F(AsyncMutex, AnotherThreadMayUnlock) {
    ASSERT_EQ(a.lock(&mutex), PLC_POLL_READY);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    std::thread([this] { plc_mutex_unlock_async(&mutex); }).join();
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutex, BlockOnLocksIt) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    struct Locking {
        plc_mutex_t *mutex;
        plc_async_waiter_t waiter;
    };
    std::thread other([this] {
        Locking locking = {&mutex, PLC_ASYNC_WAITER_INIT};
        plc_block_on(
            [](void *context, const plc_waker_t *waker) {
                auto *self = static_cast<Locking *>(context);
                return plc_mutex_lock_async(self->mutex, &self->waiter, waker);
            },
            &locking);
        plc_mutex_unlock_async(&mutex);
    });
    while (!(plc_load_relaxed(&mutex.state) & PLC_MUTEX_PARKED_))
        std::this_thread::yield();
    plc_mutex_unlock(&mutex);
    other.join();
    EXPECT_EQ(mutex.state, 0);
}

/* ---- Claims: a task that was beaten for half a millisecond has the mutex reserved for it. */

class AsyncMutexClaim : public AsyncMutex {
  protected:
    bool is_claimed() {
        return plc_load_relaxed(&mutex.state) & PLC_MUTEX_CLAIMED_;
    }
    /* Takes the mutex from it each time that it was woken, until it claims it. Then it is held. */
    void beat(Task *task) {
        while (!is_claimed()) {
            plc_mutex_unlock(&mutex);
            plc_mutex_lock(&mutex);
            ASSERT_EQ(task->lock(&mutex), PLC_POLL_PENDING);
        }
    }
    void SetUp() override {
        plc_mutex_lock(&mutex);
        ASSERT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
        beat(&a);
    }
};

/* Locks, and says when it had the mutex. */
class Other {
  public:
    explicit Other(plc_mutex_t *mutex)
        : thread_([this, mutex] {
              plc_mutex_lock(mutex);
              had_it_ = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
              plc_mutex_unlock(mutex);
          }) {}
    int64_t join() {
        thread_.join();
        return had_it_;
    }
    bool has_had_it() const {
        return had_it_ != 0;
    }

  private:
    std::atomic<int64_t> had_it_{0};
    std::thread thread_;
};

TEST_F(AsyncMutexClaim, TheUnlockWakesItAndReservesTheMutex) {
    const int wakes = a.wakes;
    unlock_and_expect_state(PLC_MUTEX_CLAIMED_);
    EXPECT_EQ(a.wakes, wakes + 1);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    EXPECT_EQ(mutex.state, PLC_MUTEX_LOCKED_);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutexClaim, AFairUnlockReservesItToo) {
    plc_mutex_unlock_fair(&mutex);
    EXPECT_EQ(mutex.state, PLC_MUTEX_CLAIMED_);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

/* Whatever the scheduler does: whoever had the mutex before the task, had it a millisecond after its wake. */
TEST_F(AsyncMutexClaim, NoThreadThatWaitsComesBeforeIt) {
    for (int round = 0; round < 20; ++round) {
        Other queued(&mutex);
        plc_test::wait_until_parked(&mutex, 1, PLC_WAITER_MUTEX);
        const int64_t reserved_at = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
        plc_mutex_unlock(&mutex);
        Other newcomer(&mutex);
        while (a.lock(&mutex) == PLC_POLL_PENDING) { /* late: one of them has it, or has had it */
        }
        const bool was_overtaken = queued.has_had_it() || newcomer.has_had_it();
        plc_mutex_unlock_async(&mutex);
        const int64_t first = std::min(queued.join(), newcomer.join());
        if (was_overtaken) {
            EXPECT_GE(first, reserved_at + 1'000'000);
        }
        EXPECT_EQ(mutex.state, 0);
        plc_mutex_lock(&mutex);
        ASSERT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
        beat(&a);
    }
    a.cancel();
    EXPECT_EQ(mutex.state, PLC_MUTEX_LOCKED_);
    plc_mutex_unlock(&mutex);
}

TEST_F(AsyncMutexClaim, ALeakedTaskKeepsThreadsOutForATimeOnly) {
    plc_mutex_unlock(&mutex);
    const int wakes = a.wakes;
    for (int i = 0; i < 100; ++i) { /* no other reservation follows, for it was not polled */
        plc_mutex_lock(&mutex);
        EXPECT_FALSE(is_claimed());
        plc_mutex_unlock(&mutex);
    }
    EXPECT_EQ(a.wakes, wakes);
    EXPECT_EQ(mutex.state, 0);
    a.cancel();
}

TEST_F(AsyncMutexClaim, ThreadsQueueWhileItIsReservedForALeakedTask) {
    Other queued(&mutex);
    plc_test::wait_until_parked(&mutex, 1, PLC_WAITER_MUTEX);
    plc_mutex_unlock(&mutex);
    Other one(&mutex);
    Other another(&mutex);
    queued.join();
    one.join();
    another.join();
    EXPECT_EQ(mutex.state, 0);
    a.cancel();
}

TEST_F(AsyncMutexClaim, WhoCannotWaitTakesIt) {
    plc_mutex_unlock(&mutex);
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    (void)a.lock(&mutex); /* claims it again, unless it is late by now */
    plc_mutex_unlock(&mutex);
    ASSERT_TRUE(plc_mutex_lock_until(&mutex, plc_deadline_after_ns(0)));
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutexClaim, ATaskThatIsKeptOutIsWokenToComeAgain) {
    ASSERT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(b.wakes, 0);
    while (c.lock(&mutex) == PLC_POLL_PENDING) { /* until the time is over: a is leaked */
        EXPECT_GE(c.wakes, 1);
        c.wakes = 0;
    }
    unlock_and_expect_state(0);
    EXPECT_EQ(b.wakes, 1) << "the one before it counts no more";
    b.cancel();
    a.cancel();
    EXPECT_EQ(mutex.state, 0);
}

TEST_F(AsyncMutexClaim, ACancelledClaimIsNoClaim) {
    a.cancel();
    EXPECT_EQ(mutex.state, PLC_MUTEX_LOCKED_);
    ASSERT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    beat(&a);
    ASSERT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(b.wakes, 0);
    a.cancel();
    EXPECT_EQ(b.wakes, 1) << "it had been woken, and passes that on";
    EXPECT_EQ(mutex.state, 0);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

TEST_F(AsyncMutexClaim, TwoClaimsAreServedInTurn) {
    ASSERT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock(&mutex);
    ASSERT_EQ(a.lock(&mutex), PLC_POLL_READY);
    ASSERT_EQ(c.lock(&mutex), PLC_POLL_PENDING);
    beat(&b);
    EXPECT_EQ(c.wakes, 0);
    plc_mutex_unlock(&mutex);
    ASSERT_EQ(b.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
    EXPECT_EQ(c.wakes, 1);
    EXPECT_EQ(c.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

/* Three threads that hold the mutex nearly all the time, and a task: it has its share, counted in their sections. */
TEST(AsyncMutexShare, OneTaskAmongHammeringThreads) {
    constexpr int wanted = 10;
    constexpr size_t most_sections = 200'000'000;
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    std::atomic<bool> enough{false};
    size_t sections = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            bool go_on = true;
            while (go_on) {
                plc_mutex_lock(&mutex);
                go_on = ++sections < most_sections && !enough;
                plc_mutex_unlock(&mutex);
            }
        });
    }
    struct Locking {
        plc_mutex_t *mutex;
        plc_async_waiter_t waiter;
    } locking = {&mutex, PLC_ASYNC_WAITER_INIT};
    size_t sections_meanwhile = 0;
    for (int i = 0; i < wanted; ++i) {
        plc_block_on(
            [](void *context, const plc_waker_t *waker) {
                auto *self = static_cast<Locking *>(context);
                return plc_mutex_lock_async(self->mutex, &self->waiter, waker);
            },
            &locking);
        sections_meanwhile = sections;
        plc_mutex_unlock_async(&mutex);
    }
    enough = true;
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_LT(sections_meanwhile, most_sections) << "they were through before the task had its " << wanted;
    EXPECT_EQ(mutex.state, 0);
}

/* ---- The table */

TEST(AsyncTable, TasksMoveToALargerTable) {
    constexpr size_t crowd = 3000;
    std::vector<plc_mutex_t> mutexes(crowd);
    std::vector<Task> tasks(2 * crowd);
    for (size_t i = 0; i < crowd; ++i) {
        ASSERT_TRUE(plc_mutex_try_lock(&mutexes[i]));
        ASSERT_EQ(tasks[2 * i].lock(&mutexes[i]), PLC_POLL_PENDING);
        ASSERT_EQ(tasks[2 * i + 1].lock(&mutexes[i]), PLC_POLL_PENDING);
    }
    EXPECT_GT(plc_bucket_table_size(), 256u);
    for (size_t i = 0; i < crowd; ++i) {
        plc_mutex_unlock(&mutexes[i]);
        ASSERT_EQ(tasks[2 * i].wakes, 1);
        if (i % 2) {
            tasks[2 * i].cancel();
        } else {
            ASSERT_EQ(tasks[2 * i].lock(&mutexes[i]), PLC_POLL_READY);
            plc_mutex_unlock_async(&mutexes[i]);
        }
        ASSERT_EQ(tasks[2 * i + 1].wakes, 1);
        tasks[2 * i + 1].cancel();
        ASSERT_EQ(mutexes[i].state, 0);
    }
}

/* ---- Fork: no task is queued in the child */

template <typename Body>
void in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        body();
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(AsyncMutex, AChildQueuesItsTasksAgainOrForgetsThem) {
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
    in_child([this] {
        a.cancel();
        EXPECT_EQ(b.lock(&mutex), PLC_POLL_PENDING);
        plc_mutex_unlock(&mutex);
        EXPECT_EQ(b.wakes, 1);
        EXPECT_EQ(b.lock(&mutex), PLC_POLL_READY);
        unlock_and_expect_state(0);
    });
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
    b.cancel();
}

TEST_F(AsyncMutexClaim, AChildForgetsTheClaim) {
    in_child([this] {
        plc_mutex_unlock(&mutex);
        plc_mutex_lock(&mutex);
        EXPECT_EQ(mutex.state, PLC_MUTEX_LOCKED_);
        plc_mutex_unlock(&mutex);
        EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
        unlock_and_expect_state(0);
    });
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_READY);
    unlock_and_expect_state(0);
}

/* ---- Mistakes */

using AsyncMutexDeathTest = AsyncMutex;

TEST_F(AsyncMutexDeathTest, AWaiterWaitsForOneThingAtATime) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    plc_mutex_t other = {PLC_MUTEX_LOCKED_};
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_EQ(a.lock(&mutex), PLC_POLL_PENDING);
    EXPECT_DEATH(a.lock(&other), "async waiter .*polled for one thing while it waits for another");
    a.cancel();
}

TEST_F(AsyncMutexDeathTest, UnlockingAFreeOneIsReported) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(plc_mutex_unlock_async(&mutex), "unlock of a mutex that is not locked");
}

} // namespace
