/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait on a condition variable: their order, notifications, cancellations, beside threads. */
#include <gtest/gtest.h>
#include <plc/async.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "support/lot_probe.h"
#include "support/task.h"

namespace {

using plc_test::Task;

class AsyncCondvar : public testing::Test {
  protected:
    plc_poll wait(Task &task) {
        const plc_waker_t mine = task.waker();
        return plc_condvar_wait_async(&condvar, &mutex, &task.waiter, &mine);
    }
    void begin_to_wait(Task &task) {
        ASSERT_EQ(task.lock(&mutex), PLC_POLL_READY);
        ASSERT_EQ(wait(task), PLC_POLL_PENDING);
        ASSERT_FALSE(plc_mutex_is_locked(&mutex));
    }
    void expect_ready(Task &task) {
        EXPECT_EQ(wait(task), PLC_POLL_READY);
        EXPECT_TRUE(plc_mutex_is_locked(&mutex));
        plc_mutex_unlock_async(&mutex);
    }
    void TearDown() override {
        EXPECT_EQ(mutex.state, 0);
        EXPECT_EQ(condvar.state, 0u);
    }
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
    Task a, b, c;
};

TEST_F(AsyncCondvar, TasksAreNotifiedInTheOrderInWhichTheyCame) {
    for (Task *task : {&a, &b, &c})
        begin_to_wait(*task);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar));
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(b.wakes, 0);
    expect_ready(a);
    EXPECT_EQ(wait(b), PLC_POLL_PENDING) << "polled for no reason";
    EXPECT_EQ(plc_condvar_notify_all(&condvar), 2u);
    expect_ready(c);
    expect_ready(b);
    EXPECT_FALSE(plc_condvar_notify_one(&condvar));
}

TEST_F(AsyncCondvar, ANotifiedTaskQueuesForTheMutex) {
    begin_to_wait(a);
    ASSERT_EQ(b.lock(&mutex), PLC_POLL_READY);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar));
    EXPECT_EQ(wait(a), PLC_POLL_PENDING);
    EXPECT_EQ(c.lock(&mutex), PLC_POLL_PENDING);
    plc_mutex_unlock_async(&mutex);
    EXPECT_EQ(a.wakes, 2);
    expect_ready(a);
    EXPECT_EQ(c.lock(&mutex), PLC_POLL_READY);
    plc_mutex_unlock_async(&mutex);
}

TEST_F(AsyncCondvar, ManyAreNotifiedAtOnce) {
    std::vector<Task> tasks(100); /* more than are woken under one lock of the bucket */
    for (Task &task : tasks)
        begin_to_wait(task);
    EXPECT_EQ(plc_condvar_notify_all(&condvar), tasks.size());
    for (Task &task : tasks) {
        EXPECT_EQ(task.wakes, 1);
        expect_ready(task);
    }
}

TEST_F(AsyncCondvar, AWakeMayCancelTheOthersThatWereNotifiedWithIt) {
    for (Task *task : {&a, &b, &c})
        begin_to_wait(*task);
    a.on_wake = [this] { c.cancel(); };
    c.on_wake = [this] { b.cancel(); };
    EXPECT_EQ(plc_condvar_notify_all(&condvar), 3u);
    expect_ready(a);
    b.cancel();
}

/* ---- Giving up */

TEST_F(AsyncCondvar, WhoGivesUpUnnotifiedLeavesNoMark) {
    begin_to_wait(a);
    begin_to_wait(b);
    a.cancel();
    EXPECT_NE(condvar.state, 0u);
    b.cancel();
    EXPECT_EQ(condvar.state, 0u);
    EXPECT_EQ(plc_condvar_notify_all(&condvar), 0u);
}

TEST_F(AsyncCondvar, ACancelledTaskPassesItsNotificationOn) {
    begin_to_wait(a);
    begin_to_wait(b);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar));
    a.cancel();
    EXPECT_EQ(b.wakes, 1);
    expect_ready(b);
}

TEST_F(AsyncCondvar, SoItDoesWhileItWaitsForTheMutex) {
    begin_to_wait(a);
    begin_to_wait(b);
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_TRUE(plc_condvar_notify_one(&condvar));
    EXPECT_EQ(wait(a), PLC_POLL_PENDING);
    a.cancel();
    EXPECT_EQ(b.wakes, 1);
    plc_mutex_unlock(&mutex);
    expect_ready(b);
}

TEST_F(AsyncCondvar, ToAThreadAsWell) {
    begin_to_wait(a);
    std::thread behind([this] {
        plc_mutex_lock(&mutex);
        plc_condvar_wait(&condvar, &mutex);
        plc_mutex_unlock(&mutex);
    });
    plc_test::wait_until_parked(&condvar, 2, PLC_WAITER_CONDVAR);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar)) << "the task's, or the thread's if that is still awake";
    if (a.wakes == 1) {
        a.cancel();
        behind.join();
    } else {
        behind.join();
        a.cancel();
    }
}

TEST_F(AsyncCondvar, ALeakedTaskKeepsNobodyFromNotifyAll) {
    begin_to_wait(a);
    std::thread other([this] {
        plc_mutex_lock(&mutex);
        plc_condvar_wait(&condvar, &mutex);
        plc_mutex_unlock(&mutex);
    });
    plc_test::wait_until_parked(&condvar, 2, PLC_WAITER_CONDVAR);
    EXPECT_EQ(plc_condvar_notify_all(&condvar), 2u);
    other.join();
    EXPECT_EQ(a.wakes, 1);
    a.cancel();
}

/* ---- Fork: nobody is queued in the child, but who was notified before knows it */

TEST_F(AsyncCondvar, AChildQueuesItsTasksAgain) {
    begin_to_wait(a);
    begin_to_wait(b);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar));
    const pid_t child = fork();
    if (child == 0) {
        expect_ready(a);
        EXPECT_EQ(wait(b), PLC_POLL_PENDING);
        EXPECT_TRUE(plc_condvar_notify_one(&condvar));
        expect_ready(b);
        EXPECT_EQ(condvar.state, 0u);
        _exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    expect_ready(a);
    b.cancel();
}

/* ---- Mistakes */

using AsyncCondvarDeathTest = AsyncCondvar;

TEST_F(AsyncCondvarDeathTest, TwoMutexesAreReported) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    plc_mutex_t other = PLC_MUTEX_INIT;
    begin_to_wait(a);
    ASSERT_EQ(b.lock(&other), PLC_POLL_READY);
    const plc_waker_t waker = b.waker();
    EXPECT_DEATH(plc_condvar_wait_async(&condvar, &other, &b.waiter, &waker), "wait with one lock while other");
    a.cancel();
}

} // namespace
