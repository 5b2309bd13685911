/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* unpark_requeue: all six operations within a bucket and across two, opposite directions at once, and time-outs after. */
#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/waiter_thread.h"

namespace {

using plc_test::LotKey;
using plc_test::park_expired_thread;
using plc_test::park_thread;
using plc_test::park_threads;
using plc_test::parked_count;
using plc_test::parked_tokens;
using plc_test::WaiterThread;

LotKey user(const void *address) {
    return plc_lot_key(address, PLC_WAITER_USER);
}

struct Call {
    plc_requeue_op op;
    int validated = 0;
    int called_back = 0;
    plc_requeue_op told_op = PLC_REQUEUE_ABORT;
    plc_unpark_result told = {};
};

plc_requeue_op validate(void *context) {
    auto *call = static_cast<Call *>(context);
    call->validated++;
    return call->op;
}

uintptr_t call_back(void *context, plc_requeue_op op, plc_unpark_result result) {
    auto *call = static_cast<Call *>(context);
    call->called_back++;
    call->told_op = op;
    call->told = result;
    return 500;
}

plc_unpark_result requeue(const void *from, const void *to, plc_requeue_op op) {
    Call call{op};
    return plc_unpark_requeue(from, to, validate, nullptr, &call);
}

/* How many of @p count waiters an operation wakes and moves. */
size_t wakes(plc_requeue_op op, size_t count) {
    const bool one = op == PLC_REQUEUE_WAKE_ONE || op == PLC_REQUEUE_WAKE_ONE_MOVE_REST;
    return op == PLC_REQUEUE_WAKE_ALL ? count : one && count ? 1 : 0;
}
size_t moves(plc_requeue_op op, size_t count) {
    switch (op) {
    case PLC_REQUEUE_ONE:
        return count ? 1 : 0;
    case PLC_REQUEUE_ALL:
        return count;
    case PLC_REQUEUE_WAKE_ONE_MOVE_REST:
        return count ? count - 1 : 0;
    default:
        return 0;
    }
}

/* @p waiting threads on from (tokens 0...) and @p present on to (tokens 50...). */
void check(const void *from, const void *to, plc_requeue_op op, size_t waiting, size_t present) {
    SCOPED_TRACE(testing::Message() << "op " << op << ", " << waiting << " on from, " << present << " on to");
    auto sources = park_threads(from, waiting, 0);
    auto targets = park_threads(to, present, 50);
    Call call{op};

    const plc_unpark_result result = plc_unpark_requeue(from, to, validate, call_back, &call);

    const size_t woken = wakes(op, waiting);
    const size_t moved = moves(op, waiting);
    EXPECT_EQ(call.validated, 1);
    EXPECT_EQ(call.called_back, op == PLC_REQUEUE_ABORT ? 0 : 1);
    EXPECT_EQ(result.unparked, woken);
    EXPECT_EQ(result.requeued, moved);
    if (op != PLC_REQUEUE_ABORT) {
        EXPECT_EQ(call.told_op, op);
        EXPECT_EQ(call.told.unparked, woken);
        EXPECT_EQ(call.told.requeued, moved);
        EXPECT_EQ(result.have_more, waiting > woken + moved);
        EXPECT_EQ(call.told.have_more, result.have_more);
    }
    for (size_t i = 0; i < woken; ++i)
        EXPECT_EQ(sources[i]->join().token, 500u);

    /* Both queues are whole: their order, and their ends, where the next ones join. */
    auto last_source = park_thread(from, 98);
    auto last_target = park_thread(to, 99);
    std::vector<uintptr_t> left;
    std::vector<uintptr_t> gathered;
    for (size_t i = woken + moved; i < waiting; ++i)
        left.push_back(i);
    left.push_back(98);
    for (size_t i = 0; i < present; ++i)
        gathered.push_back(50 + i);
    for (size_t i = woken; i < woken + moved; ++i)
        gathered.push_back(i);
    gathered.push_back(99);
    EXPECT_EQ(parked_tokens(user(from)), left);
    EXPECT_EQ(parked_tokens(user(to)), gathered);
    EXPECT_EQ(plc_unpark_all(from, 0), left.size());
    EXPECT_EQ(plc_unpark_all(to, 0), gathered.size());
}

void check_all(const void *from, const void *to) {
    for (plc_requeue_op op : {PLC_REQUEUE_ABORT, PLC_REQUEUE_WAKE_ONE, PLC_REQUEUE_WAKE_ALL, PLC_REQUEUE_ONE,
                              PLC_REQUEUE_ALL, PLC_REQUEUE_WAKE_ONE_MOVE_REST}) {
        for (size_t waiting : {0u, 1u, 2u, 4u}) {
            for (size_t present : {0u, 2u})
                check(from, to, op, waiting, present);
        }
    }
}

TEST(Requeue, EveryOperationAcrossBuckets) {
    const char key = 0;
    const void *elsewhere = plc_test::key_elsewhere(&key);
    ASSERT_NE(plc_test::bucket_of(&key), plc_test::bucket_of(elsewhere));
    check_all(&key, elsewhere);
    check_all(elsewhere, &key);
}

TEST(Requeue, EveryOperationWithinOneBucket) {
    const char key = 0;
    const auto beside = plc_test::keys_beside(&key, 1);
    ASSERT_EQ(beside.size(), 1u);
    check_all(&key, beside[0]);
}

TEST(Requeue, WithoutCallbackGivesTokenZero) {
    const char keys[2] = {};
    auto waiter = park_thread(&keys[0]);
    EXPECT_EQ(requeue(&keys[0], &keys[1], PLC_REQUEUE_WAKE_ONE).unparked, 1u);
    EXPECT_EQ(waiter->join().token, 0u);
}

/* Whoever requeues must not leave anything of its own thread in a waiter that it moves. */
TEST(Requeue, MovedWaitersKeepTheirTokensAndGetTheirOwnWake) {
    const char keys[3] = {};
    auto threads = park_threads(&keys[0], 3, 10);
    std::thread([&keys] { EXPECT_EQ(requeue(&keys[0], &keys[1], PLC_REQUEUE_ALL).requeued, 3u); }).join();
    EXPECT_EQ(requeue(&keys[1], &keys[2], PLC_REQUEUE_ALL).requeued, 3u);
    EXPECT_EQ(parked_tokens(user(&keys[2])), (std::vector<uintptr_t>{10, 11, 12}));
    EXPECT_EQ(plc_unpark_all(&keys[0], 0), 0u);
    EXPECT_EQ(plc_unpark_all(&keys[1], 0), 0u);
    EXPECT_EQ(plc_unpark_all(&keys[2], 61), 3u);
    for (auto &thread : threads)
        EXPECT_EQ(thread->join().token, 61u);
}

TEST(Requeue, CanChangeTheKind) {
    const char address = 0;
    const LotKey from = plc_lot_key(&address, PLC_WAITER_CONDVAR);
    const LotKey to = plc_lot_key(&address, PLC_WAITER_MUTEX);
    auto waiter = park_thread(from, 4);
    Call call{PLC_REQUEUE_ALL};
    EXPECT_EQ(plc_lot_unpark_requeue(from, to, validate, nullptr, &call).requeued, 1u);
    EXPECT_EQ(parked_count(from), 0u);
    EXPECT_EQ(parked_tokens(to), (std::vector<uintptr_t>{4}));
    EXPECT_EQ(plc_lot_unpark_all(to, 6), 1u);
    EXPECT_EQ(waiter->join().token, 6u);
}

/* ---- Time-outs after a requeue */

TEST(RequeueTimeOut, IsToldTheNewKey) {
    const char key = 0;
    const auto beside = plc_test::keys_beside(&key, 1);
    ASSERT_EQ(beside.size(), 1u);
    for (const void *to : {beside[0], plc_test::key_elsewhere(&key)}) {
        auto waiter = park_expired_thread(&key);
        EXPECT_EQ(requeue(&key, to, PLC_REQUEUE_ONE).requeued, 1u);
        EXPECT_EQ(waiter->join().status, PLC_PARK_TIMED_OUT);
        EXPECT_EQ(waiter->timed_out_calls(), 1);
        EXPECT_EQ(waiter->timed_out_key(), to);
        EXPECT_TRUE(waiter->was_last());
        EXPECT_EQ(parked_count(to), 0u);
    }
}

/* parking_lot once looked for others under the key where the waiter had been queued at first. */
TEST(RequeueTimeOut, WasLastLooksAtTheNewKeyOnly) {
    const char keys[2] = {};
    auto waiter = park_expired_thread(&keys[0], 1);
    auto stays = park_thread(&keys[0], 2);
    EXPECT_EQ(requeue(&keys[0], &keys[1], PLC_REQUEUE_ONE).requeued, 1u);
    waiter->join();
    EXPECT_TRUE(waiter->was_last()) << "one still waits under the old key, but none under the new one";

    auto moved = park_expired_thread(&keys[1], 3);
    EXPECT_EQ(requeue(&keys[0], &keys[1], PLC_REQUEUE_ALL).requeued, 1u);
    moved->join();
    EXPECT_FALSE(moved->was_last()) << "a requeued one waits behind it";
    auto again = park_expired_thread(&keys[0], 4);
    EXPECT_EQ(requeue(&keys[0], &keys[1], PLC_REQUEUE_ALL).requeued, 1u);
    again->join();
    EXPECT_FALSE(again->was_last()) << "a requeued one waits in front of it";
    EXPECT_EQ(plc_unpark_all(&keys[1], 0), 1u);
}

TEST(RequeueTimeOut, UnparkUnderTheNewKeyWins) {
    const char keys[2] = {};
    auto waiter = park_expired_thread(&keys[0]);
    EXPECT_EQ(requeue(&keys[0], &keys[1], PLC_REQUEUE_ALL).requeued, 1u);
    EXPECT_EQ(plc_unpark_all(&keys[1], 8), 1u);
    EXPECT_EQ(waiter->join().token, 8u);
    EXPECT_EQ(waiter->timed_out_calls(), 0);
}

/* ---- At once */

void check_opposite(const void *one, const void *other) {
    constexpr int rounds = 20'000;
    auto threads = park_threads(one, 3);
    auto more = park_threads(other, 3);
    const auto move = [](const void *from, const void *to) {
        for (int i = 0; i < rounds; ++i)
            requeue(from, to, i % 2 ? PLC_REQUEUE_ALL : PLC_REQUEUE_ONE);
    };
    std::thread opposite(move, other, one);
    move(one, other);
    opposite.join();
    EXPECT_EQ(parked_count(one) + parked_count(other), 6u);
    EXPECT_EQ(plc_unpark_all(one, 1) + plc_unpark_all(other, 1), 6u);
    for (auto *group : {&threads, &more}) {
        for (auto &thread : *group)
            EXPECT_EQ(thread->join().token, 1u);
    }
}

TEST(Requeue, InOppositeDirectionsAtOnce) {
    const char key = 0;
    check_opposite(&key, plc_test::key_elsewhere(&key));
    const auto beside = plc_test::keys_beside(&key, 1);
    ASSERT_EQ(beside.size(), 1u);
    check_opposite(&key, beside[0]);
}

/* Waiters whose time runs out while they are moved to and fro leave exactly once, from wherever they are. */
TEST(Requeue, RacesTimeOuts) {
    const char keys[2] = {};
    std::atomic<bool> stop{false};
    std::vector<std::thread> movers;
    for (int i = 0; i < 2; ++i) {
        movers.emplace_back([&keys, &stop, i] {
            while (!stop.load())
                requeue(&keys[i], &keys[1 - i], PLC_REQUEUE_ALL);
        });
    }
    for (int round = 0; round < 100; ++round) {
        WaiterThread::Options options;
        options.deadline = plc_deadline_after_ns(round % 10 * 5'000);
        WaiterThread first(user(&keys[0]), options);
        WaiterThread second(user(&keys[1]), options);
        EXPECT_EQ(first.join().status, PLC_PARK_TIMED_OUT);
        EXPECT_EQ(second.join().status, PLC_PARK_TIMED_OUT);
        EXPECT_EQ(first.timed_out_calls(), 1);
        EXPECT_EQ(second.timed_out_calls(), 1);
    }
    stop = true;
    for (std::thread &mover : movers)
        mover.join();
    EXPECT_EQ(parked_count(&keys[0]) + parked_count(&keys[1]), 0u);
}

} // namespace
