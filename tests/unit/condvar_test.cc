/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The condition variable, one behaviour at a time: who is woken, who is moved, what is counted, what is left behind. */
#include <plc/condvar.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>
#include <vector>

#include "platform/tuning.h"
#include "support/internal.h"
#include "support/lot_probe.h"
#include "support/one_processor.h"
#include "sync/condvar.h"

namespace {

using plc_test::parked_count;
using plc_test::parked_tokens;
using plc_test::wait_until_parked;

constexpr uintptr_t any_lock = 1;

size_t waiting_on(const plc_condvar_t &condvar) {
    return parked_count(&condvar, PLC_WAITER_CONDVAR);
}

size_t queued_for(const plc_mutex_t &mutex) {
    return parked_count(&mutex, PLC_WAITER_MUTEX);
}

void wait_until_waiting(const plc_condvar_t &condvar, size_t count) {
    wait_until_parked(&condvar, count, PLC_WAITER_CONDVAR);
}

void wait_until_queued(const plc_mutex_t &mutex, size_t count) {
    wait_until_parked(&mutex, count, PLC_WAITER_MUTEX);
}

uintptr_t address_of(const plc_mutex_t &mutex) {
    return reinterpret_cast<uintptr_t>(&mutex);
}

const plc_lock_ops std_mutex_ops = {
    [](void *lock) { static_cast<std::mutex *>(lock)->unlock(); },
    [](void *lock) { static_cast<std::mutex *>(lock)->lock(); },
};

/* A condvar, a mutex, and threads that wait there; each notes under the mutex when its turn comes. */
class CondvarTest : public testing::Test {
  protected:
    ~CondvarTest() override {
        for (std::thread &thread : threads_)
            thread.join();
    }

    /* Returns once the thread is queued. */
    void add_waiter(plc_deadline_t deadline = PLC_NO_DEADLINE) {
        const size_t before = waiting_on(condvar_);
        const size_t number = threads_.size();
        threads_.emplace_back([this, number, deadline] {
            plc_mutex_lock(&mutex_);
            const bool notified = plc_condvar_wait_until(&condvar_, &mutex_, deadline);
            EXPECT_TRUE(plc_mutex_is_locked(&mutex_));
            order_.push_back(number);
            notified_ += notified;
            returned_.fetch_add(1);
            plc_mutex_unlock(&mutex_);
        });
        wait_until_waiting(condvar_, before + 1);
    }

    /* Returns once the thread sleeps: it is no longer one that a notification would prefer. */
    void add_sleeper(plc_deadline_t deadline = PLC_NO_DEADLINE) {
        add_waiter(deadline);
        plc_test::wait_until_asleep(plc_lot_key(&condvar_, PLC_WAITER_CONDVAR), waiting_on(condvar_));
    }

    void join_all() {
        for (std::thread &thread : threads_)
            thread.join();
        threads_.clear();
    }

    plc_condvar_t condvar_ = PLC_CONDVAR_INIT;
    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
    std::vector<std::thread> threads_;
    std::vector<size_t> order_;        /* guarded by mutex_ */
    size_t notified_ = 0;              /* guarded by mutex_ */
    std::atomic<size_t> returned_ = 0; /* how many waits have returned */
};

/* The same where a notification under the lock moves its waiter: it sleeps, and went to sleep on this processor. */
class MovingCondvarTest : public CondvarTest {
  protected:
    void SetUp() override {
        if (!processor_.is_pinned())
            GTEST_SKIP() << "cannot tell on which processor a thread runs";
        if (!plc_test::parker_can_sleep())
            GTEST_SKIP() << "whoever never sleeps is never moved";
    }

    plc_test::OneProcessor processor_;
};

TEST(CondvarLayout, IsOneZeroedWord) {
    plc_condvar_t initialised = PLC_CONDVAR_INIT;
    plc_condvar_t zeroed;
    std::memset(&zeroed, 0, sizeof zeroed);
    EXPECT_EQ(sizeof(plc_condvar_t), sizeof(void *));
    EXPECT_EQ(std::memcmp(&initialised, &zeroed, sizeof zeroed), 0);
}

/* ---- Notifying */

TEST_F(CondvarTest, NotifyWithoutWaitersDoesNothing) {
    EXPECT_FALSE(plc_condvar_notify_one(&condvar_));
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), 0u);
    EXPECT_EQ(condvar_.state, 0u);
}

