/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The deepest paths fit on the smallest stack that a thread may have. */
#include <atomic>
#include <gtest/gtest.h>
#include <limits.h>
#include <plc/condvar.h>
#include <plc/mutex.h>
#include <plc/once.h>
#include <plc/rwlock.h>
#include <thread>
#include <unistd.h>

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/small_threads.h"

namespace {

size_t smallest_stack() {
    const long smallest = sysconf(_SC_THREAD_STACK_MIN);
    return smallest > 0 ? static_cast<size_t>(smallest) : static_cast<size_t>(PTHREAD_STACK_MIN);
}

TEST(SmallStack, EveryLockIsContended) {
    if (plc_test::with_asan || plc_test::with_tsan)
        GTEST_SKIP() << "a sanitizer's frames are larger";
    constexpr size_t threads = 8;
    constexpr int rounds = 200;
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_rwlock_t rwlock = PLC_RWLOCK_INIT;
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
    plc_once_t once = PLC_ONCE_INIT;
    int arrived = 0; /* guarded by mutex */
    long sum = 0;    /* guarded by rwlock */
    int called = 0;
    plc_test::SmallThreads small(smallest_stack());
    small.start(threads, [&](size_t) {
        plc_once_call(
            &once,
            [](void *context) {
                ++*static_cast<int *>(context);
                return true;
            },
            &called);
        plc_mutex_lock(&mutex);
        ++arrived;
        plc_condvar_notify_all(&condvar);
        while (arrived < static_cast<int>(threads))
            plc_condvar_wait(&condvar, &mutex);
        plc_mutex_unlock_fair(&mutex);
        for (int i = 0; i < rounds; ++i) {
            plc_rwlock_upgradable_lock(&rwlock);
            plc_rwlock_upgrade(&rwlock);
            ++sum;
            plc_rwlock_downgrade(&rwlock);
            plc_rwlock_read_unlock(&rwlock);
            if (plc_mutex_lock_until(&mutex, plc_deadline_after_ns(20'000))) {
                plc_mutex_bump(&mutex);
                plc_mutex_unlock(&mutex);
            }
        }
    });
    small.join();
    EXPECT_EQ(sum, static_cast<long>(threads) * rounds);
    EXPECT_EQ(called, 1);
}

/* Parking inside a park, requeues, time-outs, and growth of the table. */
TEST(SmallStack, TheLotGrowsThere) {
    if (plc_test::with_asan || plc_test::with_tsan)
        GTEST_SKIP() << "a sanitizer's frames are larger";
    /* All in one bucket, so that looks walk past many, and more than half as many as there are buckets. */
    const auto keys = plc_test::keys_beside(plc_test::key_arena(0), 160);
    const size_t crowd = keys.size();
    std::atomic<size_t> queued{0};
    const size_t size = plc_bucket_table_size();
    plc_test::SmallThreads sleepers(smallest_stack());
    sleepers.start(crowd, [&](size_t i) {
        plc_park_ops ops = {};
        ops.before_sleep = [](void *context) {
            const plc_park_ops nested = {};
            plc_park(context, &nested, nullptr, 0, plc_deadline_t{0, PLC_CLOCK_MONOTONIC});
            ++*static_cast<std::atomic<size_t> *>(context);
        };
        EXPECT_EQ(plc_park(keys[i], &ops, &queued, 0, PLC_NO_DEADLINE).token, 5u);
    });
    while (queued.load() != crowd)
        std::this_thread::yield();
    /* Looks that walk past strangers wish for growth, and a thread that parks grants it: not for the first wish. */
    for (int attempt = 0; attempt < 200 && plc_bucket_table_size() == size; ++attempt) {
        for (size_t i = 0; i < crowd; ++i)
            EXPECT_EQ(plc_test::parked_count(keys[i]), 1u);
        plc_test::SmallThreads grower(smallest_stack());
        grower.start(1, [&](size_t) {
            const plc_park_ops ops = {};
            plc_park(&grower, &ops, nullptr, 0, plc_deadline_t{0, PLC_CLOCK_MONOTONIC});
        });
        grower.join();
    }
    EXPECT_GT(plc_bucket_table_size(), size);
    for (size_t i = 0; i < crowd; ++i)
        EXPECT_EQ(plc_unpark_all(keys[i], 5), 1u);
    sleepers.join();
}

} // namespace
