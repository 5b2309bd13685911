/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reader-writer lock: whom a release lets in, what a wake that comes too late or early may not do, bumps. */
#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <plc/rwlock.h>
#include <string>
#include <thread>
#include <vector>

#include "support/rwlock_holder.h"

using namespace plc_test;

namespace {

/* ---- Whom a release lets in. A fair one hands over, so that the word shows at once who was chosen. */

TEST(RwlockWakeTest, AReleaseLetsInAllReadersUpToTheFirstWriter) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_write_lock(&lock);
    auto waiters = queue_up(lock, {Mode::read, Mode::read, Mode::write, Mode::read, Mode::write});
    plc_rwlock_write_unlock_fair(&lock);
    EXPECT_EQ(word_of(lock) & ~D, 2 * R | W | Q);
    waiters[0]->wait_for_it();
    waiters[1]->wait_for_it();
    wait_draining(lock);
    EXPECT_EQ(queued(lock), 2u);
    finish(waiters);
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(RwlockWakeTest, AReleaseLetsInAllReadersAndOneUpgradable) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_write_lock(&lock);
    auto waiters = queue_up(lock, {Mode::upgradable, Mode::write, Mode::read, Mode::upgradable, Mode::read});
    plc_rwlock_write_unlock_fair(&lock);
    EXPECT_EQ(word_of(lock), 3 * R | U | Q);
    for (size_t in : {size_t{0}, size_t{2}, size_t{4}})
        waiters[in]->wait_for_it();
    EXPECT_EQ(queued(lock), 2u);
    waiters[0]->release(); /* the writer is next, then the other upgradable */
    wait_draining(lock);
    finish(waiters);
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(RwlockWakeTest, AReleaseLetsInOneWriterOnly) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_write_lock(&lock);
    auto waiters = queue_up(lock, {Mode::write, Mode::read, Mode::upgradable});
    plc_rwlock_write_unlock_fair(&lock);
    EXPECT_EQ(word_of(lock), W | Q);
    waiters[0]->wait_for_it();
    EXPECT_EQ(queued(lock), 2u);
    waiters[0]->release();
    waiters[1]->wait_for_it();
    waiters[2]->wait_for_it();
    EXPECT_EQ(word_of(lock), 2 * R | U);
    finish(waiters);
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(RwlockWakeTest, AnUpgradableUnlockHandsOverAmongReaders) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_read_lock(&lock);
    auto waiters = queue_up(lock, {Mode::write, Mode::upgradable});
    plc_rwlock_upgradable_unlock_fair(&lock);
    EXPECT_EQ(word_of(lock) & ~D, R | W | Q);
    wait_draining(lock);
    plc_rwlock_read_unlock(&lock);
    waiters[0]->wait_for_it();
    finish(waiters);
    EXPECT_EQ(word_of(lock), 0u);
}

/* Each way to give up W or U, with each kind of waiter: those that may come in then, do; the others do in the end. */
TEST(RwlockWakeTest, EachReleaseWakesEachKindOfWaiter) {
    struct Release {
        const char *name;
        Mode held;
        void (*give_up)(plc_rwlock_t *);
        void (*rest)(plc_rwlock_t *);
        bool readers_come_in, upgradables_come_in;
    };
    const Release releases[] = {
        {"write_unlock", Mode::write, plc_rwlock_write_unlock, nullptr, true, true},
        {"write_unlock_fair", Mode::write, plc_rwlock_write_unlock_fair, nullptr, true, true},
        {"downgrade", Mode::write, plc_rwlock_downgrade, plc_rwlock_read_unlock, true, true},
        {"downgrade_to_upgradable", Mode::write, plc_rwlock_downgrade_to_upgradable, plc_rwlock_upgradable_unlock, true,
         false},
        {"upgradable_unlock", Mode::upgradable, plc_rwlock_upgradable_unlock, nullptr, true, true},
        {"upgradable_unlock_fair", Mode::upgradable, plc_rwlock_upgradable_unlock_fair, nullptr, true, true},
        {"downgrade_upgradable", Mode::upgradable, plc_rwlock_downgrade_upgradable, plc_rwlock_read_unlock, true, true},
    };
    for (const Release &release : releases) {
        for (Mode wanted : all_modes) {
            SCOPED_TRACE(std::string(release.name) + ", waiter " + std::to_string(static_cast<int>(wanted)));
            const bool reads = wanted == Mode::read || wanted == Mode::recursive_read;
            if (reads && release.held != Mode::write)
                continue; /* not kept out in the first place */
            plc_rwlock_t lock = PLC_RWLOCK_INIT;
            plc_test::lock(&lock, release.held);
            auto waiters = queue_up(lock, {wanted});
            release.give_up(&lock);
            if (reads ? release.readers_come_in : wanted == Mode::upgradable && release.upgradables_come_in)
                waiters[0]->wait_for_it();
            if (release.rest)
                release.rest(&lock);
            waiters[0]->wait_for_it();
            finish(waiters);
            EXPECT_EQ(word_of(lock), 0u);
        }
    }
}