TEST_F(CondvarTest, NotificationIsNotRemembered) {
    plc_condvar_notify_one(&condvar_);
    plc_condvar_notify_all(&condvar_);
    plc_mutex_lock(&mutex_);
    EXPECT_FALSE(plc_condvar_wait_until(&condvar_, &mutex_, plc_deadline_after_ns(0)));
    plc_mutex_unlock(&mutex_);
}

TEST_F(CondvarTest, WaitNamesItsMutexAndReleasesIt) {
    add_waiter();
    EXPECT_EQ(condvar_.state, address_of(mutex_));
    plc_mutex_lock(&mutex_); /* possible only because the waiter has let go of it */
    plc_mutex_unlock(&mutex_);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    join_all();
    EXPECT_EQ(notified_, 1u);
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(mutex_.state, 0u);
}

TEST_F(MovingCondvarTest, NotifyOneMovesTheWaiterIfTheMutexIsHeld) {
    add_sleeper();
    plc_mutex_lock(&mutex_);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(waiting_on(condvar_), 0u);
    EXPECT_EQ(queued_for(mutex_), 1u);
    EXPECT_EQ(returned_, 0u);
    plc_mutex_unlock(&mutex_);
    join_all();
    EXPECT_EQ(notified_, 1u);
    EXPECT_EQ(mutex_.state, 0u);
}

TEST_F(CondvarTest, NotifyOneNotifiesSleepersOneAtATimeInOrder) {
    constexpr size_t waiters = 5;
    for (size_t i = 0; i < waiters; ++i)
        add_sleeper();
    for (size_t i = 0; i < waiters; ++i) {
        EXPECT_EQ(condvar_.state, address_of(mutex_));
        EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
        EXPECT_EQ(waiting_on(condvar_), waiters - i - 1);
        while (returned_.load() != i + 1)
            std::this_thread::yield();
    }
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_FALSE(plc_condvar_notify_one(&condvar_));
    join_all();
    EXPECT_EQ(order_, (std::vector<size_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(notified_, waiters);
}

TEST_F(CondvarTest, NotifyAllCountsIfTheMutexIsFree) {
    for (size_t i = 0; i < 5; ++i)
        add_waiter();
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), 5u);
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), 0u);
    join_all();
    EXPECT_EQ(notified_, 5u);
    EXPECT_EQ(mutex_.state, 0u);
}

TEST_F(CondvarTest, NotifyAllCountsIfTheMutexIsHeld) {
    for (size_t i = 0; i < 5; ++i)
        add_waiter();
    plc_mutex_lock(&mutex_);
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), 5u);
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(waiting_on(condvar_), 0u);
    EXPECT_EQ(returned_, 0u);
    plc_mutex_unlock(&mutex_);
    join_all();
    EXPECT_EQ(notified_, 5u);
    EXPECT_EQ(mutex_.state, 0u);
}

/* More waiters than a broadcast wakes at once are moved to the mutex's queue instead; here one more than that. */
class ManyWaitersTest : public CondvarTest {
  protected:
    const size_t many_ = PLC_BROADCAST_WAKES * plc_os_processor_count() + 1;

    void add_many() {
        for (size_t i = 0; i < many_; ++i)
            add_waiter();
    }

    void expect_all_notified() {
        join_all();
        EXPECT_EQ(notified_, many_);
        EXPECT_EQ(order_.size(), many_);
        EXPECT_EQ(waiting_on(condvar_), 0u);
        EXPECT_EQ(queued_for(mutex_), 0u);
        EXPECT_EQ(mutex_.state, 0u);
    }
};

TEST_F(ManyWaitersTest, NotifyAllMovesThemIfTheMutexIsHeld) {
    if (many_ > 500)
        GTEST_SKIP() << "too many processors for as many threads";
    add_many();
    plc_mutex_lock(&mutex_);
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), many_);
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(queued_for(mutex_), many_);
    EXPECT_EQ(returned_, 0u);
    plc_mutex_unlock(&mutex_);
    expect_all_notified();
}

TEST_F(ManyWaitersTest, NotifyAllSetsThemGoingIfTheMutexIsFree) {
    if (many_ > 500)
        GTEST_SKIP() << "too many processors for as many threads";
    add_many();
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), many_);
    EXPECT_EQ(condvar_.state, 0u);
    expect_all_notified();
}

