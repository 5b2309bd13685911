/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deadlines of the reader-writer lock: long past, just past, never, and what a waiter that gives up leaves behind. */
#include <atomic>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <plc/rwlock.h>
#include <thread>
#include <vector>

#include "support/rwlock_peek.h"

using namespace plc_test;

namespace {

struct TimedMode {
    const char *name;
    bool (*lock_until)(plc_rwlock_t *, plc_deadline_t);
    void (*unlock)(plc_rwlock_t *);
};

const TimedMode timed_modes[] = {
    {"read", plc_rwlock_read_lock_until, plc_rwlock_read_unlock},
    {"recursive read", plc_rwlock_recursive_read_lock_until, plc_rwlock_read_unlock},
    {"upgradable", plc_rwlock_upgradable_lock_until, plc_rwlock_upgradable_unlock},
    {"write", plc_rwlock_write_lock_until, plc_rwlock_write_unlock},
};

/* Deadlines that have passed, in all the ways in which they can be written. */
const plc_deadline_t past_deadlines[] = {
    {0, PLC_CLOCK_MONOTONIC}, {-1, PLC_CLOCK_MONOTONIC}, {std::numeric_limits<int64_t>::min(), PLC_CLOCK_MONOTONIC},
    {1, PLC_CLOCK_MONOTONIC}, {0, PLC_CLOCK_REALTIME},   {-1, PLC_CLOCK_REALTIME},
    {1, PLC_CLOCK_REALTIME},
};

/* Deadlines that never come, or not in the life of this test. */
const plc_deadline_t far_deadlines[] = {
    PLC_NO_DEADLINE,
    {std::numeric_limits<int64_t>::max(), PLC_CLOCK_REALTIME},
    {std::numeric_limits<int64_t>::max() - 1, PLC_CLOCK_MONOTONIC},
    {std::numeric_limits<int64_t>::max() - 1, PLC_CLOCK_REALTIME},
    {INT64_C(4102444800) * 1000000000, PLC_CLOCK_REALTIME}, /* 2100: beyond 32-bit seconds */
};

TEST(RwlockUntilTest, AFreeLockIsTakenEvenAfterTheDeadline) {
    for (const TimedMode &mode : timed_modes) {
        for (plc_deadline_t deadline : past_deadlines) {
            plc_rwlock_t lock = PLC_RWLOCK_INIT;
            EXPECT_TRUE(mode.lock_until(&lock, deadline)) << mode.name;
            mode.unlock(&lock);
            EXPECT_EQ(word_of(lock), 0u);
        }
    }
}

TEST(RwlockUntilTest, APastDeadlineEndsTheWaitAndLeavesNoMark) {
    for (const TimedMode &mode : timed_modes) {
        for (plc_deadline_t deadline : past_deadlines) {
            plc_rwlock_t lock = PLC_RWLOCK_INIT;
            plc_rwlock_write_lock(&lock);
            EXPECT_FALSE(mode.lock_until(&lock, deadline)) << mode.name;
            EXPECT_EQ(word_of(lock), W) << mode.name;
            plc_rwlock_write_unlock(&lock);
            EXPECT_EQ(word_of(lock), 0u);
        }
    }
}

TEST(RwlockUntilTest, AnApproachingDeadlineEndsTheWait) {
    for (const TimedMode &mode : timed_modes) {
        plc_rwlock_t lock = PLC_RWLOCK_INIT;
        plc_rwlock_write_lock(&lock);
        const plc_deadline_t deadline = plc_deadline_after_ns(2000000);
        EXPECT_FALSE(mode.lock_until(&lock, deadline)) << mode.name;
        EXPECT_TRUE(plc_deadline_has_passed(deadline)) << mode.name << ": gave up too early";
        EXPECT_EQ(word_of(lock), W);
        plc_rwlock_write_unlock(&lock);
    }
}

TEST(RwlockUntilTest, AFarDeadlineWaits) {
    for (const TimedMode &mode : timed_modes) {
        for (plc_deadline_t deadline : far_deadlines) {
            plc_rwlock_t lock = PLC_RWLOCK_INIT;
            plc_rwlock_write_lock(&lock);
            bool taken = false;
            std::thread waiter([&] {
                taken = mode.lock_until(&lock, deadline);
                if (taken)
                    mode.unlock(&lock);
            });
            wait_queued(lock, 1);
            plc_rwlock_write_unlock(&lock);
            waiter.join();
            EXPECT_TRUE(taken) << mode.name;
            EXPECT_EQ(word_of(lock), 0u);
        }
    }
}

/* ---- The draining writer */

TEST(RwlockUntilTest, AWriterGivesUpOnReadersAndLeavesNoMark) {
    for (plc_deadline_t deadline : past_deadlines) {
        plc_rwlock_t lock = PLC_RWLOCK_INIT;
        plc_rwlock_read_lock(&lock);
        plc_rwlock_read_lock(&lock);
        EXPECT_FALSE(plc_rwlock_write_lock_until(&lock, deadline));
        EXPECT_EQ(word_of(lock), 2 * R);
        EXPECT_TRUE(plc_rwlock_try_read_lock(&lock));
        for (int held = 0; held < 3; ++held)
            plc_rwlock_read_unlock(&lock);
        EXPECT_EQ(word_of(lock), 0u);
    }
}

TEST(RwlockUntilTest, AWriterGivesUpOnAnUpgradableHolder) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_upgradable_lock(&lock);
    EXPECT_FALSE(plc_rwlock_write_lock_until(&lock, plc_deadline_after_ns(1000000)));
    EXPECT_FALSE(plc_rwlock_upgradable_lock_until(&lock, plc_deadline_after_ns(1000000)));
    EXPECT_TRUE(plc_rwlock_read_lock_until(&lock, plc_deadline_after_ns(0)));
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(word_of(lock), R | U);
    plc_rwlock_upgradable_unlock(&lock);
}

