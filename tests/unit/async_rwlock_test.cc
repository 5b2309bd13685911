/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait for a reader-writer lock: whose turn it is, wakes and cancellations, beside each other and beside threads. */
#include <atomic>
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

class AsyncRwlock : public testing::Test {
  protected:
    void TearDown() override {
        EXPECT_EQ(lock.state, 0u);
    }
    bool says(uintptr_t mark) {
        return (lock.state & mark) != 0;
    }
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    Task a, b, c, d;
};

TEST_F(AsyncRwlock, AFreeOneIsTakenInEitherMode) {
    EXPECT_EQ(a.read_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(b.read_lock(&lock), PLC_POLL_READY);
    EXPECT_FALSE(plc_rwlock_try_write_lock(&lock));
    plc_rwlock_read_unlock_async(&lock);
    plc_rwlock_read_unlock_async(&lock);
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_READY);
    EXPECT_FALSE(plc_rwlock_try_read_lock(&lock));
    plc_rwlock_write_unlock_async(&lock);
}

TEST_F(AsyncRwlock, ReadersUpToTheFirstWriterHaveTheirTurnTogether) {
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    EXPECT_EQ(a.read_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(b.read_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(c.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(d.read_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_write_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(c.wakes, 1);
    EXPECT_EQ(d.wakes, 0) << "behind a writer that is on its way";
    EXPECT_EQ(a.read_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(b.read_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(c.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(d.wakes, 1) << "the writer waits elsewhere now";
    EXPECT_EQ(d.read_lock(&lock), PLC_POLL_READY);
    for (int i = 0; i < 3; ++i)
        plc_rwlock_read_unlock_async(&lock);
    EXPECT_EQ(c.wakes, 2) << "by the last reader";
    EXPECT_EQ(c.write_lock(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
}

TEST_F(AsyncRwlock, TheLastReaderWakesAllWriters) {
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(b.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_TRUE(says(PLC_RWLOCK_WRITER_PARKED_));
    EXPECT_TRUE(plc_rwlock_try_read_lock(&lock)) << "a task that sleeps keeps no reader out";
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(a.wakes, 0);
        plc_rwlock_read_unlock(&lock);
    }
    EXPECT_FALSE(says(PLC_RWLOCK_WRITER_PARKED_));
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(b.write_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_write_unlock_async(&lock);
    EXPECT_EQ(a.wakes, 2);
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
}

/* The readers end without a read unlock: the release of what was upgraded looks after the writer. */
TEST_F(AsyncRwlock, AnUpgradeForgetsNoWriter) {
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_read_unlock(&lock);
    EXPECT_TRUE(plc_rwlock_try_upgrade(&lock));
    EXPECT_EQ(a.wakes, 0);
    plc_rwlock_write_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
}

TEST_F(AsyncRwlock, BesideAnUpgradableHolderReadersPassWritersBy) {
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(b.read_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_downgrade_to_upgradable(&lock);
    EXPECT_EQ(a.wakes, 0);
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(b.read_lock(&lock), PLC_POLL_READY);
    plc_rwlock_read_unlock_async(&lock);
    plc_rwlock_upgradable_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
}

TEST_F(AsyncRwlock, ManyReadersAreWokenAtOnce) {
    std::vector<Task> readers(100); /* more than are woken under one lock of the bucket */
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    for (Task &reader : readers)
        ASSERT_EQ(reader.read_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_write_unlock(&lock);
    for (Task &reader : readers) {
        EXPECT_EQ(reader.wakes, 1);
        EXPECT_EQ(reader.read_lock(&lock), PLC_POLL_READY);
    }
    for (size_t i = 0; i < readers.size(); ++i)
        plc_rwlock_read_unlock_async(&lock);
}

/* The last reader lets go of all writers at once, and wakes them in portions: one that it has not come to is polled, and waits again. */
TEST_F(AsyncRwlock, AWriterThatIsPolledBesideItsWakeWaitsAgain) {
    std::vector<Task> writers(9); /* one more than a portion */
    Task &last = writers.back();
    plc_rwlock_read_lock(&lock);
    for (Task &writer : writers)
        ASSERT_EQ(writer.write_lock(&lock), PLC_POLL_PENDING);
    writers[0].on_wake = [&] {
        plc_rwlock_read_lock(&lock);
        EXPECT_EQ(last.write_lock(&lock), PLC_POLL_PENDING);
        EXPECT_EQ(last.wakers, 1);
    };
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(last.wakes, 0);
    EXPECT_TRUE(says(PLC_RWLOCK_WRITER_PARKED_));
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(last.wakes, 1);
    EXPECT_FALSE(says(PLC_RWLOCK_WRITER_PARKED_));
    for (Task &writer : writers) {
        EXPECT_EQ(writer.write_lock(&lock), PLC_POLL_READY);
        plc_rwlock_write_unlock_async(&lock);
    }
}

/* ---- Readers that overlap */

/* Each of them leaves when another one has come after it, or when it sees that somebody keeps readers out: so there are readers at
   any time, until a writer does that. */
class Relay {
  public:
    explicit Relay(plc_rwlock_t &lock) : lock_(lock) {
        for (std::thread &thread : threads_)
            thread = std::thread([this] { run(); });
        while (entered_ < 2)
            std::this_thread::yield();
    }
    ~Relay() {
        ended_ = true;
        for (std::thread &thread : threads_)
            thread.join();
    }

  private:
    void run() {
        while (!ended_) {
            plc_rwlock_read_lock(&lock_);
            const unsigned mine = ++entered_;
            while (entered_ == mine && !ended_ && !is_shut())
                std::this_thread::yield();
            plc_rwlock_read_unlock(&lock_);
        }
    }
    bool is_shut() const {
        return (plc_load_relaxed(&lock_.state) & PLC_RWLOCK_WRITER_) != 0;
    }

    plc_rwlock_t &lock_;
    std::atomic<unsigned> entered_{0};
    std::atomic<bool> ended_{false};
    std::thread threads_[2];
};

TEST_F(AsyncRwlock, ReadersThatOverlapDoNotKeepAWriterOutThatIsPolledAgain) {
    Relay readers(lock);
    for (int i = 0; i < 50; ++i) {
        while (a.write_lock(&lock) == PLC_POLL_PENDING)
            std::this_thread::yield();
        plc_rwlock_write_unlock_async(&lock);
    }
}

TEST_F(AsyncRwlock, NorAnUpgradeThatIsPolledAgain) {
    Relay readers(lock);
    ASSERT_EQ(a.upgradable_lock(&lock), PLC_POLL_READY) << "readers keep only writers out";
    for (int i = 0; i < 50; ++i) {
        while (a.upgrade(&lock) == PLC_POLL_PENDING)
            std::this_thread::yield();
        plc_rwlock_downgrade_to_upgradable_async(&lock);
    }
    plc_rwlock_upgradable_unlock_async(&lock);
}

TEST_F(AsyncRwlock, ADowngradeLeavesTheWriterToTheReadersThatRemain) {
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_upgradable_lock(&lock);
    plc_rwlock_read_unlock(&lock);
    EXPECT_TRUE(plc_rwlock_try_upgrade(&lock));
    plc_rwlock_downgrade(&lock);
    EXPECT_EQ(a.wakes, 0);
    EXPECT_TRUE(says(PLC_RWLOCK_WRITER_PARKED_));
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
}

/* ---- Upgradable */

TEST_F(AsyncRwlock, OneHolderIsUpgradableBesideReaders) {
    EXPECT_EQ(a.read_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(b.upgradable_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(c.upgradable_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(d.read_lock(&lock), PLC_POLL_READY);
    EXPECT_FALSE(plc_rwlock_try_upgradable_lock(&lock));
    plc_rwlock_read_unlock_async(&lock);
    plc_rwlock_read_unlock_async(&lock);
    EXPECT_EQ(c.wakes, 0);
    plc_rwlock_upgradable_unlock_async(&lock);
    EXPECT_EQ(c.wakes, 1);
    EXPECT_EQ(c.upgradable_lock(&lock), PLC_POLL_READY);
    plc_rwlock_downgrade_upgradable_async(&lock);
    EXPECT_EQ(lock.state, PLC_RWLOCK_READER_);
    plc_rwlock_read_unlock_async(&lock);
}

TEST_F(AsyncRwlock, AWriterKeepsTheUpgradableOut) {
    ASSERT_EQ(a.write_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(b.upgradable_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(c.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(d.read_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_write_unlock_async(&lock);
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(c.wakes, 0) << "behind an upgradable that is on its way";
    EXPECT_EQ(d.wakes, 1) << "readers pass those by";
    EXPECT_EQ(d.read_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(b.upgradable_lock(&lock), PLC_POLL_READY);
    plc_rwlock_read_unlock_async(&lock);
    plc_rwlock_upgradable_unlock_async(&lock);
    EXPECT_EQ(c.wakes, 1);
    EXPECT_EQ(c.write_lock(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
}

TEST_F(AsyncRwlock, AnUpgradeWaitsForTheReadersThatThereAre) {
    ASSERT_EQ(a.upgradable_lock(&lock), PLC_POLL_READY);
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(lock.state, PLC_RWLOCK_READER_ | PLC_RWLOCK_UPGRADABLE_ | PLC_RWLOCK_WRITER_PARKED_);
    EXPECT_TRUE(plc_rwlock_try_read_lock(&lock)) << "a task that sleeps keeps no reader out";
    EXPECT_FALSE(plc_rwlock_try_write_lock(&lock));
    EXPECT_FALSE(plc_rwlock_try_upgradable_lock(&lock));
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(a.wakes, 0);
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_FALSE(plc_rwlock_try_write_lock(&lock)) << "what it has read remains true";
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_PENDING) << "beaten by a reader";
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(a.wakes, 2);
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_READY);
    EXPECT_EQ(lock.state, PLC_RWLOCK_WRITER_);
    plc_rwlock_downgrade_to_upgradable_async(&lock);
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_READY) << "at once, where nobody reads";
    plc_rwlock_downgrade_async(&lock);
    EXPECT_EQ(lock.state, PLC_RWLOCK_READER_);
    plc_rwlock_read_unlock_async(&lock);
}

TEST_F(AsyncRwlock, ACancelledUpgradeIsUpgradableAgain) {
    ASSERT_EQ(a.upgradable_lock(&lock), PLC_POLL_READY);
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_PENDING);
    a.cancel();
    EXPECT_EQ(lock.state, 2 * PLC_RWLOCK_READER_ + PLC_RWLOCK_UPGRADABLE_);
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_PENDING);
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    a.cancel();
    EXPECT_EQ(lock.state, PLC_RWLOCK_READER_ + PLC_RWLOCK_UPGRADABLE_) << "also when it had been woken";
    plc_rwlock_upgradable_unlock_async(&lock);
}

TEST_F(AsyncRwlock, TheReleaseOfWhatWasUpgradedLooksAfterTheWriters) {
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(b.write_lock(&lock), PLC_POLL_PENDING);
    ASSERT_EQ(a.upgradable_lock(&lock), PLC_POLL_READY);
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_PENDING);
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(b.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(a.upgrade(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
    EXPECT_EQ(b.wakes, 2);
    EXPECT_EQ(b.write_lock(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
}

/* ---- Giving up */

TEST_F(AsyncRwlock, ACancelledWriterPassesItsWakeOn) {
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(b.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(c.read_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_write_unlock(&lock);
    EXPECT_EQ(b.wakes, 0);
    a.cancel();
    EXPECT_EQ(b.wakes, 1);
    EXPECT_EQ(c.wakes, 0);
    b.cancel();
    EXPECT_EQ(c.wakes, 1);
    c.cancel();
}

TEST_F(AsyncRwlock, WhoGivesUpLeavesNoMark) {
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    a.cancel();
    EXPECT_EQ(lock.state, PLC_RWLOCK_READER_);
    plc_rwlock_read_unlock(&lock);
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(b.read_lock(&lock), PLC_POLL_PENDING);
    a.cancel();
    EXPECT_TRUE(says(PLC_RWLOCK_PARKED_));
    b.cancel();
    EXPECT_EQ(lock.state, PLC_RWLOCK_WRITER_);
    plc_rwlock_write_unlock(&lock);
}

/* ---- Beside threads */

TEST_F(AsyncRwlock, ALeakedWriterKeepsNoThreadAsleepBesideAFreeLock) {
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    std::thread behind([this] {
        plc_rwlock_write_lock(&lock);
        plc_rwlock_write_unlock(&lock);
    });
    plc_test::wait_until_parked(&lock, 1, PLC_WAITER_RWLOCK);
    plc_rwlock_write_unlock(&lock);
    behind.join();
    EXPECT_EQ(a.wakes, 1);
    a.cancel();
}

TEST_F(AsyncRwlock, ALeakedWriterKeepsNoReaderOut) {
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    std::thread([this] {
        plc_rwlock_read_lock(&lock);
        plc_rwlock_read_unlock(&lock);
        plc_rwlock_write_lock(&lock);
        plc_rwlock_write_unlock(&lock);
    }).join();
    a.cancel();
}

TEST_F(AsyncRwlock, TasksBehindALeakedWriterAreWokenByALaterUnlock) {
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(b.read_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_write_unlock(&lock);
    while (b.wakes == 0) { /* until the leaked one counts as stuck */
        plc_rwlock_write_lock(&lock);
        plc_rwlock_write_unlock(&lock);
    }
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(b.read_lock(&lock), PLC_POLL_READY);
    plc_rwlock_read_unlock_async(&lock);
    a.cancel();
}

TEST_F(AsyncRwlock, ATaskBehindAWritingThreadIsWokenByIt) {
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    std::thread before([this] {
        plc_rwlock_write_lock(&lock);
        plc_rwlock_write_unlock(&lock);
    });
    plc_test::wait_until_parked(&lock, 1, PLC_WAITER_RWLOCK);
    EXPECT_EQ(a.read_lock(&lock), PLC_POLL_PENDING);
    plc_rwlock_write_unlock(&lock);
    before.join();
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(a.read_lock(&lock), PLC_POLL_READY);
    plc_rwlock_read_unlock_async(&lock);
}

TEST_F(AsyncRwlock, AThreadThatDrainsInVainLeavesTheWritersTheirMark) {
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_FALSE(plc_rwlock_write_lock_until(&lock, plc_deadline_after_ns(1)));
    EXPECT_EQ(a.wakes, 0) << "there is a reader still";
    plc_rwlock_read_unlock(&lock);
    EXPECT_EQ(a.wakes, 1);
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_READY);
    plc_rwlock_write_unlock_async(&lock);
}

/* ---- Fork: nobody is queued in the child; a mark that stayed is harmless */

TEST_F(AsyncRwlock, AChildQueuesItsTasksAgain) {
    ASSERT_TRUE(plc_rwlock_try_read_lock(&lock));
    EXPECT_EQ(a.write_lock(&lock), PLC_POLL_PENDING);
    EXPECT_EQ(b.write_lock(&lock), PLC_POLL_PENDING);
    const pid_t child = fork();
    if (child == 0) {
        a.cancel();
        EXPECT_EQ(b.write_lock(&lock), PLC_POLL_PENDING);
        plc_rwlock_read_unlock(&lock);
        EXPECT_EQ(b.wakes, 1);
        EXPECT_EQ(b.write_lock(&lock), PLC_POLL_READY);
        plc_rwlock_write_unlock_async(&lock);
        EXPECT_TRUE(plc_rwlock_try_write_lock(&lock));
        _exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    plc_rwlock_read_unlock(&lock);
    a.cancel();
    b.cancel();
}

/* ---- Mistakes */

using AsyncRwlockDeathTest = AsyncRwlock;

TEST_F(AsyncRwlockDeathTest, AWaiterWaitsInOneModeAtATime) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    ASSERT_TRUE(plc_rwlock_try_write_lock(&lock));
    EXPECT_EQ(a.read_lock(&lock), PLC_POLL_PENDING);
    EXPECT_DEATH(a.write_lock(&lock), "async waiter .*polled for one thing while it waits for another");
    EXPECT_DEATH(a.upgradable_lock(&lock), "async waiter .*polled for one thing while it waits for another");
    a.cancel();
    plc_rwlock_write_unlock(&lock);
}

TEST_F(AsyncRwlockDeathTest, OnlyAnUpgradableLockIsUpgraded) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    ASSERT_EQ(a.read_lock(&lock), PLC_POLL_READY);
    EXPECT_DEATH(a.upgrade(&lock), "upgrade of a lock that nobody holds upgradably");
    plc_rwlock_read_unlock_async(&lock);
}

} // namespace
