/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait for a mutex: their order, wakes and cancellations, beside each other and beside threads. */
#include <csignal>
#include <gtest/gtest.h>
#include <plc/async.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

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
