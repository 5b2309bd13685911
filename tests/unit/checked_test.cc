/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PLC_CHECKED builds: each mistake aborts with a message that names it, and correct programs run as ever. */
#ifndef PLC_CHECKED
#define PLC_CHECKED 1
#endif
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <plc/condvar.h>
#include <plc/mutex.h>
#include <plc/rwlock.h>
#include <plc/rwlock_scalable.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "support/lot_probe.h"
#include "support/unchecked.h"

namespace {

#define MUTEX_SAYS "libplc: mutex 0x[0-9a-f]+: thread [0-9]+: "
#define RWLOCK_SAYS "libplc: rwlock 0x[0-9a-f]+: thread [0-9]+: "
#define FOR_EVER "would wait for itself for ever"

class CheckedDeathTest : public testing::Test {
  protected:
    void SetUp() override {
        GTEST_FLAG_SET(death_test_style, "threadsafe");
    }
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
};

template <typename Body>
void in_another_thread(Body body) {
    std::thread(body).join();
}

/* ---- A mutex */

TEST_F(CheckedDeathTest, RelockOfAMutex) {
    plc_mutex_lock(&mutex);
    EXPECT_DEATH(plc_mutex_lock(&mutex), MUTEX_SAYS "locks exclusively what it already holds exclusively.*" FOR_EVER);
    plc_mutex_unlock(&mutex);
    ASSERT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_DEATH(plc_mutex_lock(&mutex), FOR_EVER);
    plc_mutex_unlock_fair(&mutex);
    ASSERT_TRUE(plc_mutex_lock_until(&mutex, PLC_NO_DEADLINE));
    EXPECT_DEATH(plc_mutex_lock(&mutex), FOR_EVER);
    plc_mutex_unlock(&mutex);
}

TEST_F(CheckedDeathTest, UnlockOfAMutexThatNobodyHolds) {
    EXPECT_DEATH(plc_mutex_unlock(&mutex), MUTEX_SAYS "unlock of a mutex that is not locked");
    plc_mutex_lock(&mutex);
    plc_mutex_unlock(&mutex);
    EXPECT_DEATH(plc_mutex_unlock(&mutex), MUTEX_SAYS "unlock of a mutex that is not locked");
}

TEST_F(CheckedDeathTest, UnlockOfAnotherThreadsMutex) {
    const auto unlock_what_another_holds = [this](void (*unlock)(plc_mutex_t *)) {
        plc_mutex_lock(&mutex);
        in_another_thread([this, unlock] { unlock(&mutex); });
    };
    EXPECT_DEATH(unlock_what_another_holds([](plc_mutex_t *m) { plc_mutex_unlock(m); }),
                 MUTEX_SAYS "unlocks what thread [0-9]+ holds exclusively");
    EXPECT_DEATH(unlock_what_another_holds([](plc_mutex_t *m) { plc_mutex_unlock_fair(m); }),
                 MUTEX_SAYS "unlocks what thread [0-9]+ holds exclusively");
}

TEST_F(CheckedDeathTest, RelockAfterABump) {
    plc_mutex_lock(&mutex);
    std::thread waiter([this] {
        plc_mutex_lock(&mutex);
        plc_mutex_unlock(&mutex);
    });
    plc_test::wait_until_parked(&mutex, 1, PLC_WAITER_MUTEX);
    plc_mutex_bump(&mutex);
    waiter.join();
    EXPECT_DEATH(plc_mutex_lock(&mutex), FOR_EVER);
    plc_mutex_unlock(&mutex);
}

/* ---- A condition variable */

TEST_F(CheckedDeathTest, WaitWithoutTheMutex) {
    EXPECT_DEATH(plc_condvar_wait(&condvar, &mutex), MUTEX_SAYS "unlock of a mutex that is not locked");
    EXPECT_DEATH(
        {
            plc_mutex_lock(&mutex);
            in_another_thread([this] { plc_condvar_wait_until(&condvar, &mutex, plc_deadline_after_ns(0)); });
        },
        MUTEX_SAYS "unlocks what thread [0-9]+ holds exclusively");
}

TEST_F(CheckedDeathTest, TheMutexIsHeldAgainAfterAWait) {
    bool notified = false;
    plc_mutex_lock(&mutex);
    std::thread notifier([&] {
        plc_mutex_lock(&mutex);
        notified = true;
        plc_condvar_notify_one(&condvar);
        plc_mutex_unlock(&mutex);
    });
    while (!notified)
        plc_condvar_wait(&condvar, &mutex);
    notifier.join();
    EXPECT_DEATH(plc_mutex_lock(&mutex), FOR_EVER);
    plc_mutex_unlock(&mutex);
}

/* ---- A reader-writer lock */

TEST_F(CheckedDeathTest, RelockOfAWriteLock) {
    plc_rwlock_write_lock(&lock);
    EXPECT_DEATH(plc_rwlock_write_lock(&lock), RWLOCK_SAYS "locks exclusively what it already holds exclusively");
    EXPECT_DEATH(plc_rwlock_read_lock(&lock), RWLOCK_SAYS "locks for reading what it already holds exclusively");
    EXPECT_DEATH(plc_rwlock_recursive_read_lock(&lock), RWLOCK_SAYS "locks for reading what .* exclusively");
    EXPECT_DEATH(plc_rwlock_upgradable_lock(&lock), RWLOCK_SAYS "locks upgradably what it already holds exclusively");
    plc_rwlock_write_unlock(&lock);
}

TEST_F(CheckedDeathTest, RelockOfAReadLock) {
    plc_rwlock_read_lock(&lock);
    EXPECT_DEATH(plc_rwlock_write_lock(&lock), RWLOCK_SAYS "locks exclusively what .* for reading.*" FOR_EVER);
    EXPECT_DEATH(plc_rwlock_read_lock(&lock), RWLOCK_SAYS "locks for reading what .* for reading, and a writer");
    EXPECT_DEATH(plc_rwlock_upgradable_lock(&lock), RWLOCK_SAYS "locks upgradably what .* for reading, and a writer");
    plc_rwlock_recursive_read_lock(&lock);
    plc_rwlock_read_unlock(&lock);
    EXPECT_DEATH(plc_rwlock_write_lock(&lock), FOR_EVER) << "one of two holds is left";
    plc_rwlock_read_unlock(&lock);
    plc_rwlock_write_lock(&lock);
    plc_rwlock_write_unlock(&lock);
}

TEST_F(CheckedDeathTest, RelockOfAnUpgradableLock) {
    plc_rwlock_upgradable_lock(&lock);
    EXPECT_DEATH(plc_rwlock_write_lock(&lock), RWLOCK_SAYS "locks exclusively what it already holds upgradably");
    EXPECT_DEATH(plc_rwlock_upgradable_lock(&lock), RWLOCK_SAYS "locks upgradably what it already holds upgradably");
    plc_rwlock_upgrade(&lock);
    EXPECT_DEATH(plc_rwlock_read_lock(&lock), RWLOCK_SAYS "locks for reading what it already holds exclusively");
    plc_rwlock_downgrade_to_upgradable(&lock);
    EXPECT_DEATH(plc_rwlock_upgradable_lock(&lock), RWLOCK_SAYS "locks upgradably what it already holds upgradably");
    plc_rwlock_downgrade_upgradable(&lock);
    EXPECT_DEATH(plc_rwlock_read_lock(&lock), RWLOCK_SAYS "locks for reading what it already holds for reading");
    plc_rwlock_read_unlock(&lock);
}

TEST_F(CheckedDeathTest, UnlockInAnotherMode) {
    plc_rwlock_read_lock(&lock);
    EXPECT_DEATH(plc_rwlock_write_unlock(&lock),
                 RWLOCK_SAYS "unlocks as if held exclusively what it holds for reading");
    EXPECT_DEATH(plc_rwlock_upgradable_unlock(&lock),
                 RWLOCK_SAYS "unlocks as if held upgradably what it holds for reading");
    plc_rwlock_read_unlock(&lock);
    plc_rwlock_write_lock(&lock);
    EXPECT_DEATH(plc_rwlock_read_unlock(&lock), RWLOCK_SAYS "unlocks as if held for reading what it holds exclusively");
    plc_rwlock_downgrade(&lock);
    EXPECT_DEATH(plc_rwlock_write_unlock(&lock),
                 RWLOCK_SAYS "unlocks as if held exclusively what it holds for reading");
    plc_rwlock_read_unlock(&lock);
}

TEST_F(CheckedDeathTest, UnlockOfAnotherThreadsRwlock) {
    EXPECT_DEATH(
        {
            plc_rwlock_write_lock(&lock);
            in_another_thread([this] { plc_rwlock_write_unlock(&lock); });
        },
        RWLOCK_SAYS "unlocks what thread [0-9]+ holds exclusively");
    EXPECT_DEATH(
        {
            plc_rwlock_read_lock(&lock);
            in_another_thread([this] { plc_rwlock_read_unlock(&lock); });
        },
        RWLOCK_SAYS "unlocks what thread [0-9]+ holds for reading");
    EXPECT_DEATH(
        {
            plc_rwlock_upgradable_lock(&lock);
            in_another_thread([this] { plc_rwlock_upgradable_unlock(&lock); });
        },
        RWLOCK_SAYS "unlocks what thread [0-9]+ holds upgradably");
}

/* ---- No false reports */

class Checked : public CheckedDeathTest {};

TEST_F(Checked, LocksThatUncheckedCodeTookMayBeGivenBack) {
    plc_test::unchecked_mutex_lock(&mutex);
    plc_mutex_unlock(&mutex);
    plc_test::unchecked_read_lock(&lock);
    plc_rwlock_read_unlock(&lock);
    plc_test::unchecked_write_lock(&lock);
    plc_rwlock_write_unlock(&lock);
    plc_test::unchecked_upgradable_lock(&lock);
    plc_rwlock_upgradable_unlock(&lock);
    EXPECT_FALSE(plc_mutex_is_locked(&mutex));
    EXPECT_FALSE(plc_rwlock_is_locked(&lock));
}

TEST_F(Checked, ReadersWhomUncheckedCodeLetInMayLeaveBesideOthers) {
    std::atomic<int> stage{0};
    std::thread checked_reader([&] {
        plc_rwlock_read_lock(&lock);
        stage = 1;
        while (stage.load() != 2)
            std::this_thread::yield();
        plc_rwlock_read_unlock(&lock);
    });
    while (stage.load() != 1)
        std::this_thread::yield();
    plc_test::unchecked_read_lock(&lock);
    plc_rwlock_read_unlock(&lock);
    plc_test::unchecked_upgradable_lock(&lock);
    plc_rwlock_upgradable_unlock(&lock);
    stage = 2;
    checked_reader.join();
    EXPECT_FALSE(plc_rwlock_is_locked(&lock));
}

TEST_F(Checked, WhatUncheckedCodeGaveBackMayBeTakenAgain) {
    plc_mutex_lock(&mutex);
    plc_test::unchecked_mutex_unlock(&mutex);
    plc_mutex_lock(&mutex);
    plc_test::unchecked_mutex_unlock(&mutex);
    in_another_thread([this] {
        plc_mutex_lock(&mutex);
        plc_mutex_unlock(&mutex);
    });
    plc_rwlock_write_lock(&lock);
    plc_test::unchecked_write_unlock(&lock);
    plc_rwlock_read_lock(&lock);
    plc_rwlock_read_unlock(&lock);
}

/* Memory that is freed with a held lock in it, and used again for another. */
TEST_F(Checked, ReusedMemoryStartsAnew) {
    alignas(plc_rwlock_t) unsigned char memory[sizeof(plc_rwlock_t)] = {};
    auto *first = new (memory) plc_mutex_t{};
    plc_mutex_lock(first);
    memory[0] = 0;
    auto *second = new (memory) plc_mutex_t{};
    plc_mutex_lock(second);
    in_another_thread([&memory] {
        memory[0] = 0;
        auto *third = new (memory) plc_mutex_t{};
        plc_mutex_lock(third);
        plc_mutex_unlock(third);
    });
}

TEST_F(Checked, ALockMayWanderThroughManyThreads) {
    for (int i = 0; i < 200; ++i) {
        in_another_thread([this] {
            plc_mutex_lock(&mutex);
            plc_mutex_unlock(&mutex);
            plc_rwlock_read_lock(&lock);
            plc_rwlock_read_unlock(&lock);
        });
    }
}

TEST_F(Checked, TryAndUntilOfAHeldMutexFailQuietly) {
    plc_mutex_lock(&mutex);
    EXPECT_FALSE(plc_mutex_try_lock(&mutex));
    EXPECT_FALSE(plc_mutex_lock_until(&mutex, plc_deadline_after_ns(0)));
    plc_mutex_unlock(&mutex);
}

TEST_F(Checked, HoldsMoreLocksThanTheStaticTableHasRoomFor) {
    constexpr size_t count = 20'000;
    const auto locks = std::make_unique<plc_mutex_t[]>(count);
    for (int round = 0; round < 2; ++round) {
        for (size_t i = 0; i < count; ++i)
            plc_mutex_lock(&locks[i]);
        for (size_t i = count; i-- > 0;)
            plc_mutex_unlock(&locks[i]);
    }
    plc_mutex_lock(&locks[count - 1]);
    EXPECT_DEATH(plc_mutex_lock(&locks[count - 1]), FOR_EVER);
    plc_mutex_unlock(&locks[count - 1]);
}

TEST_F(Checked, ThreadsDoNotDisturbEachOther) {
    constexpr int threads = 4;
    constexpr int rounds = 5000;
    plc_mutex_t mutexes[8] = {};
    long sums[8] = {};
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t) {
        all.emplace_back([&, t] {
            for (int i = 0; i < rounds; ++i) {
                const int which = (i * 5 + t) % 8;
                plc_mutex_lock(&mutexes[which]);
                ++sums[which];
                if (i % 16 == 0)
                    plc_mutex_bump(&mutexes[which]);
                plc_mutex_unlock(&mutexes[which]);
                plc_rwlock_read_lock(&lock);
                plc_rwlock_read_unlock(&lock);
                if (i % 64 == 0) {
                    plc_rwlock_upgradable_lock(&lock);
                    plc_rwlock_upgrade(&lock);
                    plc_rwlock_downgrade(&lock);
                    plc_rwlock_read_unlock(&lock);
                }
            }
        });
    }
    for (std::thread &thread : all)
        thread.join();
    long total = 0;
    for (const long sum : sums)
        total += sum;
    EXPECT_EQ(total, static_cast<long>(threads) * rounds);
}

