/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parking lot: parking with callbacks and deadlines, errno, and signal handlers. */
#include <atomic>
#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <pthread.h>
#include <thread>
#include <vector>

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/waiter_thread.h"

namespace {

using plc_test::LotKey;
using plc_test::park_expired_thread;
using plc_test::park_thread;
using plc_test::parked_count;
using plc_test::parked_tokens;
using plc_test::WaiterThread;

constexpr plc_park_ops no_ops = {};

LotKey user(const void *address) {
    return plc_lot_key(address, PLC_WAITER_USER);
}

/* ---- Parking */

TEST(Park, ValidateFalseDoesNotPark) {
    const char key = 0;
    struct {
        int validated = 0;
        int slept = 0;
    } calls;
    plc_park_ops ops = {};
    ops.validate = [](void *context) {
        static_cast<decltype(calls) *>(context)->validated++;
        return false;
    };
    ops.before_sleep = [](void *context) { static_cast<decltype(calls) *>(context)->slept++; };
    ops.timed_out = [](void *, const void *, bool) { FAIL() << "nobody waited"; };
    const plc_park_result result = plc_park(&key, &ops, &calls, 5, PLC_NO_DEADLINE);
    EXPECT_EQ(result.status, PLC_PARK_INVALID);
    EXPECT_EQ(result.token, 0u);
    EXPECT_EQ(calls.validated, 1);
    EXPECT_EQ(calls.slept, 0);
    EXPECT_EQ(parked_count(&key), 0u);
}

TEST(Park, BeforeSleepRunsOnceQueuedWithNoBucketLocked) {
    const char key = 0;
    plc_park_ops ops = {};
    ops.validate = [](void *) { return true; };
    ops.before_sleep = [](void *context) {
        /* Both would deadlock under the bucket's lock. */
        EXPECT_EQ(parked_count(context), 1u);
        EXPECT_EQ(plc_unpark_all(context, 33), 1u);
    };
    const plc_park_result result = plc_park(&key, &ops, const_cast<char *>(&key), 0, PLC_NO_DEADLINE);
    EXPECT_EQ(result.status, PLC_PARK_UNPARKED);
    EXPECT_EQ(result.token, 33u);
}

/* A callback may not park, but before_sleep may: the thread's own waiter is in use, so a second one is needed. */
TEST(Park, BeforeSleepMayPark) {
    const char keys[2] = {};
    plc_park_ops ops = {};
    ops.before_sleep = [](void *context) {
        const char *inner = static_cast<const char *>(context) + 1;
        plc_park_ops unpark_self = {};
        unpark_self.before_sleep = [](void *key) { EXPECT_EQ(plc_unpark_one(key, nullptr, nullptr).unparked, 1u); };
        void *inner_context = const_cast<char *>(inner);
        EXPECT_EQ(plc_park(inner, &unpark_self, inner_context, 0, PLC_NO_DEADLINE).status, PLC_PARK_UNPARKED);
        EXPECT_EQ(parked_count(context), 1u) << "the outer wait is still queued";
        EXPECT_EQ(plc_unpark_all(context, 9), 1u);
    };
    EXPECT_EQ(plc_park(keys, &ops, const_cast<char *>(keys), 0, PLC_NO_DEADLINE).token, 9u);
}

TEST(Park, HooksRunAroundTheSleepOnly) {
    struct Hooks {
        std::atomic<int> begun{0};
        std::atomic<int> ended{0};
        char key = 0;
    } hooks;
    plc_park_ops ops = {};
    ops.wait_begin = [](void *context) { static_cast<Hooks *>(context)->begun++; };
    ops.wait_end = [](void *context) { static_cast<Hooks *>(context)->ended++; };
    std::thread sleeper(
        [&] { EXPECT_EQ(plc_park(&hooks.key, &ops, &hooks, 0, PLC_NO_DEADLINE).status, PLC_PARK_UNPARKED); });
    while (hooks.begun.load() == 0)
        std::this_thread::yield();
    EXPECT_EQ(plc_unpark_all(&hooks.key, 0), 1u);
    sleeper.join();
    EXPECT_EQ(hooks.begun.load(), hooks.ended.load());

    hooks.begun = 0;
    hooks.ended = 0;
    ops.before_sleep = [](void *context) { plc_unpark_all(&static_cast<Hooks *>(context)->key, 0); };
    EXPECT_EQ(plc_park(&hooks.key, &ops, &hooks, 0, PLC_NO_DEADLINE).status, PLC_PARK_UNPARKED);
    EXPECT_EQ(hooks.begun.load(), 0) << "there was no need to sleep";
}

TEST(Park, WhatTheUnparkerDidIsSeen) {
    char key = 0;
    for (int round = 0; round < 200; ++round) {
        int payload = 0; /* plain: ordered by the lot alone */
        std::thread sleeper([&] {
            EXPECT_EQ(plc_park(&key, &no_ops, nullptr, 0, PLC_NO_DEADLINE).status, PLC_PARK_UNPARKED);
            EXPECT_EQ(payload, round);
        });
        plc_test::wait_until_parked(&key, 1);
        payload = round;
        EXPECT_EQ(plc_unpark_one(&key, nullptr, nullptr).unparked, 1u);
        sleeper.join();
    }
}

/* ---- Time */

TEST(ParkUntil, ThePastTimesOutAtOnce) {
    const char key = 0;
    for (plc_clock clock : plc_test::clocks) {
        for (int64_t ns : {INT64_MIN, INT64_C(-1), INT64_C(0), INT64_C(1)}) {
            const plc_park_result result = plc_park(&key, &no_ops, nullptr, 7, plc_deadline_t{ns, clock});
            EXPECT_EQ(result.status, PLC_PARK_TIMED_OUT);
            EXPECT_EQ(result.token, 0u);
        }
    }
    EXPECT_EQ(parked_count(&key), 0u);
}

TEST(ParkUntil, EndsAtTheDeadlineAndNotBefore) {
    const char key = 0;
    for (plc_clock clock : plc_test::clocks) {
        const plc_deadline_t deadline = plc_test::soon(clock);
        EXPECT_EQ(plc_park(&key, &no_ops, nullptr, 7, deadline).status, PLC_PARK_TIMED_OUT);
        EXPECT_TRUE(plc_deadline_has_passed(deadline));
    }
}

TEST(ParkUntil, FarDeadlinesWaitForTheUnpark) {
    const char key = 0;
    for (plc_clock clock : plc_test::clocks) {
        for (plc_deadline_t deadline : {plc_deadline_t{INT64_MAX, clock}, plc_deadline_t{INT64_MAX - 1, clock},
                                        plc_deadline_at(clock, INT64_C(0x100000000), 1)}) {
            WaiterThread::Options options;
            options.deadline = deadline;
            WaiterThread waiter(user(&key), options);
            EXPECT_EQ(plc_unpark_all(&key, 3), 1u);
            EXPECT_EQ(waiter.join().status, PLC_PARK_UNPARKED);
            EXPECT_EQ(waiter.timed_out_calls(), 0);
        }
    }
}

TEST(ParkUntil, TimedOutIsToldTheKeyAndWhetherItWasTheLast) {
    const char key = 0;
    auto alone = park_expired_thread(&key);
    EXPECT_EQ(alone->join().status, PLC_PARK_TIMED_OUT);
    EXPECT_EQ(alone->timed_out_calls(), 1);
    EXPECT_EQ(alone->timed_out_key(), &key);
    EXPECT_TRUE(alone->was_last());

    auto head = park_expired_thread(&key);
    auto middle = park_expired_thread(&key);
    auto tail = park_expired_thread(&key);
    EXPECT_EQ(middle->join().status, PLC_PARK_TIMED_OUT);
    EXPECT_FALSE(middle->was_last());
    EXPECT_EQ(head->join().status, PLC_PARK_TIMED_OUT);
    EXPECT_FALSE(head->was_last());
    EXPECT_EQ(tail->join().status, PLC_PARK_TIMED_OUT);
    EXPECT_TRUE(tail->was_last());
}

TEST(ParkUntil, WasLastIgnoresStrangersInTheBucket) {
    const char key = 0;
    const auto beside = plc_test::keys_beside(&key, 1);
    ASSERT_EQ(beside.size(), 1u);
    auto stranger_in_front = park_thread(beside[0]);
    auto waiter = park_expired_thread(&key);
    auto stranger_behind = park_thread(beside[0]);
    auto other_kind = park_thread(plc_lot_key(&key, PLC_WAITER_RWLOCK));
    EXPECT_EQ(waiter->join().status, PLC_PARK_TIMED_OUT);
    EXPECT_TRUE(waiter->was_last());
    EXPECT_EQ(plc_unpark_all(beside[0], 0), 2u);
    EXPECT_EQ(plc_lot_unpark_all(plc_lot_key(&key, PLC_WAITER_RWLOCK), 0), 1u);
}

/* Dequeued before it noticed that its time has run out: it was unparked, and must wait for the unpark. */
TEST(ParkUntil, UnparkBeforeTheTimeOutIsNoticedWins) {
    const char key = 0;
    for (int round = 0; round < 50; ++round) {
        auto waiter = park_expired_thread(&key);
        EXPECT_EQ(plc_unpark_all(&key, 71), 1u);
        const plc_park_result result = waiter->join();
        EXPECT_EQ(result.status, PLC_PARK_UNPARKED);
        EXPECT_EQ(result.token, 71u);
        EXPECT_EQ(waiter->timed_out_calls(), 0);
    }
}

TEST(ParkUntil, AWaiterThatLeftIsNotFound) {
    const char key = 0;
    auto first = park_expired_thread(&key, 1);
    auto second = park_thread(&key, 2);
    auto third = park_expired_thread(&key, 3);
    first->join();
    third->join();
    EXPECT_EQ(parked_tokens(user(&key)), (std::vector<uintptr_t>{2}));
    auto fourth = park_thread(&key, 4); /* the queue's end was taken out */
    EXPECT_EQ(parked_tokens(user(&key)), (std::vector<uintptr_t>{2, 4}));
    EXPECT_EQ(plc_unpark_all(&key, 0), 2u);
}

/* ---- errno */

TEST(ParkingLot, PreservesErrno) {
    const char key = 0;
    errno = 4242;
    plc_park(&key, &no_ops, nullptr, 0, plc_test::soon());
    EXPECT_EQ(errno, 4242);
    plc_park(&key, &no_ops, nullptr, 0, plc_deadline_t{-1, PLC_CLOCK_REALTIME});
    EXPECT_EQ(errno, 4242);
    std::thread sleeper([&key] {
        errno = 77;
        plc_park(&key, &no_ops, nullptr, 0, PLC_NO_DEADLINE);
        EXPECT_EQ(errno, 77);
    });
    plc_test::wait_until_parked(&key, 1);
    errno = 4242;
    plc_unpark_requeue(
        &key, &key + 1, [](void *) { return PLC_REQUEUE_ALL; }, nullptr, nullptr);
    EXPECT_EQ(errno, 4242);
    plc_unpark_one(&key, nullptr, nullptr);
    EXPECT_EQ(errno, 4242);
    plc_unpark_all(&key + 1, 0);
    EXPECT_EQ(errno, 4242);
    sleeper.join();
}

/* Signal handlers that park while their thread is parked use a waiter of their own. */
TEST(ParkingLot, AHandlerMayParkWhileItsThreadIsParked) {
    if (plc_test::with_tsan)
        GTEST_SKIP() << "ThreadSanitizer runs handlers only between system calls";
    static char keys[2];
    static std::atomic<bool> handler_done{false};
    struct sigaction action = {};
    struct sigaction old_action = {};
    action.sa_handler = [](int) {
        const plc_park_result result = plc_park(&keys[1], &no_ops, nullptr, 0, PLC_NO_DEADLINE);
        handler_done = result.status == PLC_PARK_UNPARKED && result.token == 8;
    };
    ASSERT_EQ(sigaction(SIGUSR1, &action, &old_action), 0);
    std::thread sleeper([] { EXPECT_EQ(plc_park(&keys[0], &no_ops, nullptr, 0, PLC_NO_DEADLINE).token, 7u); });
    plc_test::wait_until_parked(&keys[0], 1);
    ASSERT_EQ(pthread_kill(sleeper.native_handle(), SIGUSR1), 0);
    plc_test::wait_until_parked(&keys[1], 1);
    EXPECT_EQ(parked_count(&keys[0]), 1u);
    EXPECT_EQ(plc_unpark_all(&keys[0], 7), 1u) << "while the handler still waits";
    EXPECT_EQ(plc_unpark_all(&keys[1], 8), 1u);
    sleeper.join();
    EXPECT_TRUE(handler_done.load());
    sigaction(SIGUSR1, &old_action, nullptr);
}

} // namespace
