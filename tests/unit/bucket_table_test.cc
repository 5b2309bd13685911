/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The bucket table: its first use by many threads at once, and growth under thousands of waiters. */
#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>
#if __has_include(<sys/prctl.h>)
#include <sys/prctl.h>
#endif

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/small_threads.h"
#include "support/waiter_thread.h"

namespace {

using plc_test::key_arena;
using plc_test::park_thread;
using plc_test::parked_count;

/* More than six for each bucket of the first table. Sanitizers' threads are heavy. */
constexpr size_t crowd = plc_test::with_asan || plc_test::with_tsan ? 2000 : 3000;

/* Threads that park on keys of their own, and how many have done so. */
class Crowd {
  public:
    Crowd(size_t first_key, size_t count) : first_key_(first_key), count_(count) {
        threads_.start(count, [this](size_t i) { park(i); });
        while (queued_.load() != count)
            std::this_thread::yield();
    }
    const char *key(size_t i) const {
        return key_arena(first_key_ + i);
    }
    void release_all() {
        for (size_t i = 0; i < count_; ++i) {
            const plc_unpark_result result = plc_unpark_one(
                key(i), [](void *context, plc_unpark_result) { return *static_cast<uintptr_t *>(context); },
                const_cast<uintptr_t *>(&tokens_[i]));
            EXPECT_EQ(result.unparked, 1u) << "lost: " << i;
            EXPECT_FALSE(result.have_more);
        }
        threads_.join();
        EXPECT_EQ(wrong_.load(), 0u);
    }

  private:
    void park(size_t i) {
        tokens_[i] = 7 * i + 1;
        plc_park_ops ops = {};
        ops.before_sleep = [](void *context) { static_cast<Crowd *>(context)->queued_++; };
        const plc_park_result result = plc_park(key(i), &ops, this, i, PLC_NO_DEADLINE);
        if (result.status != PLC_PARK_UNPARKED || result.token != 7 * i + 1)
            wrong_++;
    }

    size_t first_key_;
    size_t count_;
    std::atomic<size_t> queued_{0};
    std::atomic<size_t> wrong_{0};
    std::vector<uintptr_t> tokens_ = std::vector<uintptr_t>(count_);
    plc_test::SmallThreads threads_;
};

/* Looks for every key of the crowd, which walks past many strangers, and parks: the lot may grow there. */
void provoke_growth(const Crowd &crowd_of_waiters, size_t count) {
    for (size_t i = 0; i < count; ++i)
        EXPECT_EQ(parked_count(crowd_of_waiters.key(i)), 1u) << i;
    const char key = 0;
    const plc_park_ops ops = {};
    EXPECT_EQ(plc_park(&key, &ops, nullptr, 0, plc_deadline_t{0, PLC_CLOCK_MONOTONIC}).status, PLC_PARK_TIMED_OUT);
}

size_t requeue_all(const void *from, const void *to) {
    return plc_unpark_requeue(
               from, to, [](void *) { return PLC_REQUEUE_ALL; }, nullptr, nullptr)
        .requeued;
}

/* The first of all: the table is static, so that nobody can lose a race to make it. */
TEST(BucketTable, IsThereForManyThreadsAtOnce) {
    EXPECT_LE(plc_bucket_table_size() * 64, size_t{16} << 10) << "larger than promised";
    constexpr size_t count = 32;
    const char key = 0;
    std::atomic<size_t> ready{0};
    std::atomic<size_t> queued{0};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < count; ++i) {
        threads.emplace_back([&] {
            plc_park_ops ops = {};
            ops.before_sleep = [](void *context) { ++*static_cast<std::atomic<size_t> *>(context); };
            ++ready;
            while (ready.load() != count)
                std::this_thread::yield();
            EXPECT_EQ(plc_park(&key, &ops, &queued, 0, PLC_NO_DEADLINE).status, PLC_PARK_UNPARKED);
        });
    }
    while (queued.load() != count)
        std::this_thread::yield();
    EXPECT_EQ(plc_unpark_all(&key, 0), count);
    for (std::thread &thread : threads)
        thread.join();
}