/* In the child nobody knows any holder: what was held may be given back, and mistakes made there are seen. */
TEST_F(Checked, TheChildOfAForkStartsAnew) {
    plc_mutex_lock(&mutex);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        plc_mutex_unlock(&mutex);
        plc_mutex_lock(&mutex);
        plc_mutex_unlock(&mutex);
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_DEATH(plc_mutex_lock(&mutex), FOR_EVER) << "the parent still knows";
    plc_mutex_unlock(&mutex);
    EXPECT_EXIT(
        {
            if (fork() == 0) {
                plc_mutex_lock(&mutex);
                plc_mutex_lock(&mutex);
            }
            int child_status = 0;
            wait(&child_status);
            exit(WIFSIGNALED(child_status) && WTERMSIG(child_status) == SIGABRT ? 0 : 1);
        },
        testing::ExitedWithCode(0), FOR_EVER);
}

TEST_F(Checked, PreservesErrno) {
    errno = 4242;
    plc_mutex_lock(&mutex);
    plc_mutex_unlock(&mutex);
    plc_rwlock_read_lock(&lock);
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(errno, 4242);
}

/* ---- A scalable reader-writer lock: whether its readers are in the table or in the word */

#define SCALABLE_SAYS "libplc: rwlock_scalable 0x[0-9a-f]+: thread [0-9]+: "

