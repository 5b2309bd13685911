/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reader-writer lock: every mode against every other, every transition, too many readers, misuse. */
#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <initializer_list>
#include <plc/rwlock.h>
#include <thread>

#include "support/rwlock_holder.h"

using namespace plc_test;

namespace {

void expect_tries(plc_rwlock_t &lock, std::initializer_list<bool> expected, const char *where) {
    auto succeeds = expected.begin();
    for (Mode mode : all_modes) {
        const uintptr_t before = word_of(lock);
        const bool taken = try_lock(&lock, mode);
        EXPECT_EQ(taken, *succeeds++) << where << ", mode " << static_cast<int>(mode);
        if (taken)
            unlock(&lock, mode);
        EXPECT_EQ(word_of(lock), before) << where << ": a try leaves no mark, mode " << static_cast<int>(mode);
    }
}

TEST(RwlockTest, ZeroBytesAreAnUnlockedLock) {
    plc_rwlock_t zeroed;
    std::memset(&zeroed, 0, sizeof zeroed);
    plc_rwlock_t initialised = PLC_RWLOCK_INIT;
    EXPECT_EQ(std::memcmp(&zeroed, &initialised, sizeof zeroed), 0);
    EXPECT_EQ(sizeof zeroed, sizeof(void *));
    EXPECT_FALSE(plc_rwlock_is_locked(&zeroed));
    expect_tries(zeroed, {true, true, true, true}, "free");
}

TEST(RwlockTest, EachModeKeepsOutWhatItShould) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;

    plc_rwlock_read_lock(&lock);
    EXPECT_EQ(word_of(lock), R);
    EXPECT_TRUE(plc_rwlock_is_locked(&lock));
    EXPECT_FALSE(plc_rwlock_is_write_locked(&lock));
    expect_tries(lock, {true, true, true, false}, "read");
    plc_rwlock_read_unlock(&lock);

    plc_rwlock_upgradable_lock(&lock);
    EXPECT_EQ(word_of(lock), R | U);
    EXPECT_TRUE(plc_rwlock_is_locked(&lock));
    EXPECT_FALSE(plc_rwlock_is_write_locked(&lock));
    expect_tries(lock, {true, true, false, false}, "upgradable");
    plc_rwlock_upgradable_unlock(&lock);

    plc_rwlock_write_lock(&lock);
    EXPECT_EQ(word_of(lock), W);
    EXPECT_TRUE(plc_rwlock_is_locked(&lock));
    EXPECT_TRUE(plc_rwlock_is_write_locked(&lock));
    expect_tries(lock, {false, false, false, false}, "write");
    plc_rwlock_write_unlock(&lock);
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(RwlockTest, AWaitingWriterKeepsAllOutButRecursiveReaders) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_read_lock(&lock);
    Holder writer(lock, Mode::write);
    wait_draining(lock);
    EXPECT_FALSE(plc_rwlock_is_write_locked(&lock)); /* not yet */
    expect_tries(lock, {false, true, false, false}, "draining");
    plc_rwlock_recursive_read_lock(&lock);
    EXPECT_EQ(word_of(lock), 2 * R | W | D);
    plc_rwlock_read_unlock(&lock);
    EXPECT_FALSE(writer.has_it());
    plc_rwlock_read_unlock(&lock);
    writer.wait_for_it();
    EXPECT_EQ(word_of(lock), W);
    expect_tries(lock, {false, false, false, false}, "drained");
    writer.release();
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(RwlockTest, TransitionsWithoutOthers) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_upgrade(&lock);
    EXPECT_EQ(word_of(lock), W);
    plc_rwlock_downgrade_to_upgradable(&lock);
    EXPECT_EQ(word_of(lock), R | U);
    EXPECT_TRUE(plc_rwlock_try_upgrade(&lock));
    EXPECT_EQ(word_of(lock), W);
    plc_rwlock_downgrade(&lock);
    EXPECT_EQ(word_of(lock), R);
    plc_rwlock_read_unlock_fair(&lock);
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_downgrade_upgradable(&lock);
    EXPECT_EQ(word_of(lock), R);
    plc_rwlock_read_unlock(&lock);
    plc_rwlock_upgradable_lock(&lock);
    EXPECT_TRUE(plc_rwlock_upgrade_until(&lock, PLC_NO_DEADLINE));
    plc_rwlock_write_unlock_fair(&lock);
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_upgradable_unlock_fair(&lock);
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(RwlockTest, TransitionsAmongReaders) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_read_lock(&lock);
    plc_rwlock_read_lock(&lock);
    plc_rwlock_upgradable_lock(&lock);
    EXPECT_EQ(word_of(lock), 3 * R | U);
    EXPECT_FALSE(plc_rwlock_try_upgrade(&lock));
    EXPECT_EQ(word_of(lock), 3 * R | U);
    plc_rwlock_downgrade_upgradable(&lock);
    EXPECT_EQ(word_of(lock), 3 * R);
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_upgradable_unlock(&lock);
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_upgradable_unlock_fair(&lock);
    plc_rwlock_read_unlock(&lock);
    plc_rwlock_read_unlock(&lock);
    plc_rwlock_read_unlock_fair(&lock);
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(RwlockTest, AnUpgradeWaitsForTheReadersAndKeepsNewOnesOut) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_read_lock(&lock);
    plc_rwlock_read_lock(&lock);
    std::atomic<bool> upgraded{false};
    std::thread upgrader([&] {
        plc_rwlock_upgradable_lock(&lock);
        plc_rwlock_upgrade(&lock);
        upgraded = true;
        plc_rwlock_write_unlock(&lock);
    });
    wait_draining(lock);
    EXPECT_EQ(word_of(lock), 2 * R | W | D);
    Holder writer(lock, Mode::write); /* nobody comes between an upgradable holder and its upgrade */
    wait_queued(lock, 1);
    plc_rwlock_read_unlock(&lock);
    EXPECT_FALSE(upgraded);
    plc_rwlock_read_unlock(&lock);
    writer.wait_for_it();
    EXPECT_TRUE(upgraded);
    upgrader.join();
    writer.release();
    EXPECT_EQ(word_of(lock), 0u);
}

