/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reader-writer lock whose readers scale: by the table and by the word, the way between the two, misuse. */
#include <atomic>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <plc/rwlock_scalable.h>
#include <thread>
#include <vector>

#include "platform/tuning.h"
#include "support/lot_probe.h"
#include "sync/reader_table.h"

namespace {

uint32_t is_open(const plc_rwlock_scalable_t &lock) {
    return plc_load_acquire(&lock.table_is_open);
}

size_t by_word(const plc_rwlock_scalable_t &lock) {
    return (plc_load_acquire(&lock.inner.state) & PLC_RWLOCK_READERS_) / PLC_RWLOCK_READER_;
}

size_t by_table(const plc_rwlock_scalable_t &lock) {
    return plc_reader_table_count(&lock);
}

/* Reads until readers go by the table. */
void open_table(plc_rwlock_scalable_t &lock) {
    while (!is_open(lock)) {
        plc_rwlock_scalable_read_lock(&lock);
        plc_rwlock_scalable_read_unlock(&lock);
    }
}

void wait_until(const std::function<bool()> &condition) {
    while (!condition())
        std::this_thread::yield();
}

bool in_another_thread(const std::function<bool()> &body) {
    bool result = false;
    std::thread([&] { result = body(); }).join();
    return result;
}

bool try_read(plc_rwlock_scalable_t &lock) {
    return in_another_thread([&] {
        const bool taken = plc_rwlock_scalable_try_read_lock(&lock);
        if (taken)
            plc_rwlock_scalable_read_unlock(&lock);
        return taken;
    });
}

bool try_write(plc_rwlock_scalable_t &lock) {
    return in_another_thread([&] {
        const bool taken = plc_rwlock_scalable_try_write_lock(&lock);
        if (taken)
            plc_rwlock_scalable_write_unlock(&lock);
        return taken;
    });
}

/* A thread that does something with the lock, and lets go of it when it is told to. */
class Holder {
  public:
    Holder(plc_rwlock_scalable_t &lock, bool write)
        : thread_([this, &lock, write] {
              write ? plc_rwlock_scalable_write_lock(&lock) : plc_rwlock_scalable_read_lock(&lock);
              slot_ = plc_reader_table_find(&lock);
              has_it_ = true;
              wait_until([this] { return let_go_.load(); });
              write ? plc_rwlock_scalable_write_unlock(&lock) : plc_rwlock_scalable_read_unlock(&lock);
          }) {}
    ~Holder() {
        let_go();
        thread_.join();
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
    const plc_reader_slot *slot() const {
        return slot_;
    }

  private:
    std::atomic<const plc_reader_slot *> slot_{nullptr};
    std::atomic<bool> has_it_{false}, let_go_{false};
    std::thread thread_; /* the last member: it uses the others */
};

void wait_until_asleep_on(const plc_reader_slot *slot) {
    plc_test::wait_until_parked(slot, 1, PLC_WAITER_READER_SLOT);
}

TEST(RwlockScalableTest, ZeroBytesAreAnUnlockedLock) {
    plc_rwlock_scalable_t zeroed;
    std::memset(&zeroed, 0, sizeof zeroed);
    plc_rwlock_scalable_t initialised = PLC_RWLOCK_SCALABLE_INIT;
    EXPECT_EQ(std::memcmp(&zeroed, &initialised, sizeof zeroed), 0);
    EXPECT_FALSE(plc_rwlock_scalable_is_locked(&zeroed));
    EXPECT_TRUE(try_write(zeroed));
    EXPECT_TRUE(try_read(zeroed));
}

TEST(RwlockScalableTest, ReadersOpenTheTableAndThenUseIt) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    plc_rwlock_scalable_read_lock(&lock);
    EXPECT_EQ(by_word(lock), 1u);
    EXPECT_EQ(by_table(lock), 0u);
    EXPECT_TRUE(is_open(lock)) << "nobody has written yet";
    plc_rwlock_scalable_read_unlock(&lock);
    EXPECT_FALSE(plc_rwlock_scalable_is_locked(&lock));