/* Asleep on this processor it would be moved; but it sleeps on another one. */
TEST_F(MovingCondvarTest, NotifyOneWakesTheWaiterOnAnotherProcessor) {
    if (!processor_.move_to_another())
        GTEST_SKIP() << "there is only one processor";
    add_sleeper();
    ASSERT_TRUE(processor_.move_back());
    plc_mutex_lock(&mutex_);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(waiting_on(condvar_), 0u);
    for (const uintptr_t token : parked_tokens(plc_lot_key(&mutex_, PLC_WAITER_MUTEX)))
        EXPECT_EQ(token, 0u); /* if it is there by now, then not as one who was moved */
    EXPECT_EQ(returned_, 0u);
    plc_mutex_unlock(&mutex_);
    join_all();
    EXPECT_EQ(notified_, 1u);
    EXPECT_EQ(mutex_.state, 0u);
}

TEST_F(MovingCondvarTest, NotifyOneWakesTheWaiterIfTheMutexIsFree) {
    add_sleeper();
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    EXPECT_EQ(condvar_.state, 0u);
    join_all();
    EXPECT_EQ(notified_, 1u);
    EXPECT_EQ(mutex_.state, 0u);
}

/* A waiter that is moved queues behind those who were there before, by its own place and nobody's priority. */
TEST_F(MovingCondvarTest, MovedWaiterQueuesBehindLockers) {
    add_sleeper();
    plc_mutex_lock(&mutex_);
    std::vector<size_t> *order = &order_;
    threads_.emplace_back([this, order] {
        plc_mutex_lock(&mutex_);
        order->push_back(100);
        plc_mutex_unlock_fair(&mutex_);
    });
    wait_until_queued(mutex_, 1);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    EXPECT_EQ(parked_tokens(plc_lot_key(&mutex_, PLC_WAITER_MUTEX)),
              (std::vector<uintptr_t>{0, reinterpret_cast<uintptr_t>(&condvar_)}));
    plc_mutex_unlock_fair(&mutex_);
    join_all();
    EXPECT_EQ(order_, (std::vector<size_t>{100, 0}));
}

/* Each unlock must go on to the next one that was moved, with ordinary lockers among them and until the last. */
TEST_F(MovingCondvarTest, MovedWaitersAndLockersAllGetTheMutex) {
    for (size_t i = 0; i < 4; ++i)
        add_sleeper();
    plc_mutex_lock(&mutex_);
    std::atomic<size_t> locked = 0;
    const auto add_locker = [&] {
        const size_t before = queued_for(mutex_);
        threads_.emplace_back([&] {
            plc_mutex_lock(&mutex_);
            locked.fetch_add(1);
            plc_mutex_unlock(&mutex_);
        });
        wait_until_queued(mutex_, before + 1);
    };
    add_locker();
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    add_locker();
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    add_locker();
    EXPECT_EQ(queued_for(mutex_), 7u);
    EXPECT_EQ(returned_, 0u);
    plc_mutex_unlock(&mutex_);
    join_all();
    EXPECT_EQ(notified_, 4u);
    EXPECT_EQ(locked, 3u);
    EXPECT_EQ(mutex_.state, 0u);
}

/* ---- Deadlines */

TEST_F(CondvarTest, TimeOutLeavesNothingBehind) {
    plc_mutex_lock(&mutex_);
    for (const plc_clock clock : plc_test::clocks)
        EXPECT_FALSE(plc_condvar_wait_until(&condvar_, &mutex_, plc_test::soon(clock)));
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(waiting_on(condvar_), 0u);
    EXPECT_EQ(mutex_.state, 1u);
    plc_mutex_unlock(&mutex_);
    EXPECT_FALSE(plc_condvar_notify_one(&condvar_));
}

TEST_F(CondvarTest, DeadlinesInThePastPassAtOnce) {
    plc_mutex_lock(&mutex_);
    for (const plc_clock clock : plc_test::clocks)
        for (const int64_t ns : {INT64_MIN, INT64_MIN + 1, INT64_C(-1), INT64_C(0), INT64_C(1)})
            EXPECT_FALSE(plc_condvar_wait_until(&condvar_, &mutex_, plc_deadline_t{ns, clock}));
    EXPECT_FALSE(plc_condvar_wait_until(&condvar_, &mutex_, plc_deadline_after_ns(INT64_MIN)));
    plc_mutex_unlock(&mutex_);
}

