/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The mutex that is unlocked by a store until somebody queues for it: how its quiet ends, and an unlock that comes too late. */
#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <plc/condvar.h>
#include <thread>
#include <vector>

#include "support/lot_probe.h"
#include "support/stress.h"
#include "sync/mutex_quiet.h"

namespace {

using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

struct Quiet {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    uint8_t quiet = PLC_QUIET_LASTS;

    void lock() {
        plc_mutex_lock_quiet(&mutex, &quiet);
    }
    bool lock_until(plc_deadline_t deadline) {
        return plc_mutex_lock_quiet_until(&mutex, &quiet, deadline);
    }
    void unlock() {
        plc_mutex_unlock_quiet(&mutex, &quiet);
    }
    void end() {
        plc_mutex_end_quiet(&mutex, &quiet);
    }
    /* The rest of an unlock that looked at `quiet` before anybody had asked. */
    void unlock_as_if_nobody_had_asked() {
        plc_mutex_will_unlock_(&mutex);
        plc_store_release(&mutex.state, uint8_t{0});
        plc_mutex_unlocked_(&mutex);
    }
    uint8_t state() const {
        return plc_load_relaxed(&mutex.state);
    }
    int is() const {
        return plc_load_relaxed(&quiet);
    }
    void wait_until_waiting(size_t count) const {
        plc_test::wait_until_parked(&mutex, count, PLC_WAITER_MUTEX);
    }
    void expect_idle() const {
        EXPECT_EQ(state(), 0u);
        EXPECT_EQ(plc_test::parked_count(&mutex, PLC_WAITER_MUTEX), 0u);
    }
};

TEST(QuietMutex, IsZeroedMemoryAndStaysQuietWhileNobodyWaits) {
    Quiet lock;
    std::memset(static_cast<void *>(&lock), 0, sizeof lock);
    for (int i = 0; i < 3; ++i) {
        lock.lock();
        EXPECT_EQ(lock.state(), PLC_MUTEX_LOCKED_);
        std::thread([&] { EXPECT_FALSE(plc_mutex_try_lock(&lock.mutex)); }).join();
        lock.unlock();
        EXPECT_TRUE(lock.lock_until(plc_deadline_after_ns(0))) << "a free mutex is taken whatever the deadline";
        lock.unlock();
    }
    EXPECT_EQ(lock.is(), PLC_QUIET_LASTS);
    lock.expect_idle();
}

TEST(QuietMutex, EndsWithTheUnlockThatFindsAWaiter) {
    Quiet lock;
    lock.lock();
    std::thread waiter([&] {
        lock.lock();
        EXPECT_EQ(lock.is(), PLC_QUIET_OVER);
        lock.unlock();
    });
    lock.wait_until_waiting(1);
    EXPECT_EQ(lock.is(), PLC_QUIET_ASKED);
    EXPECT_EQ(lock.state(), PLC_MUTEX_LOCKED_) << "nobody sets PARKED in the quiet";
    lock.unlock();
    waiter.join();
    lock.expect_idle();
    lock.lock();
    lock.unlock();
    EXPECT_EQ(lock.is(), PLC_QUIET_OVER);
}

TEST(QuietMutex, AWaiterThatTheUnlockDidNotSeeComesByItself) {
    for (size_t waiters : {size_t{1}, size_t{3}}) {
        Quiet lock;
        size_t sections = 0;
        lock.lock();
        std::vector<std::thread> threads;
        for (size_t i = 0; i < waiters; ++i)
            threads.emplace_back([&] {
                lock.lock();
                ++sections;
                lock.unlock();
            });
        lock.wait_until_waiting(waiters);
        lock.unlock_as_if_nobody_had_asked();
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(sections, waiters);
        EXPECT_EQ(lock.is(), PLC_QUIET_OVER) << "whoever came first saw that somebody had asked";
        lock.expect_idle();
    }
}

TEST(QuietMutex, AWaiterWhoseTimeRunsOutLeavesNothingButItsRequest) {
    Quiet lock;
    lock.lock();
    for (plc_deadline_t deadline :
         {plc_deadline_after_ns(0), plc_deadline_after_ns(300000), plc_deadline_t{INT64_MIN, PLC_CLOCK_REALTIME}}) {
        std::thread([&] { EXPECT_FALSE(lock.lock_until(deadline)); }).join();
        EXPECT_EQ(lock.is(), PLC_QUIET_ASKED);
        EXPECT_EQ(lock.state(), PLC_MUTEX_LOCKED_);
        EXPECT_EQ(plc_test::parked_count(&lock.mutex, PLC_WAITER_MUTEX), 0u);
    }
    lock.unlock();
    EXPECT_EQ(lock.is(), PLC_QUIET_OVER);
    lock.expect_idle();
}

TEST(QuietMutex, ADeadlineThatIsFarAwayIsWaitedFor) {
    for (plc_clock clock : {PLC_CLOCK_MONOTONIC, PLC_CLOCK_REALTIME}) {
        Quiet lock;
        lock.lock();
        std::thread waiter([&] {
            EXPECT_TRUE(lock.lock_until(plc_deadline_t{INT64_MAX - 1, clock}));
            lock.unlock();
        });
        lock.wait_until_waiting(1);
        lock.unlock();
        waiter.join();
        lock.expect_idle();
    }
}

TEST(QuietMutex, IsEndedByItsHolderForThoseWhoWaitAndForNobody) {
    Quiet lock;
    lock.lock();
    lock.end();
    EXPECT_EQ(lock.is(), PLC_QUIET_OVER);
    EXPECT_EQ(lock.state(), PLC_MUTEX_LOCKED_);
    lock.unlock();
    lock.expect_idle();

    Quiet other;
    other.lock();
    std::thread waiter([&] {
        other.lock();
        other.unlock();
    });
    other.wait_until_waiting(1);
    other.end();
    EXPECT_EQ(other.state(), PLC_MUTEX_LOCKED_ | PLC_MUTEX_PARKED_);
    other.unlock();
    waiter.join();
    other.expect_idle();
}

/* A waiter whose deadline passes after the quiet has ended leaves as from any mutex. */
TEST(QuietMutex, ADeadlineMayPassWhenTheQuietIsOver) {
    Quiet lock;
    lock.lock();
    std::thread waiter([&] { EXPECT_FALSE(lock.lock_until(plc_deadline_after_ns(20000000))); });
    lock.wait_until_waiting(1);
    lock.end();
    waiter.join();
    EXPECT_EQ(lock.state(), PLC_MUTEX_LOCKED_);
    lock.unlock();
    lock.expect_idle();
}

TEST(QuietMutex, ServesACondvarOnceItsQuietIsOver) {
    Quiet lock;
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
    size_t turns = 0;
    run_threads(2, [&](size_t self) {
        for (size_t i = 0; i < scaled(2000); ++i) {
            lock.lock();
            while (turns % 2 != self) {
                lock.end();
                plc_condvar_wait(&condvar, &lock.mutex);
            }
            ++turns;
            plc_condvar_notify_one(&condvar);
            lock.unlock();
        }
    });
    EXPECT_EQ(turns, 2 * scaled(2000));
    lock.expect_idle();
}

/* ---- Stress: the first contention again and again, each time of a mutex that nobody has used yet */

struct Young {
    Quiet lock;
    size_t first = 0;
    size_t second = 0;
    std::atomic<size_t> users{0};

