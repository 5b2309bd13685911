/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The word lock: exclusion, first in first out, try, and a word that is zero when nobody is left. */
#include <atomic>
#include <cerrno>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "support/internal.h"

namespace {

/* The two flags below the queue's head, as word_lock.c has them. */
constexpr uintptr_t flags = 3;

uintptr_t word_of(plc_word_lock &lock) {
    return plc_load_relaxed(&lock.word); /* relaxed: polled */
}

/* Returns once another waiter than @p head is the newest, and says which word that is. */
uintptr_t wait_for_new_head(plc_word_lock &lock, uintptr_t head) {
    uintptr_t word;
    while (((word = word_of(lock)) & ~flags) == (head & ~flags))
        std::this_thread::yield();
    return word;
}

TEST(WordLock, ZeroIsUnlocked) {
    plc_word_lock lock = {};
    plc_word_lock_lock(&lock);
    EXPECT_NE(word_of(lock), 0u);
    plc_word_lock_unlock(&lock);
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(WordLock, TryLockTakesOnlyAFreeLock) {
    plc_word_lock lock = {};
    EXPECT_TRUE(plc_word_lock_try_lock(&lock));
    EXPECT_FALSE(plc_word_lock_try_lock(&lock));
    std::thread([&lock] { EXPECT_FALSE(plc_word_lock_try_lock(&lock)); }).join();
    plc_word_lock_unlock(&lock);
    std::thread([&lock] {
        EXPECT_TRUE(plc_word_lock_try_lock(&lock));
        plc_word_lock_unlock(&lock);
    }).join();
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(WordLock, WaitersAreServedInTheOrderInWhichTheyCame) {
    for (size_t count : {1u, 2u, 3u, 10u}) {
        plc_word_lock lock = {};
        std::vector<size_t> order; /* guarded by lock */
        std::vector<std::thread> waiters;
        plc_word_lock_lock(&lock);
        uintptr_t word = word_of(lock);
        for (size_t i = 0; i < count; ++i) {
            waiters.emplace_back([&, i] {
                plc_word_lock_lock(&lock);
                order.push_back(i);
                plc_word_lock_unlock(&lock);
            });
            word = wait_for_new_head(lock, word);
        }
        plc_word_lock_unlock(&lock);
        for (std::thread &waiter : waiters)
            waiter.join();
        for (size_t i = 0; i < count; ++i)
            EXPECT_EQ(order.at(i), i);
        EXPECT_EQ(word_of(lock), 0u);
    }
}

/* A waiter that joins after an unlocker has walked the queue is found by the next walk, and served last. */
TEST(WordLock, WaitersThatComeBetweenTwoUnlocksAreFound) {
    plc_word_lock lock = {};
    std::vector<size_t> order;
    std::vector<std::thread> waiters;
    std::atomic<bool> first_is_served{false};
    std::atomic<bool> more_have_queued{false};
    plc_word_lock_lock(&lock);
    uintptr_t word = word_of(lock);
    const auto add = [&](size_t i) {
        waiters.emplace_back([&, i] {
            plc_word_lock_lock(&lock);
            order.push_back(i);
            if (i == 0) {
                first_is_served = true;
                while (!more_have_queued.load())
                    std::this_thread::yield();
            }
            plc_word_lock_unlock(&lock);
        });
        word = wait_for_new_head(lock, word);
    };
    add(0);
    add(1);
    plc_word_lock_unlock(&lock); /* walks, takes 0 off, leaves 1 */
    while (!first_is_served.load())
        std::this_thread::yield();
    add(2);
    add(3);
    more_have_queued = true;
    for (std::thread &waiter : waiters)
        waiter.join();
    EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2, 3}));
    EXPECT_EQ(word_of(lock), 0u);
}

TEST(WordLock, TryLockDoesNotDisturbTheQueue) {
    plc_word_lock lock = {};
    plc_word_lock_lock(&lock);
    std::thread waiter([&lock] {
        plc_word_lock_lock(&lock);
        plc_word_lock_unlock(&lock);
    });
    const uintptr_t word = wait_for_new_head(lock, 0);
    EXPECT_FALSE(plc_word_lock_try_lock(&lock));
    EXPECT_EQ(word_of(lock), word);
    plc_word_lock_unlock(&lock);
    waiter.join();
}

TEST(WordLock, Excludes) {
    constexpr int threads = 4;
    constexpr int rounds = 10'000;
    plc_word_lock lock = {};
    long sum = 0; /* plain: guarded by lock */
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) {
        all.emplace_back([&] {
            for (int round = 0; round < rounds; ++round) {
                plc_word_lock_lock(&lock);
                ++sum;
                plc_word_lock_unlock(&lock);
            }
        });
    }
    for (std::thread &thread : all)
        thread.join();
    EXPECT_EQ(sum, static_cast<long>(threads) * rounds);
}

TEST(WordLock, PreservesErrno) {
    plc_word_lock lock = {};
    errno = 4242;
    plc_word_lock_lock(&lock);
    EXPECT_EQ(errno, 4242);
    std::thread waiter([&lock] {
        errno = 77;
        plc_word_lock_lock(&lock);
        EXPECT_EQ(errno, 77);
        plc_word_lock_unlock(&lock);
        EXPECT_EQ(errno, 77);
    });
    wait_for_new_head(lock, 0);
    errno = 4242;
    plc_word_lock_unlock(&lock);
    EXPECT_EQ(errno, 4242);
    waiter.join();
}

} // namespace
