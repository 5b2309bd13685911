/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reader-writer lock under load: what it guards stays whole in every mode, nobody starves, no bit is left over. */
#include <algorithm>
#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <plc/rwlock.h>

#include "support/guarded.h"
#include "support/rwlock_peek.h"
#include "support/stress.h"

using namespace plc_test;

namespace {

using Guarded = GuardedWords<plc_rwlock_t>;

/* Now and then a holder loses its processor, so that others really wait. */
void dawdle(Random &random) {
    if (random.one_in(8))
        std::this_thread::yield();
}

/* Holds a write lock: writes once, sometimes twice with others let in between, and gives it up in some way. */
size_t write_and_give_up(Guarded &guarded, Random &random) {
    size_t writes = 1;
    guarded.write();
    const uint64_t value = guarded.read();
    dawdle(random);
    switch (random.below(5)) {
    case 0:
        plc_rwlock_write_unlock_fair(&guarded.lock);
        break;
    case 1:
        plc_rwlock_downgrade(&guarded.lock);
        EXPECT_EQ(guarded.read(), value) << "a writer came between a write lock and its downgrade";
        plc_rwlock_read_unlock(&guarded.lock);
        break;
    case 2:
        plc_rwlock_downgrade_to_upgradable(&guarded.lock);
        EXPECT_EQ(guarded.read(), value) << "a writer came between a write lock and its downgrade";
        plc_rwlock_upgradable_unlock(&guarded.lock);
        break;
    case 3:
        plc_rwlock_write_bump(&guarded.lock);
        guarded.write();
        writes = 2;
        plc_rwlock_write_unlock(&guarded.lock);
        break;
    default:
        plc_rwlock_write_unlock(&guarded.lock);
    }
    return writes;
}

size_t as_writer(Guarded &guarded, Random &random) {
    switch (random.below(3)) {
    case 0:
        if (!plc_rwlock_try_write_lock(&guarded.lock))
            return 0;
        break;
    case 1:
        if (!plc_rwlock_write_lock_until(&guarded.lock, some_deadline(random)))
            return 0;
        break;
    default:
        plc_rwlock_write_lock(&guarded.lock);
    }
    return write_and_give_up(guarded, random);
}

size_t as_reader(Guarded &guarded, Random &random) {
    switch (random.below(5)) {
    case 0:
        if (!plc_rwlock_try_read_lock(&guarded.lock))
            return 0;
        break;
    case 1:
        if (!plc_rwlock_read_lock_until(&guarded.lock, some_deadline(random)))
            return 0;
        break;
    case 2:
        plc_rwlock_recursive_read_lock(&guarded.lock);
        break;
    default:
        plc_rwlock_read_lock(&guarded.lock);
    }
    const uint64_t value = guarded.read();
    dawdle(random);
    switch (random.below(4)) {
    case 0: /* whatever waits by now, a second one does not block */
        plc_rwlock_recursive_read_lock(&guarded.lock);
        EXPECT_EQ(guarded.read(), value);
        plc_rwlock_read_unlock(&guarded.lock);
        EXPECT_EQ(guarded.read(), value);
        break;
    case 1:
        EXPECT_TRUE(plc_rwlock_try_recursive_read_lock(&guarded.lock));
        plc_rwlock_read_unlock_fair(&guarded.lock);
        break;
    case 2:
        plc_rwlock_read_bump(&guarded.lock);
        EXPECT_GE(guarded.read(), value);
        break;
    default:
        break;
    }
    plc_rwlock_read_unlock(&guarded.lock);
    return 0;
}

size_t as_upgradable(Guarded &guarded, Random &random) {
    switch (random.below(3)) {
    case 0:
        if (!plc_rwlock_try_upgradable_lock(&guarded.lock))
            return 0;
        break;
    case 1:
        if (!plc_rwlock_upgradable_lock_until(&guarded.lock, some_deadline(random)))
            return 0;
        break;
    default:
        plc_rwlock_upgradable_lock(&guarded.lock);
    }
    uint64_t value = guarded.read();
    bool upgraded = false;
    dawdle(random);
    switch (random.below(6)) {
    case 0:
        plc_rwlock_upgrade(&guarded.lock);
        upgraded = true;
        break;
    case 1:
        upgraded = plc_rwlock_try_upgrade(&guarded.lock);
        break;
    case 2:
        upgraded = plc_rwlock_upgrade_until(&guarded.lock, some_deadline(random));
        break;
    case 3:
        plc_rwlock_downgrade_upgradable(&guarded.lock);
        EXPECT_EQ(guarded.read(), value);
        plc_rwlock_read_unlock(&guarded.lock);
        return 0;
    case 4:
        plc_rwlock_upgradable_bump(&guarded.lock);
        value = guarded.read();
        break;
    default:
        break;
    }
    EXPECT_EQ(guarded.read(), value) << "a writer came between an upgradable lock and its upgrade";
    if (upgraded)
        return write_and_give_up(guarded, random);
    if (random.one_in(2))
        plc_rwlock_upgradable_unlock(&guarded.lock);
    else
        plc_rwlock_upgradable_unlock_fair(&guarded.lock);
    return 0;
}

/* Threads that do everything that can be done, to a few locks. */
void everything_at_once(size_t threads, size_t locks, size_t operations, uint64_t writer_percent) {
    std::vector<Guarded> guarded(locks);
    std::vector<std::atomic<uint64_t>> writes(locks);
    run_threads(threads, [&](size_t, Random &random) {
        for (size_t done = 0; done < scaled(operations) && !testing::Test::HasFailure(); ++done) {
            const size_t which = random.below(locks);
            const uint64_t percent = random.below(100);
            size_t written;
            if (percent < writer_percent)
                written = as_writer(guarded[which], random);
            else if (percent < writer_percent + 20)
                written = as_upgradable(guarded[which], random);
            else
                written = as_reader(guarded[which], random);
            writes[which].fetch_add(written);
        }
    });
    for (size_t which = 0; which < locks; ++which) {
        EXPECT_EQ(guarded[which].read(), writes[which].load());
        EXPECT_EQ(word_of(guarded[which].lock), 0u) << "a bit was left over";
    }
}

TEST(RwlockStressTest, EverythingAtOnceOnOneLock) {
    everything_at_once(6, 1, 100000, 15);
}

TEST(RwlockStressTest, MostlyReaders) {
    everything_at_once(4, 1, 200000, 2);
}

TEST(RwlockStressTest, MostlyWriters) {
    everything_at_once(4, 1, 100000, 70);
}

TEST(RwlockStressTest, ManyLocks) {
    everything_at_once(8, 100, 200000, 20);
}

/* Each time-out of a draining writer meets the last reader at every possible moment: no bit may be left over, and the
   reader's wake must not be missed by the next writer. */
TEST(RwlockStressTest, TimedWritersAndUpgradesAmongReaders) {
    Guarded guarded;
    std::atomic<uint64_t> writes{0};
    run_threads(4, [&](size_t index, Random &random) {
        for (size_t done = 0; done < scaled(200000); ++done) {
            const plc_deadline_t deadline = plc_deadline_after_ns(static_cast<int64_t>(random.below(3000)));
            bool writer = false;
            if (index == 0) {
                writer = plc_rwlock_write_lock_until(&guarded.lock, deadline);
            } else if (index == 1) {
                plc_rwlock_upgradable_lock(&guarded.lock);
                writer = plc_rwlock_upgrade_until(&guarded.lock, deadline);
                if (!writer)
                    plc_rwlock_upgradable_unlock(&guarded.lock);
            } else {
                plc_rwlock_read_lock(&guarded.lock);
                guarded.read();
                dawdle(random);
                plc_rwlock_read_unlock(&guarded.lock);
            }
            if (writer) {
                guarded.write();
                writes.fetch_add(1);
                plc_rwlock_write_unlock(&guarded.lock);
            }
        }
    });
    EXPECT_EQ(guarded.read(), writes.load());
    EXPECT_EQ(word_of(guarded.lock), 0u);
}

/* The readers overlap, so that there is always one: a writer gets in all the same, a fixed number of times. */
TEST(RwlockStressTest, ReadersDoNotStarveAWriter) {
    Guarded guarded;
    std::atomic<bool> written{false};
    std::atomic<uint64_t> reads{0};
    run_threads(5, [&](size_t index) {
        while (index != 0 && !written) {
            plc_rwlock_read_lock(&guarded.lock);
            guarded.read();
            reads.fetch_add(1);
            std::this_thread::yield(); /* while reading: the others come in meanwhile */
            plc_rwlock_read_unlock(&guarded.lock);
        }
        for (size_t done = 0; index == 0 && done < scaled(5000); ++done) {
            const uint64_t before = reads.load();
            wait_until([&] { return reads.load() >= before + 5; }); /* they are all at it */
            plc_rwlock_write_lock(&guarded.lock);
            guarded.write();
            plc_rwlock_write_unlock(&guarded.lock);
        }
        if (index == 0)
            written = true;
    });
    EXPECT_EQ(guarded.read(), scaled(5000));
    EXPECT_EQ(word_of(guarded.lock), 0u);
}

/* Writers that never pause: a reader and an upgradable holder get in all the same. */
TEST(RwlockStressTest, WritersDoNotStarveOthers) {
    Guarded guarded;
    std::atomic<size_t> missing{2};
    std::atomic<uint64_t> writes{0};
    run_threads(5, [&](size_t index) {
        while (index >= 2 && missing.load() != 0) {
            plc_rwlock_write_lock(&guarded.lock);
            guarded.write();
            writes.fetch_add(1);
            plc_rwlock_write_unlock(&guarded.lock);
        }
        for (size_t done = 0; index < 2 && done < scaled(100); ++done) {
            const uint64_t before = writes.load();
            wait_until([&] { return writes.load() > before; });
            if (index == 0) {
                plc_rwlock_read_lock(&guarded.lock);
                guarded.read();
                plc_rwlock_read_unlock(&guarded.lock);
            } else {
                plc_rwlock_upgradable_lock(&guarded.lock);
                guarded.read();
                plc_rwlock_upgradable_unlock(&guarded.lock);
            }
        }
        if (index < 2)
            missing.fetch_sub(1);
    });
    EXPECT_EQ(guarded.read(), writes.load());
    EXPECT_EQ(word_of(guarded.lock), 0u);
}

} // namespace