/* How many slots the kernel's table of this process's futexes has; not positive if there is no such table. */
long futex_slots() {
#ifdef PR_FUTEX_HASH_GET_SLOTS
    return prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_GET_SLOTS, 0, 0, 0);
#elif __has_include(<sys/prctl.h>)
    return prctl(78, 2, 0, 0, 0);
#else
    return -1;
#endif
}

/* Whoever joins the queue as the last of so many tells it before it sleeps. */
TEST(BucketTable, TellsTheKernelOfACrowd) {
    std::thread([] {}).join(); /* a process that has always had one thread has no such table yet */
    if (futex_slots() <= 0)
        GTEST_SKIP() << "this kernel has no futex table of the process's own";
    const char key = 0;
    const plc_park_ops ops = {};
    std::atomic<size_t> woken{0};
    plc_test::SmallThreads threads;
    threads.start(PLC_CROWD, [&](size_t) {
        woken += plc_park(&key, &ops, nullptr, 0, PLC_NO_DEADLINE).status == PLC_PARK_UNPARKED;
    });
    plc_test::wait_until_parked(&key, PLC_CROWD);
    EXPECT_EQ(plc_unpark_all(&key, 0), size_t{PLC_CROWD});
    threads.join();
    EXPECT_EQ(woken.load(), size_t{PLC_CROWD});
    EXPECT_GE(futex_slots(), long{PLC_CROWD} * PLC_CROWD_ROOM);
}

TEST(BucketTable, AFewCollidingKeysDoNotGrowIt) {
    const char key = 0;
    const size_t size = plc_bucket_table_size();
    const auto beside = plc_test::keys_beside(&key, 8);
    std::vector<std::unique_ptr<plc_test::WaiterThread>> threads;
    for (const void *other : beside)
        threads.push_back(park_thread(other));
    for (int i = 0; i < 100; ++i) {
        for (const void *other : beside)
            EXPECT_EQ(parked_count(other), 1u);
        EXPECT_EQ(park_thread(&key)->has_returned() ? 1u : plc_unpark_all(&key, 0), 1u);
    }
    EXPECT_EQ(plc_bucket_table_size(), size);
    for (const void *other : beside)
        EXPECT_EQ(plc_unpark_all(other, 0), 1u);
}

TEST(BucketTable, GrowsUnderThousandsOfWaitersAndFindsThemAll) {
    const size_t size = plc_bucket_table_size();
    Crowd before(0, crowd);
    const char keys[2] = {};
    auto expired = plc_test::park_expired_thread(&keys[0]);
    auto unparked = plc_test::park_expired_thread(&keys[1]);
    EXPECT_EQ(plc_bucket_table_size(), size) << "nobody has asked for more yet";
    provoke_growth(before, crowd);
    EXPECT_GT(plc_bucket_table_size(), size);
    /* Queued in the old table, their time runs out in the new one. */
    EXPECT_EQ(plc_unpark_all(&keys[1], 4), 1u);
    EXPECT_EQ(unparked->join().token, 4u);
    EXPECT_EQ(expired->join().status, PLC_PARK_TIMED_OUT);
    EXPECT_EQ(expired->timed_out_key(), &keys[0]);
    EXPECT_TRUE(expired->was_last());
    /* Those who were queued before are found by every operation, beside those who came later. */
    Crowd later(crowd, 64);
    for (size_t i = 0; i < crowd; i += 97)
        EXPECT_EQ(parked_count(before.key(i)), 1u);
    const char *spare = key_arena(crowd + 64);
    EXPECT_EQ(requeue_all(before.key(1), spare), 1u);
    EXPECT_EQ(plc_test::parked_tokens(plc_lot_key(spare, PLC_WAITER_USER)), (std::vector<uintptr_t>{1}));
    EXPECT_EQ(requeue_all(spare, before.key(1)), 1u);
    later.release_all();
    before.release_all();
}

} // namespace
