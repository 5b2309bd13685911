/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unparking from the parking lot: one, all, fairness, order, keys and kinds. */
#include <atomic>
#include <functional>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/waiter_thread.h"

namespace {

using plc_test::LotKey;
using plc_test::park_thread;
using plc_test::park_threads;
using plc_test::parked_count;
using plc_test::parked_tokens;
using plc_test::WaiterThread;

LotKey user(const void *address) {
    return plc_lot_key(address, PLC_WAITER_USER);
}

/* ---- Unparking one */

TEST(UnparkOne, OfAnEmptyKeyFindsNobodyButCallsBack) {
    const char key = 0;
    int calls = 0;
    const plc_unpark_result result = plc_unpark_one(
        &key,
        [](void *context, plc_unpark_result found) -> uintptr_t {
            ++*static_cast<int *>(context);
            EXPECT_EQ(found.unparked, 0u);
            EXPECT_FALSE(found.have_more);
            EXPECT_FALSE(found.be_fair);
            return 0;
        },
        &calls);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(result.unparked, 0u);
    EXPECT_EQ(result.requeued, 0u);
    EXPECT_FALSE(result.have_more);
    EXPECT_EQ(plc_unpark_one(&key, nullptr, nullptr).unparked, 0u);
}

TEST(UnparkOne, WakesTheOldestAndSaysWhetherMoreWait) {
    const char key = 0;
    auto threads = park_threads(&key, 4, 10);
    for (size_t i = 0; i < 4; ++i) {
        uintptr_t token = 100 + i;
        const plc_unpark_result result = plc_unpark_one(
            &key,
            [](void *context, plc_unpark_result about_to) {
                EXPECT_EQ(about_to.unparked, 1u);
                return *static_cast<uintptr_t *>(context);
            },
            &token);
        EXPECT_EQ(result.unparked, 1u);
        EXPECT_EQ(result.have_more, i < 3);
        EXPECT_EQ(parked_count(&key), 3 - i);
        const plc_park_result woken = threads[i]->join();
        EXPECT_EQ(woken.status, PLC_PARK_UNPARKED);
        EXPECT_EQ(woken.token, token);
    }
}

TEST(UnparkOne, WithoutCallbackGivesTokenZero) {
    const char key = 0;
    auto waiter = park_thread(&key, 5);
    EXPECT_EQ(plc_unpark_one(&key, nullptr, nullptr).unparked, 1u);
    EXPECT_EQ(waiter->join().token, 0u);
}

TEST(UnparkOne, TokensAreWholeWords) {
    const char key = 0;
    for (uintptr_t token : {UINTPTR_MAX, UINTPTR_MAX - 1, UINTPTR_MAX / 2 + 1}) {
        auto waiter = park_thread(&key, token);
        EXPECT_EQ(parked_tokens(user(&key)), (std::vector<uintptr_t>{token}));
        EXPECT_EQ(plc_unpark_all(&key, ~token), 1u);
        EXPECT_EQ(waiter->join().token, ~token);
    }
}

/* ---- Fairness */

/* The bucket was asked at this time, on the monotonic clock, before whoever comes now. */
void set_asked_at(const void *key, int64_t asked_at) {
    plc_bucket *bucket = plc_bucket_lock(key);
    bucket->asked_at = asked_at;
    plc_bucket_unlock(bucket);
}

int64_t asked_at(const void *key) {
    plc_bucket *bucket = plc_bucket_lock(key);
    const int64_t asked_at = bucket->asked_at;
    plc_bucket_unlock(bucket);
    return asked_at;
}

int64_t now() {
    return plc_os_now_ns(PLC_CLOCK_MONOTONIC);
}

constexpr int64_t kSecond = 1'000'000'000;

uintptr_t note_fairness(void *context, plc_unpark_result result) {
    *static_cast<bool *>(context) = result.be_fair;
    return 0;
}

uintptr_t note_fairness_of_requeue(void *context, plc_requeue_op, plc_unpark_result result) {
    return note_fairness(context, result);
}

/* Every way to unpark, with a callback: what it was told, and what the caller was. */
struct Asking {
    plc_unpark_result result;
    bool told;
};

std::vector<std::function<Asking(const char *)>> ways_to_ask() {
    const auto one = [](const char *key) {
        bool told = false;
        const plc_unpark_result result = plc_unpark_one(key, note_fairness, &told);
        return Asking{result, told};
    };
    const auto all = [](const char *key) {
        bool told = false;
        const plc_unpark_result result = plc_unpark_filter(
            key, [](void *, uintptr_t) { return PLC_FILTER_UNPARK; }, note_fairness, &told);
        return Asking{result, told};
    };
    const auto requeue = [](const char *key) {
        bool told = false;
        const plc_unpark_result result = plc_unpark_requeue(
            key, key + 1, [](void *) { return PLC_REQUEUE_WAKE_ONE; }, note_fairness_of_requeue, &told);
        return Asking{result, told};
    };
    return {one, all, requeue};
}

bool asks_fairly(const std::function<Asking(const char *)> &ask, const char *key) {
    const Asking asking = ask(key);
    EXPECT_EQ(asking.told, asking.result.be_fair);
    return asking.told;
}

TEST(BeFair, SaysThatTheFirstHasWaitedForLong) {
    const char keys[2] = {};
    const char *key = keys;
    for (const auto &ask : ways_to_ask()) {
        set_asked_at(key, now() - kSecond);
        {
            auto waiter = park_thread(key);
            EXPECT_TRUE(asks_fairly(ask, key));
        }
        set_asked_at(key, now() + 3600 * kSecond); /* from the future: not due, however slow this machine is */
        {
            auto waiter = park_thread(key);
            EXPECT_FALSE(asks_fairly(ask, key));
        }
        EXPECT_FALSE(asks_fairly(ask, key)) << "nobody waits";
    }
}

/* Whoever has waited for that long is due, whoever came and was asked about since. */
TEST(BeFair, CountsFromBeforeTheWaiterCame) {
    const char key = 0;
    set_asked_at(&key, now() - kSecond);
    auto first = park_thread(&key);
    auto second = park_thread(&key);
    bool told = false;
    plc_unpark_one(&key, note_fairness, &told);
    EXPECT_TRUE(told);
    const int64_t asked = asked_at(&key);
    EXPECT_LE(asked, now());
    set_asked_at(&key, now() + 3600 * kSecond); /* the next one comes after this */
    auto third = park_thread(&key);
    told = false;
    plc_unpark_one(&key, note_fairness, &told);
    EXPECT_TRUE(told);
    EXPECT_GE(asked_at(&key), asked);
    plc_unpark_one(&key, note_fairness, &told);
    EXPECT_FALSE(told);
}

TEST(BeFair, IsNotAskedWithoutACallback) {
    const char keys[2] = {};
    const char *key = keys;
    set_asked_at(key, 1);
    auto waiters = park_threads(key, 3);
    EXPECT_FALSE(plc_unpark_one(key, nullptr, nullptr).be_fair);
    EXPECT_FALSE(plc_unpark_requeue(
                     key, key + 1, [](void *) { return PLC_REQUEUE_WAKE_ONE; }, nullptr, nullptr)
                     .be_fair);
    EXPECT_FALSE(plc_unpark_filter(
                     key, [](void *, uintptr_t) { return PLC_FILTER_UNPARK; }, nullptr, nullptr)
                     .be_fair);
    EXPECT_EQ(asked_at(key), 1) << "nobody has looked at the clock";
}

/* It is new where it was moved to. */
TEST(BeFair, AMovedWaiterIsCountedAnew) {
    const char keys[2] = {};
    set_asked_at(&keys[0], now() - kSecond);
    auto waiter = park_thread(&keys[0]);
    set_asked_at(&keys[1], now() + 3600 * kSecond);
    EXPECT_EQ(plc_unpark_requeue(
                  &keys[0], &keys[1], [](void *) { return PLC_REQUEUE_ONE; }, nullptr, nullptr)
                  .requeued,
              1u);
    bool told = true;
    plc_unpark_one(&keys[1], note_fairness, &told);
    EXPECT_FALSE(told);
}

/* ---- Unparking all */

TEST(UnparkAll, CountsAndWakesEverybody) {
    const char key = 0;
    EXPECT_EQ(plc_unpark_all(&key, 1), 0u);
    for (size_t count : {1u, 2u, 9u, 50u}) {
        auto threads = park_threads(&key, count);
        EXPECT_EQ(plc_unpark_all(&key, count), count);
        EXPECT_EQ(parked_count(&key), 0u);
        for (auto &thread : threads) {
            const plc_park_result result = thread->join();
            EXPECT_EQ(result.status, PLC_PARK_UNPARKED);
            EXPECT_EQ(result.token, count);
        }
    }
}

/* ---- Order */

TEST(AtFront, PutsAWaiterBeforeAllOfItsKey) {
    const char key = 0;
    WaiterThread::Options front;
    front.flags = PLC_PARK_AT_FRONT;
    front.token = 1;
    WaiterThread into_empty(user(&key), front);
    auto back = park_threads(&key, 2, 2);
    front.token = 4;
    WaiterThread second(user(&key), front);
    front.token = 5;
    WaiterThread third(user(&key), front);
    auto last = park_thread(&key, 6);
    EXPECT_EQ(parked_tokens(user(&key)), (std::vector<uintptr_t>{5, 4, 1, 2, 3, 6}));
    EXPECT_EQ(plc_unpark_one(&key, nullptr, nullptr).unparked, 1u);
    EXPECT_EQ(third.join().status, PLC_PARK_UNPARKED);
    EXPECT_EQ(plc_unpark_all(&key, 0), 5u);
}

/* ---- Keys and kinds */

TEST(Keys, OneByteApartAreDifferent) {
    const char keys[9] = {};
    std::vector<std::unique_ptr<WaiterThread>> threads;
    for (size_t i = 0; i < 9; ++i)
        threads.push_back(park_thread(&keys[i], i));
    for (size_t i : {4u, 0u, 8u, 3u, 5u, 1u, 7u, 2u, 6u}) {
        EXPECT_EQ(parked_tokens(user(&keys[i])), (std::vector<uintptr_t>{i}));
        EXPECT_EQ(plc_unpark_all(&keys[i], 50 + i), 1u);
        EXPECT_EQ(threads[i]->join().token, 50 + i);
        EXPECT_EQ(plc_unpark_all(&keys[i], 0), 0u);
    }
}

TEST(Keys, AreNotDereferenced) {
    for (uintptr_t address : {uintptr_t{0}, uintptr_t{1}, UINTPTR_MAX}) {
        const auto *key = reinterpret_cast<const void *>(address); /* NOLINT(performance-no-int-to-ptr) */
        auto waiter = park_thread(key, 2);
        EXPECT_EQ(plc_unpark_all(key, 3), 1u);
        EXPECT_EQ(waiter->join().token, 3u);
    }
}

TEST(Keys, CollidingOnesKeepTheirOwnOrder) {
    const char key = 0;
    std::vector<const void *> keys = plc_test::keys_beside(&key, 2);
    ASSERT_EQ(keys.size(), 2u);
    keys.push_back(&key);
    std::vector<std::unique_ptr<WaiterThread>> threads;
    for (uintptr_t token = 0; token < 12; ++token)
        threads.push_back(park_thread(keys[token % 3], token));
    for (uintptr_t token = 0; token < 12; ++token) {
        std::vector<uintptr_t> left;
        for (uintptr_t later = token; later < 12; later += 3)
            left.push_back(later);
        EXPECT_EQ(parked_tokens(user(keys[token % 3])), left);
        const plc_unpark_result result = plc_unpark_one(keys[token % 3], nullptr, nullptr);
        EXPECT_EQ(result.unparked, 1u);
        EXPECT_EQ(result.have_more, token < 9) << "strangers in the bucket are not more of this key";
        EXPECT_EQ(threads[token]->join().status, PLC_PARK_UNPARKED);
    }
}

TEST(Kinds, DoNotSeeEachOther) {
    const char address = 0;
    std::vector<std::unique_ptr<WaiterThread>> threads;
    const std::vector<plc_waiter_kind> kinds = {PLC_WAITER_USER,         PLC_WAITER_MUTEX,   PLC_WAITER_RWLOCK,
                                                PLC_WAITER_RWLOCK_DRAIN, PLC_WAITER_CONDVAR, PLC_WAITER_ONCE};
    for (plc_waiter_kind kind : kinds)
        threads.push_back(park_thread(plc_lot_key(&address, kind), kind));
    for (size_t i = kinds.size(); i-- > 0;) {
        const LotKey key = plc_lot_key(&address, kinds[i]);
        EXPECT_EQ(parked_tokens(key), (std::vector<uintptr_t>{kinds[i]}));
        const plc_unpark_result result = plc_lot_unpark_one(key, nullptr, nullptr);
        EXPECT_EQ(result.unparked, 1u);
        EXPECT_FALSE(result.have_more);
        EXPECT_EQ(plc_lot_unpark_all(key, 0), 0u);
        EXPECT_EQ(threads[i]->join().status, PLC_PARK_UNPARKED);
    }
}

/* A lock's waiters are not the user's: a program that unparks the address of a libplc lock wakes nobody. */
TEST(Kinds, UsersCannotWakeALocksWaiters) {
    const char address = 0;
    auto waiter = park_thread(plc_lot_key(&address, PLC_WAITER_MUTEX));
    EXPECT_EQ(plc_unpark_all(&address, 0), 0u);
    EXPECT_EQ(plc_unpark_one(&address, nullptr, nullptr).unparked, 0u);
    EXPECT_EQ(parked_count(&address, PLC_WAITER_MUTEX), 1u);
    EXPECT_EQ(plc_lot_unpark_all(plc_lot_key(&address, PLC_WAITER_MUTEX), 0), 1u);
}

/* ---- Woken together again and again: from the second time on they sleep where one call wakes many. */

TEST(UnparkAll, WakesThoseWhoWereWokenTogetherBefore) {
    constexpr uint64_t rounds = 200;
    constexpr size_t count = 40; /* more than share a word */
    static uint64_t generation;
    plc_store_relaxed(&generation, uint64_t{0});
    std::atomic<size_t> came{0};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < count; ++i) {
        threads.emplace_back([&came, i] {
            for (uint64_t seen = 0; seen < rounds;) {
                plc_park_ops ops{};
                ops.validate = [](void *context) {
                    return plc_load_relaxed(&generation) == *static_cast<uint64_t *>(context);
                };
                /* One in four parks with deadlines that pass now and then. */
                const plc_deadline_t deadline = i % 4 ? PLC_NO_DEADLINE : plc_deadline_after_ns(50000);
                plc_park(&generation, &ops, &seen, 0, deadline);
                const uint64_t now = plc_load_acquire(&generation);
                if (now != seen) {
                    EXPECT_EQ(now, seen + 1) << "nobody goes on before all have come";
                    seen = now;
                    came.fetch_add(1);
                }
            }
        });
    }
    for (uint64_t round = 1; round <= rounds; ++round) {
        plc_store_release(&generation, round);
        plc_unpark_all(&generation, 0);
        while (came.load() != round * count)
            std::this_thread::yield();
    }
    for (std::thread &thread : threads)
        thread.join();
}

} // namespace