TEST_F(CondvarTest, DistantDeadlinesDoNotPass) {
    constexpr int64_t year_2100 = INT64_C(4102444800) * 1000000000;
    for (const plc_clock clock : plc_test::clocks)
        for (const int64_t ns : {year_2100, INT64_MAX - 1, INT64_MAX})
            add_waiter(plc_deadline_t{ns, clock});
    add_waiter(plc_deadline_after_ns(INT64_MAX));
    add_waiter(plc_deadline_at(PLC_CLOCK_REALTIME, INT64_MAX, 999999999));
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), 8u);
    join_all();
    EXPECT_EQ(notified_, 8u);
}

TEST_F(CondvarTest, TimeOutOfOneLeavesTheOthers) {
    add_waiter();
    plc_mutex_lock(&mutex_);
    EXPECT_FALSE(plc_condvar_wait_until(&condvar_, &mutex_, plc_test::soon()));
    plc_mutex_unlock(&mutex_);
    EXPECT_EQ(condvar_.state, address_of(mutex_));
    EXPECT_EQ(waiting_on(condvar_), 1u);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    join_all();
    EXPECT_EQ(notified_, 1u);
    EXPECT_EQ(condvar_.state, 0u);
}

/* The waiter was notified before its deadline: that it gets the mutex only afterwards is no time-out. */
TEST_F(MovingCondvarTest, DeadlineThatPassesInTheMutexQueueCountsAsNotified) {
    add_sleeper(plc_test::after(PLC_CLOCK_MONOTONIC, 20'000'000));
    plc_mutex_lock(&mutex_);
    if (!plc_condvar_notify_one(&condvar_)) {
        plc_mutex_unlock(&mutex_);
        GTEST_SKIP() << "this machine was too busy: the deadline passed before the notification";
    }
    /* Its park ends by the deadline, and it queues for the mutex once more, no longer as one who came from a condvar.
     */
    while (parked_tokens(plc_lot_key(&mutex_, PLC_WAITER_MUTEX)) != std::vector<uintptr_t>{0})
        std::this_thread::yield();
    EXPECT_EQ(returned_, 0u);
    plc_mutex_unlock(&mutex_);
    join_all();
    EXPECT_EQ(notified_, 1u);
    EXPECT_EQ(mutex_.state, 0u);
}

/* ---- Locks of other types */

TEST_F(CondvarTest, AnyLockWaitersAreWokenAndNeverMoved) {
    std::mutex lock;
    std::atomic<size_t> notified = 0;
    for (size_t i = 0; i < 3; ++i)
        threads_.emplace_back([&] {
            lock.lock();
            plc_condvar_wait_any(&condvar_, &std_mutex_ops, &lock);
            notified.fetch_add(1);
            lock.unlock();
        });
    wait_until_waiting(condvar_, 3);
    EXPECT_EQ(condvar_.state, any_lock);
    lock.lock();
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    EXPECT_EQ(waiting_on(condvar_), 2u);
    EXPECT_EQ(condvar_.state, any_lock);
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), 2u);
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(notified, 0u);
    lock.unlock();
    join_all();
    EXPECT_EQ(notified, 3u);
}

TEST_F(CondvarTest, AnyLocksMayDiffer) {
    std::array<std::mutex, 3> locks;
    for (std::mutex &lock : locks)
        threads_.emplace_back([this, &lock] {
            const std::lock_guard<std::mutex> guard(lock);
            plc_condvar_wait_any(&condvar_, &std_mutex_ops, &lock);
        });
    wait_until_waiting(condvar_, locks.size());
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), locks.size());
    join_all();
    EXPECT_EQ(condvar_.state, 0u);
}

TEST_F(CondvarTest, AnyLockTimesOut) {
    std::mutex lock;
    const std::lock_guard<std::mutex> guard(lock);
    EXPECT_FALSE(plc_condvar_wait_any_until(&condvar_, &std_mutex_ops, &lock, plc_test::soon()));
    EXPECT_FALSE(plc_condvar_wait_any_until(&condvar_, &std_mutex_ops, &lock, plc_deadline_after_ns(-1)));
    EXPECT_EQ(condvar_.state, 0u);
}

/* ---- Stale states, as the child of a fork finds them: the word says "waiters", the queue is empty. */

TEST_F(CondvarTest, StaleStateIsClearedByNotify) {
    for (const uintptr_t stale : {address_of(mutex_), any_lock}) {
        condvar_.state = stale;
        EXPECT_FALSE(plc_condvar_notify_one(&condvar_));
        EXPECT_EQ(condvar_.state, 0u);
        condvar_.state = stale;
        EXPECT_EQ(plc_condvar_notify_all(&condvar_), 0u);
        EXPECT_EQ(condvar_.state, 0u);
    }
}

