/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a release does for the queue of the reader-writer lock, whatever the first in it is doing just then. */
#include <gtest/gtest.h>
#include <plc/rwlock.h>

#include "support/fake_waiter.h"
#include "support/rwlock_holder.h"

using namespace plc_test;

namespace {

constexpr uintptr_t shares[] = {R, R | U, W};
constexpr plc_rwlock_phase naps = PLC_RWLOCK_NAPS;

/* ---- The first is asleep */

TEST(RwlockQueueTest, OneThatSleepsIsSummonedAndStaysInTheQueue) {
    for (uintptr_t share : shares) {
        plc_rwlock_t lock = {W | Q};
        FakeWaiter waiter(lock, share, PLC_WAITER_QUEUED, Summoned::never);
        plc_rwlock_write_unlock(&lock);
        EXPECT_EQ(word_of(lock), Q);
        EXPECT_EQ(waiter.state(), PLC_WAITER_SUMMONED);
        EXPECT_TRUE(waiter.was_summoned());
        EXPECT_TRUE(waiter.was_woken());
        EXPECT_FALSE(waiter.was_handed_over());
        EXPECT_EQ(queued(lock), 1u);
    }
}

/* It was summoned before and beaten: what counts is the first time. */
TEST(RwlockQueueTest, OneThatSleepsAndWasSummonedASliceAgoIsHandedTheLock) {
    for (uintptr_t share : shares) {
        plc_rwlock_t lock = {W | Q};
        FakeWaiter waiter(lock, share, PLC_WAITER_QUEUED, Summoned::a_slice_ago);
        plc_rwlock_write_unlock(&lock);
        EXPECT_EQ(word_of(lock), share);
        EXPECT_EQ(waiter.state(), PLC_WAITER_DEQUEUED);
        EXPECT_TRUE(waiter.was_woken());
        EXPECT_TRUE(waiter.was_handed_over());
        EXPECT_EQ(queued(lock), 0u);
    }
}

/* ---- The first is on its way */

TEST(RwlockQueueTest, OneThatIsOnItsWayIsWaitedFor) {
    for (uintptr_t share : shares) {
        plc_rwlock_t lock = {W | Q};
        FakeWaiter waiter(lock, share, PLC_WAITER_SUMMONED, Summoned::just_now);
        plc_rwlock_write_unlock(&lock);
        EXPECT_EQ(word_of(lock), Q);
        EXPECT_EQ(waiter.state(), PLC_WAITER_SUMMONED);
        EXPECT_FALSE(waiter.was_woken());
    }
}

TEST(RwlockQueueTest, OneThatIsStuckIsHandedTheLockAndComesAnyway) {
    for (uintptr_t share : shares) {
        plc_rwlock_t lock = {W | Q};
        FakeWaiter waiter(lock, share, PLC_WAITER_SUMMONED, Summoned::a_slice_ago);
        plc_rwlock_write_unlock(&lock);
        EXPECT_EQ(word_of(lock), share);
        EXPECT_EQ(waiter.state(), PLC_WAITER_DEQUEUED);
        EXPECT_FALSE(waiter.was_woken());
    }
}

TEST(RwlockQueueTest, AnUpgradableHolderHandsOverToOneThatIsStuckToo) {
    for (uintptr_t share : {R | U, W}) {
        plc_rwlock_t lock = {2 * R | U | Q};
        FakeWaiter waiter(lock, share, PLC_WAITER_SUMMONED, Summoned::a_slice_ago);
        plc_rwlock_upgradable_unlock(&lock);
        EXPECT_EQ(word_of(lock), R + share);
        EXPECT_EQ(waiter.state(), PLC_WAITER_DEQUEUED);
    }
}

TEST(RwlockQueueTest, AFairReleaseDoesNotWaitForAnybody) {
    for (uintptr_t share : shares) {
        plc_rwlock_t lock = {W | Q};
        FakeWaiter waiter(lock, share, PLC_WAITER_SUMMONED, Summoned::just_now);
        plc_rwlock_write_unlock_fair(&lock);
        EXPECT_EQ(word_of(lock), share);
        EXPECT_EQ(waiter.state(), PLC_WAITER_DEQUEUED);
        EXPECT_FALSE(waiter.was_woken());
    }
}

/* ---- The first naps */

TEST(RwlockQueueTest, OneThatNapsIsLeftAlone) {
    for (uintptr_t share : shares) {
        plc_rwlock_t lock = {W | H};
        FakeWaiter waiter(lock, share, PLC_WAITER_SUMMONED, Summoned::a_slice_ago, naps);
        plc_rwlock_write_unlock(&lock);
        EXPECT_EQ(word_of(lock), H);
        EXPECT_EQ(waiter.state(), PLC_WAITER_SUMMONED);
        EXPECT_FALSE(waiter.was_woken());
    }
}

TEST(RwlockQueueTest, AFairReleaseWakesOneThatNaps) {
    for (uintptr_t share : shares) {
        plc_rwlock_t lock = {W | H};
        FakeWaiter waiter(lock, share, PLC_WAITER_SUMMONED, Summoned::just_now, naps);
        plc_rwlock_write_unlock_fair(&lock);
        EXPECT_EQ(word_of(lock), share);
        EXPECT_EQ(waiter.state(), PLC_WAITER_DEQUEUED);
        EXPECT_TRUE(waiter.was_woken());
        EXPECT_TRUE(waiter.was_handed_over());
    }
}

TEST(RwlockQueueTest, ABumpWakesOneThatNaps) {
    plc_rwlock_t lock = {W | H};
    FakeWaiter waiter(lock, R, PLC_WAITER_SUMMONED, Summoned::just_now, naps);
    std::thread other([&] {
        wait_draining(lock); /* the bumping thread has handed over, and is the writer that waits for the reader */
        plc_rwlock_read_unlock(&lock);
    });
    plc_rwlock_write_bump(&lock);
    other.join();
    EXPECT_TRUE(waiter.was_handed_over());
    EXPECT_EQ(word_of(lock), W);
}

/* A writer naps in front, and looks after itself; nobody else looks after the readers that a downgrade lets in. */
TEST(RwlockQueueTest, ADowngradeLetsReadersInBehindAWriterThatNaps) {
    plc_rwlock_t lock = {W | H};
    FakeWaiter writer(lock, W, PLC_WAITER_SUMMONED, Summoned::just_now, naps);
    FakeWaiter reader(lock, R, PLC_WAITER_QUEUED, Summoned::never);
    plc_rwlock_downgrade_to_upgradable(&lock);
    EXPECT_EQ(word_of(lock), R | U | H);
    EXPECT_FALSE(writer.was_woken());
    EXPECT_EQ(reader.state(), PLC_WAITER_SUMMONED);
    EXPECT_TRUE(reader.was_woken());
}

TEST(RwlockQueueTest, OneThatJoinsOrGivesUpBehindANapLeavesItsMark) {
    plc_rwlock_t lock = {W | H};
    FakeWaiter first(lock, R | U, PLC_WAITER_SUMMONED, Summoned::just_now, naps);
    EXPECT_FALSE(plc_rwlock_write_lock_until(&lock, plc_deadline_after_ns(0)));
    EXPECT_EQ(word_of(lock), W | H);
    Holder writer(lock, Mode::write);
    wait_queued(lock, 2);
    EXPECT_EQ(word_of(lock), W | H);
    plc_rwlock_write_unlock_fair(&lock); /* to the one that naps: the writer is next */
    EXPECT_EQ(word_of(lock), R | U | Q);
    plc_rwlock_upgradable_unlock(&lock);
    writer.wait_for_it();
    writer.release();
    EXPECT_EQ(word_of(lock), 0u);
}

/* ---- Those behind the first */

TEST(RwlockQueueTest, WhoeverIsInTurnWithOneThatIsStuckIsHandedTheLockToo) {
    plc_rwlock_t lock = {W | Q};
    FakeWaiter stuck(lock, R, PLC_WAITER_SUMMONED, Summoned::a_slice_ago);
    FakeWaiter beaten(lock, R, PLC_WAITER_QUEUED, Summoned::just_now);
    FakeWaiter comes(lock, W, PLC_WAITER_SUMMONED, Summoned::just_now);
    FakeWaiter next(lock, R, PLC_WAITER_QUEUED, Summoned::never);
    plc_rwlock_write_unlock(&lock);
    EXPECT_EQ(word_of(lock), 2 * R | W | Q);
    EXPECT_FALSE(stuck.was_woken());
    EXPECT_TRUE(beaten.was_handed_over());
    EXPECT_EQ(comes.state(), PLC_WAITER_DEQUEUED);
    EXPECT_FALSE(comes.was_woken());
    EXPECT_EQ(next.state(), PLC_WAITER_QUEUED);
    EXPECT_FALSE(next.was_woken());
}

/* It keeps its seniority, but the first has not had its slice yet. */
TEST(RwlockQueueTest, OneBehindTheFirstIsNotHandedTheLockAheadOfIt) {
    plc_rwlock_t lock = {W | Q};
    FakeWaiter first(lock, W, PLC_WAITER_SUMMONED, Summoned::just_now);
    FakeWaiter second(lock, R, PLC_WAITER_QUEUED, Summoned::a_slice_ago);
    plc_rwlock_write_unlock(&lock);
    EXPECT_EQ(word_of(lock), Q);
    EXPECT_EQ(second.state(), PLC_WAITER_QUEUED);
    EXPECT_FALSE(second.was_woken());
}

/* A reader that was beaten sleeps behind the first, which gets the lock as a reader: nobody would wake that one later,
   for read unlocks do not look into the queue. */
TEST(RwlockQueueTest, AFirstThatGetsInSummonsWhoeverElseMayComeIn) {
    for (Mode mode : {Mode::read, Mode::recursive_read, Mode::upgradable}) {
        plc_rwlock_t lock = {W};
        Holder first(lock, mode);
        wait_queued(lock, 1);
        FakeWaiter beaten(lock, R, PLC_WAITER_QUEUED, Summoned::just_now);
        FakeWaiter writer(lock, W, PLC_WAITER_SUMMONED, Summoned::just_now);
        FakeWaiter behind(lock, R, PLC_WAITER_QUEUED, Summoned::never);
        /* As a release that finds the first asleep, but the others do not hear of it. */
        struct plc_bucket *bucket = plc_bucket_lock(&lock);
        struct plc_wake_list wakes = {};
        struct plc_waiter *waiter = plc_rwlock_first_waiter(bucket, &lock);
        struct plc_waiter *others = waiter->next;
        waiter->next = nullptr;
        plc_rwlock_summon(&lock, bucket, 0, &wakes);
        waiter->next = others;
        plc_fetch_and_relaxed(&lock.state, ~W);
        plc_bucket_unlock(bucket);
        plc_wake_list_wake(&wakes);
        first.wait_for_it();
        wait_until([&] { return queued(lock) == 3; });
        EXPECT_EQ(beaten.state(), PLC_WAITER_SUMMONED);
        EXPECT_TRUE(beaten.was_woken());
        /* Beside an upgradable holder the writer is passed by. */
        EXPECT_EQ(behind.was_woken(), mode == Mode::upgradable);
        EXPECT_EQ(word_of(lock), (mode == Mode::upgradable ? R | U : R) | Q);
    }
}

} // namespace