TEST_F(CheckedDeathTest, MistakesWithAScalableLock) {
    plc_rwlock_scalable_t scalable = PLC_RWLOCK_SCALABLE_INIT;
    for (int round = 0; round < 2; ++round) { /* the first reads by the word, the second by the table */
        plc_rwlock_scalable_read_lock(&scalable);
        EXPECT_DEATH(plc_rwlock_scalable_read_lock(&scalable), SCALABLE_SAYS
                     "locks for reading what it already holds for reading.*a writer that comes in between");
        EXPECT_DEATH(plc_rwlock_scalable_write_lock(&scalable),
                     SCALABLE_SAYS "locks exclusively what it already holds for reading.*" FOR_EVER);
        EXPECT_DEATH(plc_rwlock_scalable_write_unlock(&scalable), SCALABLE_SAYS "unlocks as if held exclusively");
        const auto unlock_elsewhere = [&] { in_another_thread([&] { plc_rwlock_scalable_read_unlock(&scalable); }); };
        EXPECT_DEATH(unlock_elsewhere(), SCALABLE_SAYS "unlocks what thread [0-9]+ holds for reading");
        plc_rwlock_scalable_read_unlock(&scalable);
    }
    plc_rwlock_scalable_write_lock(&scalable);
    EXPECT_DEATH(plc_rwlock_scalable_write_lock(&scalable),
                 SCALABLE_SAYS "locks exclusively what it already holds exclusively.*" FOR_EVER);
    plc_rwlock_scalable_downgrade(&scalable);
    EXPECT_DEATH(plc_rwlock_scalable_write_unlock(&scalable), SCALABLE_SAYS "unlocks as if held exclusively");
    plc_rwlock_scalable_read_unlock(&scalable);
    ASSERT_TRUE(plc_rwlock_scalable_try_write_lock(&scalable));
    plc_rwlock_scalable_write_unlock(&scalable);
}

} // namespace
