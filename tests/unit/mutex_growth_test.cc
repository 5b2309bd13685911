/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads that wait for mutexes make the bucket table grow as well as those that use the lot directly. */
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <thread>
#include <vector>

#include "support/bucket_keys.h"

namespace {

/* Half the buckets of the first table and some: what growth takes for a load. All in one bucket. */
constexpr size_t crowd = 140;

plc_mutex_t arena[1 << 16];

std::vector<plc_mutex_t *> mutexes_of_one_bucket() {
    std::vector<plc_mutex_t *> mutexes;
    plc_bucket *bucket = plc_test::bucket_of(&arena[0]);
    for (plc_mutex_t &mutex : arena) {
        if (mutexes.size() < crowd && plc_test::bucket_of(&mutex) == bucket)
            mutexes.push_back(&mutex);
    }
    return mutexes;
}

/* A thread that waits for this mutex, which the caller holds. PARKED tells of it without a look into the bucket, which would
   itself ask for growth. */
std::thread queue_for(plc_mutex_t *mutex) {
    std::thread waiter([mutex] {
        plc_mutex_lock(mutex);
        plc_mutex_unlock(mutex);
    });
    while (!(plc_load_relaxed(&mutex->state) & PLC_MUTEX_PARKED_)) /* relaxed: polled */
        std::this_thread::yield();
    return waiter;
}

/* Who joins a mutex's queue looks for its first waiter, as an unlock does: past all the strangers in the bucket. */
TEST(MutexGrowth, WalkingPastManyStrangersAsksForALargerTable) {
    const size_t size = plc_bucket_table_size();
    const std::vector<plc_mutex_t *> mutexes = mutexes_of_one_bucket();
    ASSERT_EQ(mutexes.size(), crowd);
    std::vector<std::thread> waiters;
    for (plc_mutex_t *mutex : mutexes) {
        plc_mutex_lock(mutex);
        waiters.push_back(queue_for(mutex));
    }
    EXPECT_GT(plc_bucket_table_size(), size);
    for (plc_mutex_t *mutex : mutexes)
        plc_mutex_unlock(mutex);
    for (std::thread &waiter : waiters)
        waiter.join();
    for (plc_mutex_t *mutex : mutexes)
        EXPECT_EQ(mutex->state, 0);
}

} // namespace