TEST_F(CondvarTest, StaleStateIsReplacedByAWaiter) {
    plc_mutex_t other = PLC_MUTEX_INIT;
    for (const uintptr_t stale : {address_of(other), any_lock}) {
        condvar_.state = stale;
        add_waiter();
        EXPECT_EQ(condvar_.state, address_of(mutex_));
        EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    }
    std::mutex lock;
    condvar_.state = address_of(mutex_);
    const std::lock_guard<std::mutex> guard(lock);
    EXPECT_FALSE(plc_condvar_wait_any_until(&condvar_, &std_mutex_ops, &lock, plc_test::soon()));
    EXPECT_EQ(condvar_.state, 0u);
}

TEST_F(CondvarTest, AnotherMutexMayBeUsedOnceNobodyWaits) {
    plc_mutex_t other = PLC_MUTEX_INIT;
    add_waiter();
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    plc_mutex_lock(&other);
    EXPECT_FALSE(plc_condvar_wait_until(&condvar_, &other, plc_test::soon()));
    plc_mutex_unlock(&other);
}

/* ---- Degradation, for the replacement of pthread */

TEST_F(CondvarTest, DegradesToAnyLockInsteadOfAborting) {
    const plc_test::OneProcessor
        here; /* where a notification under the lock would move a sleeper, if the word named it */
    std::array<plc_mutex_t, 3> mutexes = {};
    std::atomic<size_t> notified = 0;
    const auto add = [&](plc_mutex_t &mutex) {
        const size_t before = waiting_on(condvar_);
        threads_.emplace_back([&] {
            plc_condvar_request request = {};
            request.mutex = &mutex;
            request.deadline = PLC_NO_DEADLINE;
            request.degrade = true;
            plc_mutex_lock(&mutex);
            notified += plc_condvar_wait_core_(&condvar_, &request);
            EXPECT_TRUE(plc_mutex_is_locked(&mutex));
            plc_mutex_unlock(&mutex);
        });
        plc_test::wait_until_asleep(plc_lot_key(&condvar_, PLC_WAITER_CONDVAR), before + 1);
    };
    add(mutexes[0]);
    EXPECT_EQ(condvar_.state, address_of(mutexes[0]));
    add(mutexes[1]);
    EXPECT_EQ(condvar_.state, any_lock);
    add(mutexes[2]);
    add(mutexes[0]);
    plc_mutex_lock(&mutexes[0]);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_)); /* woken, not moved, even though its mutex is held */
    EXPECT_EQ(waiting_on(condvar_), 3u);
    plc_mutex_unlock(&mutexes[0]);
    EXPECT_EQ(plc_condvar_notify_all(&condvar_), 3u);
    join_all();
    EXPECT_EQ(notified, 4u);
    EXPECT_EQ(condvar_.state, 0u);
    add(mutexes[1]); /* empty in between: it starts afresh */
    EXPECT_EQ(condvar_.state, address_of(mutexes[1]));
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    join_all();
}

TEST_F(CondvarTest, SleepHooksComeInPairs) {
    struct Hooks {
        size_t begun = 0;
        size_t ended = 0;
    } hooks;
    plc_condvar_request request = {};
    request.mutex = &mutex_;
    request.deadline = plc_test::soon();
    request.wait_begin = [](void *context) { static_cast<Hooks *>(context)->begun++; };
    request.wait_end = [](void *context) {
        auto *seen = static_cast<Hooks *>(context);
        EXPECT_EQ(seen->begun, ++seen->ended);
    };
    request.hook_context = &hooks;
    plc_mutex_lock(&mutex_);
    EXPECT_FALSE(plc_condvar_wait_core_(&condvar_, &request));
    plc_mutex_unlock(&mutex_);
    EXPECT_EQ(hooks.begun, hooks.ended);
}

/* A hook that throws unwinds the wait: the thread has left the queue, holds its mutex, and if it was notified already the
   next waiter is notified in its stead. */
class UnwoundWait : public CondvarTest {
  protected:
    struct Unwinding {};

