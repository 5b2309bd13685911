/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reader-writer lock: every mode against every other, every transition, whom a release lets in, misuse. */
#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <plc/rwlock.h>
#include <string>
#include <thread>
#include <vector>

#include "support/rwlock_peek.h"

using namespace plc_test;

namespace {

enum class Mode { read, recursive_read, upgradable, write };

void lock(plc_rwlock_t *lock, Mode mode) {
    switch (mode) {
    case Mode::read:
        return plc_rwlock_read_lock(lock);
    case Mode::recursive_read:
        return plc_rwlock_recursive_read_lock(lock);
    case Mode::upgradable:
        return plc_rwlock_upgradable_lock(lock);
    case Mode::write:
        return plc_rwlock_write_lock(lock);
    }
}

void unlock(plc_rwlock_t *lock, Mode mode) {
    switch (mode) {
    case Mode::read:
    case Mode::recursive_read:
        return plc_rwlock_read_unlock(lock);
    case Mode::upgradable:
        return plc_rwlock_upgradable_unlock(lock);
    case Mode::write:
        return plc_rwlock_write_unlock(lock);
    }
}

bool try_lock(plc_rwlock_t *lock, Mode mode) {
    switch (mode) {
    case Mode::read:
        return plc_rwlock_try_read_lock(lock);
    case Mode::recursive_read:
        return plc_rwlock_try_recursive_read_lock(lock);
    case Mode::upgradable:
        return plc_rwlock_try_upgradable_lock(lock);
    case Mode::write:
        return plc_rwlock_try_write_lock(lock);
    }
    return false;
}

constexpr Mode all_modes[] = {Mode::read, Mode::recursive_read, Mode::upgradable, Mode::write};

/* A thread that takes the lock in a mode, keeps it until it is told to let go, and says where it is. */
class Holder {
  public:
    Holder(plc_rwlock_t &lock, Mode mode)
        : thread_([this, &lock, mode] {
              ::lock(&lock, mode);
              has_it_ = true;
              wait_until([this] { return let_go_.load(); });
              ::unlock(&lock, mode);
          }) {}
    ~Holder() {
        release();
    }
    bool has_it() const {
        return has_it_;
    }
    void wait_for_it() const {
        wait_until([this] { return has_it(); });
    }
    void let_go() {
        let_go_ = true;
    }
    void release() {
        let_go();
        if (thread_.joinable())
            thread_.join();
    }

  private:
    std::atomic<bool> has_it_{false}, let_go_{false};
    std::thread thread_;
};

/* Holders that queue one after the other for a lock that keeps them all out. */
std::vector<std::unique_ptr<Holder>> queue_up(plc_rwlock_t &lock, std::initializer_list<Mode> modes) {
    std::vector<std::unique_ptr<Holder>> holders;
    for (Mode mode : modes) {
        holders.push_back(std::make_unique<Holder>(lock, mode));
        wait_queued(lock, holders.size());
    }
    return holders;
}

/* All let go before any is waited for: they may depend on each other. */
void finish(std::vector<std::unique_ptr<Holder>> &holders) {
    for (auto &holder : holders)
        holder->let_go();
    holders.clear();
}

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

/* ---- Whom a release lets in. A fair one hands over, so that the word shows at once who was chosen. */

TEST(RwlockTest, AReleaseLetsInAllReadersUpToTheFirstWriter) {
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

TEST(RwlockTest, AReleaseLetsInAllReadersAndOneUpgradable) {
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

TEST(RwlockTest, AReleaseLetsInOneWriterOnly) {
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

TEST(RwlockTest, AnUpgradableUnlockHandsOverAmongReaders) {
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
TEST(RwlockTest, EachReleaseWakesEachKindOfWaiter) {
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
            ::lock(&lock, release.held);
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
TEST(RwlockTest, AnHeirThatIsLostInAForkIsNotWaitedFor) {
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
TEST(RwlockTest, AWriterThatIsWokenTooEarlyDrainsOn) {
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
TEST(RwlockTest, ALastReaderThatFindsNoWriterDoesNotTouchTheWord) {
    plc_rwlock_t memory = {~uintptr_t{0}};
    plc_rwlock_last_reader_slow_(&memory, R | W | D);
    EXPECT_EQ(memory.state, ~uintptr_t{0});
}

/* ---- Bumps */

TEST(RwlockTest, ABumpWithoutWaitersChangesNothing) {
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
TEST(RwlockTest, AReadBumpWithSeveralReadersLetsTheWriterIn) {
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

TEST(RwlockTest, AnUpgradableBumpWithSeveralReadersLetsTheNextIn) {
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

TEST(RwlockTest, AWriteBumpLetsTheQueueIn) {
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