    void section() {
        EXPECT_EQ(first, second);
        ++first;
        EXPECT_TRUE(plc_mutex_is_locked(&lock.mutex));
        ++second;
    }
};

TEST(QuietMutexStress, TheFirstContentionOfManyMutexes) {
    constexpr size_t kThreads = 3;
    const size_t rounds = scaled(3000);
    std::vector<Young> mutexes(rounds);
    std::vector<size_t> sections(rounds * kThreads);
    run_threads(kThreads, [&](size_t self, Random &random) {
        for (size_t round = 0; round < rounds; ++round) {
            Young &young = mutexes[round];
            young.users++;
            while (young.users < kThreads) /* all come at once */
                std::this_thread::yield();
            for (size_t i = random.below(4) + 1; i > 0; --i) {
                const bool is_patient = random.below(4) != 0;
                if (is_patient)
                    young.lock.lock();
                else if (!young.lock.lock_until(plc_deadline_after_ns(static_cast<int64_t>(random.below(100000)))))
                    continue;
                young.section();
                sections[round * kThreads + self]++;
                for (size_t looks = random.below(300); looks > 0; --looks)
                    (void)young.lock.is();
                if (random.below(8) == 0)
                    std::this_thread::yield();
                young.lock.unlock();
            }
        }
    });
    for (size_t round = 0; round < rounds; ++round) {
        size_t expected = 0;
        for (size_t self = 0; self < kThreads; ++self)
            expected += sections[round * kThreads + self];
        ASSERT_EQ(mutexes[round].first, expected);
        ASSERT_EQ(mutexes[round].second, expected);
        mutexes[round].lock.expect_idle();
    }
}

} // namespace