TEST(RwlockUntilTest, AFarDeadlineDrains) {
    for (plc_deadline_t deadline : far_deadlines) {
        plc_rwlock_t lock = PLC_RWLOCK_INIT;
        plc_rwlock_read_lock(&lock);
        bool taken = false;
        std::thread writer([&] {
            taken = plc_rwlock_write_lock_until(&lock, deadline);
            plc_rwlock_write_unlock(&lock);
        });
        wait_draining(lock);
        plc_rwlock_read_unlock(&lock);
        writer.join();
        EXPECT_TRUE(taken);
        EXPECT_EQ(word_of(lock), 0u);
    }
}

/* Has `give_up` wait with a deadline until it fails, while the main thread reads and `threads` start waiting behind
   it. The deadline is doubled until it leaves the others time to queue: the test waits for a state, not for a time. */
template <typename GiveUp, typename Other>
void expect_time_out_wakes(GiveUp give_up, uintptr_t left_behind, std::initializer_list<Other> others) {
    bool all_queued = false;
    for (int64_t patience_ns = 5000000; !all_queued; patience_ns *= 2) {
        bool seen = false;
        plc_rwlock_t lock = PLC_RWLOCK_INIT;
        plc_rwlock_read_lock(&lock);
        std::atomic<bool> gave_up{false}, finish{false};
        std::thread timed([&] { give_up(&lock, plc_deadline_after_ns(patience_ns), gave_up, finish); });
        wait_until([&] { return (word_of(lock) & W) || gave_up; });
        std::vector<std::thread> waiters;
        for (Other other : others)
            waiters.emplace_back([&lock, other] { other(&lock); });
        wait_until([&] { return (seen = queued(lock) == others.size() && (word_of(lock) & W)) || gave_up; });
        wait_until([&] { return gave_up.load(); });
        if (left_behind == 0) {
            for (std::thread &waiter : waiters)
                waiter.join(); /* although the main thread still reads: readers and an upgradable come in */
            EXPECT_EQ(word_of(lock), R);
            finish = true;
            timed.join();
        } else {
            EXPECT_EQ(word_of(lock) & left_behind, left_behind);
            waiters.front().join(); /* the reader comes in at once, the upgradable when the other one leaves */
            finish = true;
            timed.join();
            for (size_t rest = 1; rest < waiters.size(); ++rest)
                waiters[rest].join();
        }
        plc_rwlock_read_unlock(&lock);
        EXPECT_EQ(word_of(lock), 0u);
        all_queued = seen;
    }
}