/* The child of a fork may inherit the mark of an heir whose thread exists in the parent only: nobody must rely on it. */
TEST(RwlockWakeTest, AnHeirThatIsLostInAForkIsNotWaitedFor) {
    for (auto modes : {std::initializer_list<Mode>{Mode::write},
                       {Mode::read},
                       {Mode::write, Mode::read, Mode::write},
                       {Mode::upgradable, Mode::write, Mode::upgradable},
                       {Mode::read, Mode::upgradable, Mode::write}}) {
        plc_rwlock_t lock = {H};
        plc_rwlock_write_lock(&lock);
        auto waiters = queue_up(lock, modes);
        EXPECT_EQ(word_of(lock) & Q, Q);
        plc_rwlock_write_unlock(&lock);
        finish(waiters);
        EXPECT_EQ(word_of(lock) & ~H, 0u);
        EXPECT_TRUE(plc_rwlock_try_write_lock(&lock));
    }
}

/* A late unpark, meant for another lock that lived here before, must not let a draining writer in. */
TEST(RwlockWakeTest, AWriterThatIsWokenTooEarlyDrainsOn) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_read_lock(&lock);
    Holder writer(lock, Mode::write);
    for (int round = 0; round < 10; ++round) {
        wait_draining(lock);
        plc_rwlock_last_reader_slow_(&lock, R | W | D);
    }
    wait_draining(lock);
    EXPECT_FALSE(writer.has_it());
    plc_rwlock_read_unlock(&lock);
    writer.wait_for_it();
}

/* The word lives in memory that was a lock's: an unpark of the old one finds no waiter and leaves the bytes alone. */
TEST(RwlockWakeTest, ALastReaderThatFindsNoWriterDoesNotTouchTheWord) {
    plc_rwlock_t memory = {~uintptr_t{0}};
    plc_rwlock_last_reader_slow_(&memory, R | W | D);
    EXPECT_EQ(memory.state, ~uintptr_t{0});
}

/* ---- Bumps */

TEST(RwlockWakeTest, ABumpWithoutWaitersChangesNothing) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_read_lock(&lock);
    plc_rwlock_read_lock(&lock);
    plc_rwlock_read_bump(&lock);
    EXPECT_EQ(word_of(lock), 2 * R);
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_upgradable_bump(&lock);
    EXPECT_EQ(word_of(lock), 3 * R | U);
    plc_rwlock_read_unlock(&lock);
    plc_rwlock_read_unlock(&lock);
    plc_rwlock_upgrade(&lock);
    plc_rwlock_write_bump(&lock);
    EXPECT_EQ(word_of(lock), W);
    plc_rwlock_write_unlock(&lock);
}

/* A bump of one of several readers gives up that one's lock, although it is not the last. */
TEST(RwlockWakeTest, AReadBumpWithSeveralReadersLetsTheWriterIn) {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    plc_rwlock_read_lock(&lock);
    Holder other(lock, Mode::read);
    other.wait_for_it();
    Holder writer(lock, Mode::write);
    wait_draining(lock);
    std::thread helper([&] {
        wait_queued(lock, 1); /* the bumping reader has left and queues */
        EXPECT_EQ(word_of(lock) & ~Q, R | W | D);
        EXPECT_FALSE(writer.has_it());
        other.release();
        writer.wait_for_it();
        writer.release();
    });
    plc_rwlock_read_bump(&lock);
    EXPECT_TRUE(writer.has_it());
    helper.join();
    EXPECT_EQ(word_of(lock), R);
    plc_rwlock_read_unlock(&lock);
}

TEST(RwlockWakeTest, AnUpgradableBumpWithSeveralReadersLetsTheNextIn) {
    for (Mode wanted : {Mode::write, Mode::upgradable}) {
        plc_rwlock_t lock = PLC_RWLOCK_INIT;
        plc_rwlock_upgradable_lock(&lock);
        Holder one(lock, Mode::read), two(lock, Mode::read);
        one.wait_for_it();
        two.wait_for_it();
        auto waiters = queue_up(lock, {wanted});
        std::thread helper([&] {
            wait_until([&] { return queued(lock) == 1 && waiters[0]->has_it() == (wanted == Mode::upgradable); });
            one.release();
            two.release();
            waiters[0]->wait_for_it();
            waiters[0]->release();
        });
        plc_rwlock_upgradable_bump(&lock);
        EXPECT_TRUE(waiters[0]->has_it());
        helper.join();
        EXPECT_EQ(word_of(lock), R | U);
        plc_rwlock_upgradable_unlock(&lock);
    }
}

TEST(RwlockWakeTest, AWriteBumpLetsTheQueueIn) {
    for (Mode wanted : all_modes) {
        plc_rwlock_t lock = PLC_RWLOCK_INIT;
        plc_rwlock_write_lock(&lock);
        auto waiters = queue_up(lock, {wanted});
        std::thread helper([&] {
            waiters[0]->wait_for_it();
            waiters[0]->release();
        });
        plc_rwlock_write_bump(&lock);
        EXPECT_TRUE(waiters[0]->has_it());
        helper.join();
        EXPECT_EQ(word_of(lock), W);
        plc_rwlock_write_unlock(&lock);
    }
}

} // namespace