    plc_rwlock_scalable_read_lock(&lock);
    EXPECT_EQ(by_word(lock), 0u) << "the word stays as it is: no other reader loses its line";
    EXPECT_EQ(by_table(lock), 1u);
    EXPECT_TRUE(plc_rwlock_scalable_is_locked(&lock));
    EXPECT_FALSE(plc_rwlock_scalable_is_write_locked(&lock));
    plc_rwlock_scalable_read_unlock(&lock);
    EXPECT_FALSE(plc_rwlock_scalable_is_locked(&lock));
}

TEST(RwlockScalableTest, AWriteClosesTheTableForSomeReadsAndOneForEachRow) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    for (int round = 0; round < 2; ++round) {
        open_table(lock);
        plc_rwlock_scalable_write_lock(&lock);
        EXPECT_FALSE(is_open(lock));
        EXPECT_TRUE(plc_rwlock_scalable_is_write_locked(&lock));
        plc_rwlock_scalable_write_unlock(&lock);
        uint32_t reads = 0;
        for (; !is_open(lock); ++reads) {
            plc_rwlock_scalable_read_lock(&lock);
            EXPECT_EQ(by_word(lock), 1u);
            plc_rwlock_scalable_read_unlock(&lock);
        }
        EXPECT_EQ(reads, PLC_READER_COUNTED + plc_reader_table_rows() * PLC_READER_COUNTED_PER_ROW + 1);
    }
}

TEST(RwlockScalableTest, EachModeKeepsOutWhatItShould) {
    for (bool open : {false, true}) {
        SCOPED_TRACE(open ? "table open" : "table closed");
        plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
        open_table(lock);
        if (!open) {
            EXPECT_TRUE(try_write(lock)) << "and that closes it";
        }
        plc_rwlock_scalable_read_lock(&lock);
        EXPECT_EQ(open ? by_table(lock) : by_word(lock), 1u);
        EXPECT_TRUE(try_read(lock));
        EXPECT_FALSE(try_write(lock));
        EXPECT_EQ(is_open(lock), open) << "a try leaves no mark";
        plc_rwlock_scalable_read_unlock(&lock);

        plc_rwlock_scalable_write_lock(&lock);
        EXPECT_FALSE(try_read(lock));
        EXPECT_FALSE(try_write(lock));
        plc_rwlock_scalable_write_unlock(&lock);
        EXPECT_TRUE(try_write(lock));
    }
}

TEST(RwlockScalableTest, AWriterSleepsUntilTheReaderInTheTableLeaves) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    for (int round = 0; round < 3; ++round) {
        open_table(lock);
        plc_rwlock_scalable_read_lock(&lock);
        const plc_reader_slot *slot = plc_reader_table_find(&lock);
        ASSERT_NE(slot, nullptr);
        Holder writer(lock, true);
        wait_until_asleep_on(slot);
        EXPECT_FALSE(writer.has_it());
        EXPECT_FALSE(try_read(lock)) << "a waiting writer keeps new readers out";
        plc_rwlock_scalable_read_unlock(&lock);
        writer.wait_for_it();
        EXPECT_FALSE(plc_rwlock_scalable_try_read_lock(&lock));
        EXPECT_EQ(plc_load_acquire(&slot->sleepers), 0u);
    }
    EXPECT_FALSE(plc_rwlock_scalable_is_locked(&lock));
}

TEST(RwlockScalableTest, AWriterWaitsForEachReaderWhereverItIs) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    std::vector<std::unique_ptr<Holder>> readers;
    for (size_t i = 0; i < 3 * PLC_READER_ROW_SLOTS; ++i) { /* more than a row has room for, and one by the word */
        readers.push_back(std::make_unique<Holder>(lock, false));
        readers.back()->wait_for_it();
    }
    EXPECT_EQ(by_word(lock) + by_table(lock), readers.size());
    EXPECT_GE(by_word(lock), 1u);
    EXPECT_GE(by_table(lock), size_t{PLC_READER_ROW_SLOTS});
    Holder writer(lock, true);
    while (readers.size() > 1) {
        readers.pop_back();
        EXPECT_FALSE(writer.has_it());
    }
    readers.clear();
    writer.wait_for_it();
}

TEST(RwlockScalableTest, AWriterThatGivesUpLeavesEverythingAsItWas) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    plc_rwlock_scalable_read_lock(&lock);
    const plc_reader_slot *slot = plc_reader_table_find(&lock);
    ASSERT_NE(slot, nullptr);
    for (int64_t ns : {int64_t{-1}, int64_t{0}, int64_t{1000000}}) {
        EXPECT_FALSE(
            in_another_thread([&] { return plc_rwlock_scalable_write_lock_until(&lock, plc_deadline_after_ns(ns)); }));
        EXPECT_TRUE(is_open(lock));
        EXPECT_TRUE(try_read(lock));
        EXPECT_EQ(plc_load_acquire(&slot->sleepers), 0u);
    }
    Holder writer(lock, true); /* the next one finds the reader too */
    wait_until_asleep_on(slot);
    EXPECT_FALSE(writer.has_it());
    plc_rwlock_scalable_read_unlock(&lock);
    writer.wait_for_it();
}

