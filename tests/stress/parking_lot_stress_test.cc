/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parking lot under load: latches, a semaphore, random operations that must balance, growth meanwhile. */
#include <algorithm>
#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/small_threads.h"
#include "support/stress.h"

namespace {

using plc_test::key_arena;
using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

/* ---- Latches: everybody waits for one more, again and again */

struct Latch {
    std::atomic<size_t> missing{0};

    void arrive() {
        if (missing.fetch_sub(1) == 1) {
            plc_unpark_all(this, 0);
            return;
        }
        plc_park_ops ops = {};
        ops.validate = [](void *context) { return static_cast<Latch *>(context)->missing.load() != 0; };
        const plc_park_result result = plc_park(this, &ops, this, 0, PLC_NO_DEADLINE);
        ASSERT_NE(result.status, PLC_PARK_TIMED_OUT);
        ASSERT_EQ(missing.load(), 0u);
    }
};

void pass_latches(size_t threads, size_t count) {
    std::vector<Latch> latches(count);
    for (Latch &latch : latches)
        latch.missing = threads;
    run_threads(threads, [&latches](size_t) {
        for (Latch &latch : latches)
            latch.arrive();
    });
}

TEST(ParkingLotStress, LatchesForTwo) {
    pass_latches(2, scaled(20'000));
}

TEST(ParkingLotStress, LatchesForMany) {
    pass_latches(24, scaled(500));
}

/* ---- A semaphore whose posts are never lost, though a post does nothing unless it finds a waiter */

struct Semaphore {
    std::atomic<size_t> permits;

    explicit Semaphore(size_t initial) : permits(initial) {}

    bool try_take() {
        size_t seen = permits.load();
        while (seen > 0) {
            if (permits.compare_exchange_weak(seen, seen - 1))
                return true;
        }
        return false;
    }
    /* Returns whether it had a permit before its time was out. */
    bool take(plc_deadline_t deadline) {
        plc_park_ops ops = {};
        ops.validate = [](void *context) { return static_cast<Semaphore *>(context)->permits.load() == 0; };
        while (!try_take()) {
            if (plc_park(this, &ops, this, 0, deadline).status == PLC_PARK_TIMED_OUT)
                return false;
        }
        return true;
    }
    void post() {
        permits.fetch_add(1);
        plc_unpark_one(this, nullptr, nullptr);
    }
};

TEST(ParkingLotStress, SemaphoreLosesNoPost) {
    constexpr size_t threads = 8;
    constexpr size_t permits = 3;
    const size_t rounds = scaled(10'000);
    Semaphore semaphore(permits);
    std::atomic<size_t> inside{0};
    std::atomic<size_t> taken{0};
    run_threads(threads, [&](size_t, Random &random) {
        for (size_t i = 0; i < rounds; ++i) {
            const bool impatient = random.one_in(8);
            if (!semaphore.take(impatient ? plc_deadline_after_ns(static_cast<int64_t>(random.below(50'000)))
                                          : PLC_NO_DEADLINE)) {
                ASSERT_TRUE(impatient);
                continue;
            }
            ASSERT_LE(inside.fetch_add(1), permits - 1);
            taken++;
            if (random.one_in(4))
                std::this_thread::yield();
            inside--;
            semaphore.post();
        }
    });
    EXPECT_EQ(semaphore.permits.load(), permits);
    EXPECT_GE(taken.load(), threads * rounds / 2);
    EXPECT_EQ(plc_test::parked_count(&semaphore), 0u);
}

/* Two threads in strict turns: the store before the unpark and the look under the bucket's lock are the store-load pair
   that counts of waiters without a fence got wrong elsewhere. */
TEST(ParkingLotStress, TurnsAreNeverLost) {
    const size_t rounds = scaled(50'000);
    struct Turns {
        std::atomic<size_t> turn{0};
        size_t plain = 0;
    } turns;
    run_threads(2, [&](size_t me) {
        struct Wait {
            Turns *turns;
            size_t until;
        };
        plc_park_ops ops = {};
        ops.validate = [](void *context) {
            const auto *wait = static_cast<Wait *>(context);
            return wait->turns->turn.load(std::memory_order_relaxed) != wait->until;
        };
        for (size_t i = me; i < rounds; i += 2) {
            Wait wait{&turns, i};
            while (turns.turn.load(std::memory_order_acquire) != i)
                plc_park(&turns, &ops, &wait, 0, PLC_NO_DEADLINE);
            ASSERT_EQ(turns.plain, i);
            turns.plain = i + 1;
            turns.turn.store(i + 1, std::memory_order_release);
            plc_unpark_one(&turns, nullptr, nullptr);
        }
    });
    EXPECT_EQ(turns.plain, rounds);
}

/* ---- Everything at once: what unparks say they woke is what parks say woke them */

struct Chaos {
    static constexpr size_t key_count = 6;
    std::array<const void *, key_count> keys{};
    std::atomic<size_t> woken{0};     /* by the results of unparks */
    std::atomic<size_t> unparked{0};  /* by the results of parks */
    std::atomic<size_t> time_outs{0}; /* by the results of parks */
    std::atomic<size_t> timed_out_calls{0};
    std::atomic<size_t> parkers{0}; /* threads that still may park */

    Chaos() {
        /* Some of these share a bucket, some do not. */
        const auto beside = plc_test::keys_beside(key_arena(0), 2);
        keys = {key_arena(0), beside.at(0), beside.at(1), key_arena(1), key_arena(2), key_arena(3)};
    }
    const void *any_key(Random &random) const {
        return keys[random.below(key_count)];
    }
    /* A key in a bucket that none of ours is in. */
    const void *key_in_another_bucket() const {
        size_t index = 10;
        const auto is_taken = [&](const void *key) {
            return plc_test::bucket_of(key) == plc_test::bucket_of(key_arena(index));
        };
        while (std::any_of(keys.begin(), keys.end(), is_taken))
            ++index;
        return key_arena(index);
    }
    static uintptr_t token_for(plc_unpark_result result) {
        return result.unparked ? 42 : 0;
    }

    void park(Random &random) {
        plc_park_ops ops = {};
        ops.timed_out = [](void *context, const void *, bool) { static_cast<Chaos *>(context)->timed_out_calls++; };
        ops.flags = random.one_in(4) ? unsigned{PLC_PARK_AT_FRONT} : 0;
        if (random.one_in(2))
            ops.flags |= PLC_PARK_NO_SPIN;
        const bool patient = random.one_in(4);
        const plc_deadline_t deadline =
            patient ? PLC_NO_DEADLINE : plc_deadline_after_ns(static_cast<int64_t>(random.below(100'000)));
        const plc_park_result result = plc_park(any_key(random), &ops, this, random.below(3), deadline);
        if (result.status == PLC_PARK_TIMED_OUT) {
            ASSERT_FALSE(patient);
            time_outs++;
        } else {
            ASSERT_EQ(result.status, PLC_PARK_UNPARKED);
            ASSERT_EQ(result.token, 42u);
            unparked++;
        }
    }

    void unpark(Random &random) {
        plc_unpark_result result = {};
        switch (random.below(4)) {
        case 0:
            result.unparked = plc_unpark_all(any_key(random), 42);
            break;
        case 1:
            result = plc_unpark_one(
                any_key(random), [](void *, plc_unpark_result about) { return token_for(about); }, nullptr);
            break;
        case 2:
            result = plc_unpark_filter(
                any_key(random), [](void *, uintptr_t token) { return static_cast<plc_filter_op>(token); },
                [](void *, plc_unpark_result about) { return token_for(about); }, nullptr);
            break;
        default: {
            uint64_t op = random.below(6);
            result = plc_unpark_requeue(
                any_key(random), any_key(random),
                [](void *context) { return static_cast<plc_requeue_op>(*static_cast<uint64_t *>(context)); },
                [](void *, plc_requeue_op, plc_unpark_result about) { return token_for(about); }, &op);
        }
        }
        woken += result.unparked;
    }

    void drain() {
        for (const void *key : keys)
            woken += plc_unpark_all(key, 42);
    }
};

TEST(ParkingLotStress, RandomOperationsBalance) {
    constexpr size_t parkers = 6;
    const size_t rounds = scaled(4000);
    Chaos chaos;
    chaos.parkers = parkers;
    run_threads(parkers + 2, [&](size_t index, Random &random) {
        if (index < parkers) {
            for (size_t i = 0; i < rounds; ++i)
                chaos.park(random);
            chaos.parkers--;
            return;
        }
        while (chaos.parkers.load() > 0) {
            chaos.unpark(random);
            if (random.one_in(16))
                chaos.drain(); /* tokens that the filter stops at would hold up the queue for long */
        }
    });
    EXPECT_EQ(chaos.woken.load(), chaos.unparked.load());
    EXPECT_EQ(chaos.timed_out_calls.load(), chaos.time_outs.load());
    EXPECT_EQ(chaos.unparked.load() + chaos.time_outs.load(), parkers * rounds);
    for (const void *key : chaos.keys)
        EXPECT_EQ(plc_test::parked_count(key), 0u);
}

/* Growth while waiters come, go, are moved and time out. */
TEST(ParkingLotStress, GrowthLosesNobody) {
    /* All in one bucket, so that looks walk past many, and more than half as many as there are buckets. */
    Chaos chaos;
    const auto keys = plc_test::keys_beside(chaos.key_in_another_bucket(), 160);
    const size_t crowd = keys.size();
    const size_t size = plc_bucket_table_size();
    std::atomic<size_t> queued{0};
    std::atomic<size_t> woken{0};
    plc_test::SmallThreads sleepers;
    run_threads(3, [&](size_t index, Random &random) {
        if (index == 0) {
            sleepers.start(crowd, [&](size_t i) {
                plc_park_ops ops = {};
                ops.before_sleep = [](void *context) { ++*static_cast<std::atomic<size_t> *>(context); };
                if (plc_park(keys[i], &ops, &queued, i, PLC_NO_DEADLINE).token == i + 1)
                    woken++;
            });
            while (queued.load() != crowd)
                std::this_thread::yield();
            for (int attempt = 0; attempt < 1000 && plc_bucket_table_size() == size; ++attempt) {
                for (const void *key : keys)
                    EXPECT_EQ(plc_test::parked_count(key), 1u);
                std::this_thread::yield(); /* others park, which is when the table grows */
            }
            chaos.parkers = 1;
        } else if (index == 1) {
            while (chaos.parkers.load() == 0)
                chaos.park(random);
            chaos.parkers = 2;
        } else {
            while (chaos.parkers.load() != 2)
                chaos.drain();
        }
    });
    for (size_t i = 0; i < crowd; ++i)
        EXPECT_EQ(plc_unpark_all(keys[i], i + 1), 1u) << i;
    sleepers.join();
    EXPECT_EQ(woken.load(), crowd);
    EXPECT_EQ(chaos.woken.load(), chaos.unparked.load());
    EXPECT_GT(plc_bucket_table_size(), size);
}

} // namespace