    /* Waits behind the fixture's waiters, is in the kernel when before_throw runs, and throws. */
    template <typename Before>
    void wait_and_throw(Before before_throw) {
        struct Hook {
            Before before_throw;
            bool has_thrown;
        } hook{before_throw, false};
        plc_condvar_request request = {};
        request.mutex = &mutex_;
        request.deadline = PLC_NO_DEADLINE;
        request.wait_begin = [](void *context) {
            Hook *self = static_cast<Hook *>(context);
            self->before_throw();
            throw Unwinding();
        };
        request.wait_end = [](void *) {};
        request.hook_context = &hook;
        plc_mutex_lock(&mutex_);
        EXPECT_THROW(plc_condvar_wait_core_(&condvar_, &request), Unwinding);
        EXPECT_TRUE(plc_mutex_is_locked(&mutex_));
        plc_mutex_unlock(&mutex_);
    }
};

TEST_F(UnwoundWait, LeavesTheQueue) {
    wait_and_throw([this] { EXPECT_EQ(waiting_on(condvar_), 1u); });
    EXPECT_EQ(condvar_.state, 0u);
    add_waiter();
    wait_and_throw([this] { EXPECT_EQ(waiting_on(condvar_), 2u); });
    EXPECT_EQ(waiting_on(condvar_), 1u);
    EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    join_all();
    EXPECT_EQ(condvar_.state, 0u);
}

TEST_F(UnwoundWait, PassesItsNotificationOn) {
    wait_and_throw([this] {
        add_waiter(); /* behind the one that is notified now */
        EXPECT_TRUE(plc_condvar_notify_one(&condvar_));
    });
    join_all();
    EXPECT_EQ(condvar_.state, 0u);
}

TEST_F(UnwoundWait, PassesOnWhatItWasNotifiedOfWhileItsMutexWasHeld) {
    wait_and_throw([this] {
        add_waiter();
        plc_mutex_lock(&mutex_);
        EXPECT_TRUE(plc_condvar_notify_one(&condvar_)); /* may move it; then the unlock summons it */
        plc_mutex_unlock(&mutex_);
    });
    join_all();
    EXPECT_EQ(condvar_.state, 0u);
    EXPECT_EQ(queued_for(mutex_), 0u);
}

TEST_F(UnwoundWait, LeavesACondvarAloneThatNobodyWaitsOn) {
    wait_and_throw([this] {
        EXPECT_EQ(plc_condvar_notify_all(&condvar_), 1u);
        condvar_.state = address_of(mutex_) | 2; /* no longer a condvar */
    });
    EXPECT_EQ(condvar_.state, address_of(mutex_) | 2);
    condvar_.state = 0;
}

TEST_F(CondvarTest, PreservesErrno) {
    errno = EILSEQ;
    add_waiter();
    plc_mutex_lock(&mutex_);
    plc_condvar_wait_until(&condvar_, &mutex_, plc_test::soon());
    plc_mutex_unlock(&mutex_);
    plc_condvar_notify_all(&condvar_);
    EXPECT_EQ(errno, EILSEQ);
}

/* ---- Misuse */

class CondvarDeathTest : public CondvarTest {
  protected:
    CondvarDeathTest() {
        testing::FLAGS_gtest_death_test_style = "threadsafe";
    }
};

TEST_F(CondvarDeathTest, TwoMutexesAtOnceAbort) {
    EXPECT_DEATH(
        {
            plc_mutex_t other = PLC_MUTEX_INIT;
            add_waiter();
            plc_mutex_lock(&other);
            plc_condvar_wait(&condvar_, &other);
        },
        "condvar.*while other threads wait on it with another");
}

TEST_F(CondvarDeathTest, AMutexAndAnotherLockAtOnceAbort) {
    EXPECT_DEATH(
        {
            std::mutex lock;
            add_waiter();
            lock.lock();
            plc_condvar_wait_any(&condvar_, &std_mutex_ops, &lock);
        },
        "condvar.*while other threads wait on it with another");
    EXPECT_DEATH(
        {
            std::mutex lock;
            std::thread waiter([&] {
                lock.lock();
                plc_condvar_wait_any(&condvar_, &std_mutex_ops, &lock);
            });
            wait_until_waiting(condvar_, 1);
            plc_mutex_lock(&mutex_);
            plc_condvar_wait(&condvar_, &mutex_);
        },
        "condvar.*while other threads wait on it with another");
}

TEST_F(CondvarDeathTest, WaitWithoutTheMutexAborts) {
    EXPECT_DEATH(plc_condvar_wait(&condvar_, &mutex_), "mutex.*not locked");
}

} // namespace