TEST(RwlockScalableTest, AReaderThatGivesUpLeavesNothing) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    plc_rwlock_scalable_write_lock(&lock);
    for (int64_t ns : {int64_t{-1}, int64_t{0}, int64_t{1000000}}) {
        EXPECT_FALSE(
            in_another_thread([&] { return plc_rwlock_scalable_read_lock_until(&lock, plc_deadline_after_ns(ns)); }));
        EXPECT_EQ(by_table(lock) + by_word(lock), 0u);
    }
    plc_rwlock_scalable_write_unlock(&lock);
    EXPECT_TRUE(try_write(lock));
}

TEST(RwlockScalableTest, AFreeLockIsTakenAfterTheDeadline) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    const plc_deadline_t past = {0, PLC_CLOCK_MONOTONIC};
    for (int round = 0; round < 3; ++round) {
        EXPECT_TRUE(plc_rwlock_scalable_read_lock_until(&lock, past));
        plc_rwlock_scalable_read_unlock(&lock);
        open_table(lock);
        EXPECT_TRUE(plc_rwlock_scalable_write_lock_until(&lock, past));
        plc_rwlock_scalable_write_unlock(&lock);
    }
}

TEST(RwlockScalableTest, AReaderWaitsForTheWriter) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    plc_rwlock_scalable_write_lock(&lock);
    Holder reader(lock, false);
    plc_test::wait_until_parked(&lock.inner, 1, PLC_WAITER_RWLOCK);
    EXPECT_FALSE(reader.has_it());
    plc_rwlock_scalable_write_unlock(&lock);
    reader.wait_for_it();
}

TEST(RwlockScalableTest, DowngradeLetsReadersInAndWritersNot) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    plc_rwlock_scalable_write_lock(&lock);
    plc_rwlock_scalable_downgrade(&lock);
    EXPECT_TRUE(try_read(lock));
    EXPECT_FALSE(try_write(lock));
    plc_rwlock_scalable_read_unlock(&lock);
    EXPECT_TRUE(try_write(lock));
}

TEST(RwlockScalableTest, AThreadMayReadMoreLocksThanItCanRemember) {
    std::vector<plc_rwlock_scalable_t> locks(3 * PLC_READER_HOLDS);
    for (plc_rwlock_scalable_t &lock : locks)
        open_table(lock);
    for (plc_rwlock_scalable_t &lock : locks)
        plc_rwlock_scalable_read_lock(&lock);
    for (size_t i = 0; i < locks.size(); ++i) {
        EXPECT_EQ(by_table(locks[i]) + by_word(locks[i]), 1u) << i;
        EXPECT_FALSE(try_write(locks[i])) << i;
    }
    /* In an order that is neither the one in which they were taken nor its reverse. */
    for (size_t step = 0, at = 0; step < locks.size(); ++step, at = (at + 7) % locks.size()) {
        plc_rwlock_scalable_read_unlock(&locks[at]);
        EXPECT_FALSE(plc_rwlock_scalable_is_locked(&locks[at])) << at;
        EXPECT_TRUE(try_write(locks[at])) << at;
    }
}

TEST(RwlockScalableTest, ThreadsThatEndLeaveNothingBehind) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    for (int i = 0; i < 300; ++i) {
        EXPECT_TRUE(try_read(lock));
        ASSERT_EQ(by_table(lock), 0u);
    }
    EXPECT_TRUE(try_write(lock));
}

TEST(RwlockScalableTest, TheSystemSaysTruthfullyWhetherItHasABarrier) {
    /* Whichever it is, asking again gives the same answer, and the barrier works if there is one. */
    const bool there = plc_os_process_barrier_prepare();
    EXPECT_EQ(plc_os_process_barrier_prepare(), there);
    EXPECT_EQ(plc_os_process_barrier(), there);
}

using RwlockScalableDeathTest = testing::Test;

TEST(RwlockScalableDeathTest, GivingUpWhatNobodyHoldsAborts) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    for (int round = 0; round < 2; ++round) {
        EXPECT_DEATH(plc_rwlock_scalable_read_unlock(&lock), "rwlock.*not locked for reading");
        EXPECT_DEATH(plc_rwlock_scalable_write_unlock(&lock), "rwlock.*not locked for writing");
        EXPECT_DEATH(plc_rwlock_scalable_downgrade(&lock), "rwlock.*not locked for writing");
        open_table(lock);
    }
    plc_rwlock_scalable_read_lock(&lock);
    EXPECT_DEATH(plc_rwlock_scalable_write_unlock(&lock), "rwlock.*not locked for writing");
    const auto unlock_elsewhere = [&] { std::thread([&] { plc_rwlock_scalable_read_unlock(&lock); }).join(); };
    EXPECT_DEATH(unlock_elsewhere(), "rwlock.*not locked for reading") << "a read lock belongs to its thread";
    plc_rwlock_scalable_read_unlock(&lock);
}

} // namespace
