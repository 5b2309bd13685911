/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A task that a test polls by hand: it counts its wakes, and the wakers that there are. */
#ifndef PLC_TESTS_SUPPORT_TASK_H
#define PLC_TESTS_SUPPORT_TASK_H

#include <atomic>
#include <functional>
#include <gtest/gtest.h>
#include <plc/async.h>

namespace plc_test {

struct Task {
    plc_async_waiter_t waiter = PLC_ASYNC_WAITER_INIT;
    std::atomic<int> wakes{0};
    std::atomic<int> wakers{0};
    std::function<void()> on_wake; /* called by whoever wakes it */

    Task() = default;
    Task(const Task &) = delete;
    Task &operator=(const Task &) = delete;
    ~Task() {
        EXPECT_EQ(wakers, 0) << "a waker was neither woken nor dropped";
    }

    /* One that the task owns itself. */
    plc_waker_t waker() {
        return plc_waker_t{&vtable, this};
    }
    plc_poll lock(plc_mutex_t *mutex) {
        const plc_waker_t mine = waker();
        return plc_mutex_lock_async(mutex, &waiter, &mine);
    }
    plc_poll read_lock(plc_rwlock_t *lock) {
        const plc_waker_t mine = waker();
        return plc_rwlock_read_lock_async(lock, &waiter, &mine);
    }
    plc_poll write_lock(plc_rwlock_t *lock) {
        const plc_waker_t mine = waker();
        return plc_rwlock_write_lock_async(lock, &waiter, &mine);
    }
    plc_poll upgradable_lock(plc_rwlock_t *lock) {
        const plc_waker_t mine = waker();
        return plc_rwlock_upgradable_lock_async(lock, &waiter, &mine);
    }
    plc_poll upgrade(plc_rwlock_t *lock) {
        const plc_waker_t mine = waker();
        return plc_rwlock_upgrade_async(lock, &waiter, &mine);
    }
    void cancel() {
        plc_async_cancel(&waiter);
    }

  private:
    static plc_waker_t clone(void *data) {
        ++static_cast<Task *>(data)->wakers;
        return plc_waker_t{&vtable, data};
    }
    static void wake_by_ref(void *data) {
        auto *task = static_cast<Task *>(data);
        if (task->on_wake)
            task->on_wake();
        ++task->wakes;
    }
    static void wake(void *data) {
        --static_cast<Task *>(data)->wakers; /* before its owner can learn of it, who may end */
        wake_by_ref(data);
    }
    static void drop(void *data) {
        --static_cast<Task *>(data)->wakers;
    }
    static constexpr plc_waker_vtable vtable = {clone, wake, wake_by_ref, drop};
};

} // namespace plc_test

#endif