/* ---- Recursive reading */

TEST(RwlockTest, ARecursiveReaderPassesAWaitingWriter) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_read_lock(&lock);
    Holder writer(lock, Mode::write);
    wait_draining(lock);
    plc_rwlock_recursive_read_lock(&lock);
    EXPECT_TRUE(plc_rwlock_try_recursive_read_lock(&lock));
    EXPECT_TRUE(plc_rwlock_recursive_read_lock_until(&lock, PLC_NO_DEADLINE));
    EXPECT_FALSE(writer.has_it());
    for (int held = 0; held < 4; ++held)
        plc_rwlock_read_unlock(&lock);
    writer.wait_for_it();
}

TEST(RwlockTest, ARecursiveReaderWaitsForAnActiveWriter) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_write_lock(&lock);
    auto waiters = queue_up(lock, {Mode::recursive_read});
    EXPECT_FALSE(waiters[0]->has_it());
    plc_rwlock_write_unlock(&lock);
    waiters[0]->wait_for_it();
}

/* ---- Too many readers */

TEST(RwlockTest, TryFailsWhenThereAreTooManyReaders) {
    plc_rwlock_t lock = {PLC_RWLOCK_FULL_ - R};
    EXPECT_TRUE(plc_rwlock_try_read_lock(&lock)); /* the last one */
    EXPECT_EQ(word_of(lock), PLC_RWLOCK_FULL_);
    EXPECT_FALSE(plc_rwlock_try_read_lock(&lock));
    EXPECT_FALSE(plc_rwlock_try_recursive_read_lock(&lock));
    EXPECT_FALSE(plc_rwlock_read_lock_until(&lock, PLC_NO_DEADLINE));
    EXPECT_FALSE(plc_rwlock_recursive_read_lock_until(&lock, PLC_NO_DEADLINE));
    EXPECT_FALSE(plc_rwlock_try_write_lock(&lock));
    EXPECT_EQ(word_of(lock), PLC_RWLOCK_FULL_);
    plc_rwlock_upgradable_lock(&lock); /* never refused */
    EXPECT_EQ(word_of(lock), (PLC_RWLOCK_FULL_ + R) | U);
    plc_rwlock_upgradable_unlock(&lock);
    plc_rwlock_read_unlock(&lock);
    EXPECT_TRUE(plc_rwlock_try_read_lock(&lock));
}

TEST(RwlockDeathTest, LockAbortsWhenThereAreTooManyReaders) {
    plc_rwlock_t lock = {PLC_RWLOCK_FULL_};
    EXPECT_DEATH(plc_rwlock_read_lock(&lock), "rwlock.*too many readers");
    EXPECT_DEATH(plc_rwlock_recursive_read_lock(&lock), "rwlock.*too many readers");
}

/* ---- Misuse */

TEST(RwlockDeathTest, GivingUpWhatNobodyHolds) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    EXPECT_DEATH(plc_rwlock_read_unlock(&lock), "rwlock.*not locked for reading");
    EXPECT_DEATH(plc_rwlock_write_unlock(&lock), "rwlock.*not locked for writing");
    EXPECT_DEATH(plc_rwlock_write_unlock_fair(&lock), "rwlock.*not locked for writing");
    EXPECT_DEATH(plc_rwlock_downgrade(&lock), "rwlock.*not locked for writing");
    EXPECT_DEATH(plc_rwlock_downgrade_to_upgradable(&lock), "rwlock.*not locked for writing");
    EXPECT_DEATH(plc_rwlock_upgradable_unlock(&lock), "rwlock.*nobody holds upgradably");
    EXPECT_DEATH(plc_rwlock_upgradable_unlock_fair(&lock), "rwlock.*nobody holds upgradably");
    EXPECT_DEATH(plc_rwlock_downgrade_upgradable(&lock), "rwlock.*nobody holds upgradably");
    EXPECT_DEATH(plc_rwlock_upgrade(&lock), "rwlock.*nobody holds upgradably");
    EXPECT_DEATH(plc_rwlock_upgrade_until(&lock, PLC_NO_DEADLINE), "rwlock.*nobody holds upgradably");
    plc_rwlock_write_lock(&lock);
    EXPECT_DEATH(plc_rwlock_read_unlock(&lock), "rwlock.*not locked for reading");
    plc_rwlock_downgrade(&lock);
    EXPECT_DEATH(plc_rwlock_write_unlock(&lock), "rwlock.*not locked for writing");
    EXPECT_DEATH(plc_rwlock_upgradable_unlock(&lock), "rwlock.*nobody holds upgradably");
}

} // namespace
