/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The scalable reader-writer lock under load: what it guards stays whole, nobody starves, no slot is left over. */
#include <atomic>
#include <gtest/gtest.h>
#include <plc/rwlock_scalable.h>
#include <sched.h>
#include <thread>
#include <vector>

#include "support/guarded.h"
#include "support/internal.h"
#include "support/stress.h"
#include "sync/reader_table.h"

using namespace plc_test;

namespace {

using Guarded = GuardedWords<plc_rwlock_scalable_t>;

void expect_free(const Guarded &guarded) {
    EXPECT_EQ(guarded.lock.inner.state, 0u) << "a bit was left over";
    EXPECT_EQ(plc_reader_table_count(&guarded.lock), 0u) << "a slot was left over";
}

/* Now and then a holder loses its processor, so that others really wait. */
void dawdle(Random &random) {
    if (random.one_in(16))
        std::this_thread::yield();
}

bool read_lock(Guarded &guarded, Random &random) {
    switch (random.below(8)) {
    case 0:
        return plc_rwlock_scalable_try_read_lock(&guarded.lock);
    case 1:
        return plc_rwlock_scalable_read_lock_until(&guarded.lock, some_deadline(random));
    default:
        plc_rwlock_scalable_read_lock(&guarded.lock);
        return true;
    }
}

void as_reader(Guarded &guarded, Guarded &other, Random &random) {
    if (!read_lock(guarded, random))
        return;
    const uint64_t value = guarded.read();
    /* Another one as well, for a while; only to try it, for a writer may be between the two. */
    const bool both = &guarded != &other && random.one_in(4) && plc_rwlock_scalable_try_read_lock(&other.lock);
    dawdle(random);
    if (both)
        other.read();
    if (both && random.one_in(2)) {
        plc_rwlock_scalable_read_unlock(&other.lock);
        EXPECT_EQ(guarded.read(), value);
        plc_rwlock_scalable_read_unlock(&guarded.lock);
        return;
    }
    EXPECT_EQ(guarded.read(), value);
    plc_rwlock_scalable_read_unlock(&guarded.lock);
    if (both) {
        other.read();
        plc_rwlock_scalable_read_unlock(&other.lock);
    }
}

bool write_lock(Guarded &guarded, Random &random) {
    switch (random.below(3)) {
    case 0:
        return plc_rwlock_scalable_try_write_lock(&guarded.lock);
    case 1:
        return plc_rwlock_scalable_write_lock_until(&guarded.lock, some_deadline(random));
    default:
        plc_rwlock_scalable_write_lock(&guarded.lock);
        return true;
    }
}

size_t as_writer(Guarded &guarded, Random &random) {
    if (!write_lock(guarded, random))
        return 0;
    guarded.write();
    const uint64_t value = guarded.read();
    dawdle(random);
    if (random.one_in(4)) {
        plc_rwlock_scalable_downgrade(&guarded.lock);
        EXPECT_EQ(guarded.read(), value) << "a writer came between a write lock and its downgrade";
        plc_rwlock_scalable_read_unlock(&guarded.lock);
    } else {
        plc_rwlock_scalable_write_unlock(&guarded.lock);
    }
    return 1;
}

void everything_at_once(size_t threads, size_t locks, size_t operations, uint64_t writes_per_thousand) {
    std::vector<Guarded> guarded(locks);
    std::vector<std::atomic<uint64_t>> writes(locks);
    run_threads(threads, [&](size_t, Random &random) {
        for (size_t done = 0; done < scaled(operations) && !testing::Test::HasFailure(); ++done) {
            const size_t which = random.below(locks);
            if (random.below(1000) < writes_per_thousand)
                writes[which].fetch_add(as_writer(guarded[which], random));
            else
                as_reader(guarded[which], guarded[random.below(locks)], random);
        }
    });
    for (size_t which = 0; which < locks; ++which) {
        EXPECT_EQ(guarded[which].read(), writes[which].load());
        expect_free(guarded[which]);
    }
}

/* About one write in as many reads as open the table: it opens and closes all the time. */
TEST(RwlockScalableStressTest, EverythingAtOnceOnOneLock) {
    everything_at_once(6, 1, 150000, 4);
}

TEST(RwlockScalableStressTest, MoreThreadsThanARowHasSlots) {
    everything_at_once(24, 2, 30000, 4);
}

TEST(RwlockScalableStressTest, ManyLocksShareTheSlots) {
    everything_at_once(8, 50, 100000, 20);
}

TEST(RwlockScalableStressTest, ManyWriters) {
    everything_at_once(4, 2, 100000, 300);
}

/* Readers move to another processor between lock and unlock, and leave a row that is no longer theirs. */
TEST(RwlockScalableStressTest, ReadersThatMigrate) {
    Guarded guarded;
    std::atomic<uint64_t> writes{0};
    run_threads(4, [&](size_t index, Random &random) {
        for (size_t done = 0; done < scaled(15000); ++done) {
            if (index == 0 && random.one_in(8)) {
                writes.fetch_add(as_writer(guarded, random));
                continue;
            }
            plc_rwlock_scalable_read_lock(&guarded.lock);
            const uint64_t value = guarded.read();
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(random.below(plc_os_processor_count()), &one);
            sched_setaffinity(0, sizeof one, &one); /* which may be refused, and then tests less */
            EXPECT_EQ(guarded.read(), value);
            plc_rwlock_scalable_read_unlock(&guarded.lock);
        }
    });
    EXPECT_EQ(guarded.read(), writes.load());
    expect_free(guarded);
}

/* A writer's time-out meets the reader's leaving at every possible moment: no count may be left over, and the reader's
   wake must not be missed by the next writer. */
TEST(RwlockScalableStressTest, TimedWritersAmongReaders) {
    Guarded guarded;
    std::atomic<uint64_t> writes{0};
    run_threads(4, [&](size_t index, Random &random) {
        for (size_t done = 0; done < scaled(300000); ++done) {
            if (index >= 2) {
                plc_rwlock_scalable_read_lock(&guarded.lock);
                guarded.read();
                dawdle(random);
                plc_rwlock_scalable_read_unlock(&guarded.lock);
                continue;
            }
            const plc_deadline_t deadline = plc_deadline_after_ns(static_cast<int64_t>(random.below(30000)));
            const bool taken = random.one_in(50) && plc_rwlock_scalable_write_lock_until(&guarded.lock, deadline);
            if (taken) {
                guarded.write();
                writes.fetch_add(1);
                plc_rwlock_scalable_write_unlock(&guarded.lock);
            }
        }
    });
    EXPECT_EQ(guarded.read(), writes.load());
    expect_free(guarded);
}

/* The readers overlap, so that there is always one: a writer gets in all the same, a fixed number of times. */
TEST(RwlockScalableStressTest, ReadersDoNotStarveAWriter) {
    Guarded guarded;
    std::atomic<bool> written{false};
    std::atomic<uint64_t> reads{0};
    run_threads(5, [&](size_t index) {
        while (index != 0 && !written) {
            plc_rwlock_scalable_read_lock(&guarded.lock);
            guarded.read();
            reads.fetch_add(1);
            std::this_thread::yield(); /* while reading: the others come in meanwhile */
            plc_rwlock_scalable_read_unlock(&guarded.lock);
        }
        for (size_t done = 0; index == 0 && done < scaled(500); ++done) {
            const uint64_t before = reads.load();
            while (reads.load() < before + 200) /* enough for the table to be open again now and then */
                std::this_thread::yield();
            plc_rwlock_scalable_write_lock(&guarded.lock);
            guarded.write();
            plc_rwlock_scalable_write_unlock(&guarded.lock);
        }
        if (index == 0)
            written = true;
    });
    EXPECT_EQ(guarded.read(), scaled(500));
    expect_free(guarded);
}

/* Writers that never pause: a reader gets in all the same. */
TEST(RwlockScalableStressTest, WritersDoNotStarveAReader) {
    Guarded guarded;
    std::atomic<bool> read{false};
    std::atomic<uint64_t> writes{0};
    run_threads(4, [&](size_t index) {
        while (index != 0 && !read) {
            plc_rwlock_scalable_write_lock(&guarded.lock);
            guarded.write();
            writes.fetch_add(1);
            plc_rwlock_scalable_write_unlock(&guarded.lock);
        }
        for (size_t done = 0; index == 0 && done < scaled(100); ++done) {
            const uint64_t before = writes.load();
            while (writes.load() == before)
                std::this_thread::yield();
            plc_rwlock_scalable_read_lock(&guarded.lock);
            guarded.read();
            plc_rwlock_scalable_read_unlock(&guarded.lock);
        }
        if (index == 0)
            read = true;
    });
    EXPECT_EQ(guarded.read(), writes.load());
    expect_free(guarded);
}

} // namespace