void read_once(plc_rwlock_t *lock) {
    plc_rwlock_read_lock(lock);
    plc_rwlock_read_unlock(lock);
}

void upgradable_once(plc_rwlock_t *lock) {
    plc_rwlock_upgradable_lock(lock);
    plc_rwlock_upgradable_unlock(lock);
}

TEST(RwlockUntilTest, AWriterThatGivesUpWakesReadersAndUpgradables) {
    auto give_up = [](plc_rwlock_t *lock, plc_deadline_t deadline, std::atomic<bool> &gave_up, std::atomic<bool> &) {
        EXPECT_FALSE(plc_rwlock_write_lock_until(lock, deadline));
        gave_up = true;
    };
    expect_time_out_wakes(give_up, 0, {read_once, upgradable_once, read_once});
}

TEST(RwlockUntilTest, AnUpgradeThatGivesUpIsUpgradableAgainAndWakesReaders) {
    auto give_up = [](plc_rwlock_t *lock, plc_deadline_t deadline, std::atomic<bool> &gave_up,
                      std::atomic<bool> &finish) {
        plc_rwlock_upgradable_lock(lock);
        EXPECT_FALSE(plc_rwlock_upgrade_until(lock, deadline));
        gave_up = true;
        wait_until([&] { return finish.load(); });
        plc_rwlock_upgradable_unlock(lock);
    };
    expect_time_out_wakes(give_up, U, {read_once, upgradable_once});
}

/* ---- Upgrades */

TEST(RwlockUntilTest, AnUpgradeWithAPastDeadline) {
    for (plc_deadline_t deadline : past_deadlines) {
        plc_rwlock_t lock = PLC_RWLOCK_INIT;
        plc_rwlock_upgradable_lock(&lock);
        plc_rwlock_read_lock(&lock);
        EXPECT_FALSE(plc_rwlock_upgrade_until(&lock, deadline));
        EXPECT_EQ(word_of(lock), 2 * R | U);
        plc_rwlock_read_unlock(&lock);
        EXPECT_TRUE(plc_rwlock_upgrade_until(&lock, deadline)); /* nobody to wait for */
        EXPECT_EQ(word_of(lock), W);
        plc_rwlock_write_unlock(&lock);
    }
}

TEST(RwlockUntilTest, AnUpgradeWithAFarDeadline) {
    for (plc_deadline_t deadline : far_deadlines) {
        plc_rwlock_t lock = PLC_RWLOCK_INIT;
        plc_rwlock_read_lock(&lock);
        bool upgraded = false;
        std::thread upgrader([&] {
            plc_rwlock_upgradable_lock(&lock);
            upgraded = plc_rwlock_upgrade_until(&lock, deadline);
            plc_rwlock_write_unlock(&lock);
        });
        wait_draining(lock);
        plc_rwlock_read_unlock(&lock);
        upgrader.join();
        EXPECT_TRUE(upgraded);
        EXPECT_EQ(word_of(lock), 0u);
    }
}

/* ---- Neighbours in the queue */

/* The first of two to give up must not clear the mark that the other one is queued. */
TEST(RwlockUntilTest, AWaiterThatGivesUpDoesNotForgetItsNeighbour) {
    for (const TimedMode &leaver : timed_modes) {
        for (const TimedMode &stayer : timed_modes) {
            plc_rwlock_t lock = PLC_RWLOCK_INIT;
            plc_rwlock_write_lock(&lock);
            std::atomic<bool> stayed{false};
            std::thread neighbour([&] {
                stayed = stayer.lock_until(&lock, PLC_NO_DEADLINE);
                stayer.unlock(&lock);
            });
            wait_queued(lock, 1);
            EXPECT_FALSE(leaver.lock_until(&lock, plc_deadline_after_ns(0)));
            EXPECT_EQ(word_of(lock), W | Q) << leaver.name << " left " << stayer.name;
            plc_rwlock_write_unlock(&lock);
            neighbour.join();
            EXPECT_TRUE(stayed);
            EXPECT_EQ(word_of(lock), 0u);
        }
    }
}

} // namespace
