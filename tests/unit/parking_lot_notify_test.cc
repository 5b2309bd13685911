/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* notify_one of the lot: whom it takes, for how long the first is passed over, and what becomes of who was taken. */
#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "platform/tuning.h"
#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/one_processor.h"
#include "support/waiter_thread.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "parking_lot/waiting.h"
#pragma GCC diagnostic pop

namespace {

using plc_test::LotKey;
using plc_test::parked_tokens;
using plc_test::WaiterThread;

/* A waiter without a thread behind it: it stays awake, since nobody ever goes to sleep with its parker. */
class AwakeWaiter {
  public:
    AwakeWaiter(LotKey key, uintptr_t token) {
        plc_thread_parker_init(&node.parker);
        node.park_token = token;
        plc_bucket *bucket = plc_bucket_lock(key.address);
        plc_waiter_enqueue(bucket, &node, key, 0);
        plc_bucket_unlock(bucket);
    }
    ~AwakeWaiter() {
        plc_thread_parker_park(&node.parker, nullptr); /* every test wakes it */
        plc_thread_parker_destroy(&node.parker);
    }
    AwakeWaiter(const AwakeWaiter &) = delete;
    AwakeWaiter &operator=(const AwakeWaiter &) = delete;

    plc_waiter node = {};
};

struct Notification {
    plc_notify_op op = PLC_NOTIFY_WAKE;
    int asked = 0;
    int asked_with_both_locked = 0;
    int concluded = 0;
    plc_candidate candidate = {};
    plc_unpark_result told = {};
};

plc_notify_op choose(void *context, plc_candidate candidate, bool both_locked) {
    auto *notification = static_cast<Notification *>(context);
    notification->asked++;
    notification->asked_with_both_locked += both_locked;
    notification->candidate = candidate;
    return notification->op;
}

uintptr_t conclude(void *context, plc_unpark_result result) {
    auto *notification = static_cast<Notification *>(context);
    notification->concluded++;
    notification->told = result;
    return 500;
}

const plc_notify_ops ops = {choose, conclude};

class NotifyTest : public testing::Test {
  protected:
    ~NotifyTest() override {
        for (const LotKey &key : {from_, to_, stranger_})
            plc_lot_unpark_all(key, 0);
    }

    /* Where waiters never sleep, or never seem to be awake, the first is always the one. */
    void SetUp() override {
        plc_thread_parker parker;
        plc_thread_parker_init(&parker);
        plc_thread_parker_prepare_park(&parker, false);
        const bool can_be_awake = plc_thread_parker_is_awake(&parker);
        plc_thread_parker_unpark(&parker);
        plc_thread_parker_park(&parker, nullptr);
        plc_thread_parker_destroy(&parker);
        tells_apart_ = can_be_awake && plc_test::parker_can_sleep();
    }

    void add_awake(uintptr_t token) {
        add_awake(from_, token);
    }
    void add_awake(LotKey key, uintptr_t token) {
        awake_.push_back(std::make_unique<AwakeWaiter>(key, token));
    }
    void add_sleeper(uintptr_t token) {
        const size_t before = plc_test::parked_count(from_);
        sleepers_.push_back(plc_test::park_thread(from_, token));
        wait_until(before + 1);
    }
    /* Returns once the thread that was added last sleeps; the others were known to. */
    void wait_until(size_t count) {
        for (;;) {
            plc_bucket *bucket = plc_bucket_lock(from_.address);
            const bool asleep = !plc_thread_parker_is_awake(&bucket->tail->parker);
            const size_t found = count_locked(bucket);
            plc_bucket_unlock(bucket);
            if (found == count && (asleep || !plc_test::parker_can_sleep()))
                return;
            std::this_thread::yield();
        }
    }
    size_t count_locked(const plc_bucket *bucket) const {
        size_t count = 0;
        for (const plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next)
            count += plc_waiter_matches(waiter, from_);
        return count;
    }

    plc_unpark_result notify() {
        return plc_lot_notify_one(from_, to_, &ops, &notification_);
    }

    /* The park tokens of a queue, last to first: the links back must agree with those that lead on. */
    std::vector<uintptr_t> tokens_backwards(LotKey key) {
        std::vector<uintptr_t> tokens;
        tokens.reserve(64); /* no allocation under the bucket's lock */
        plc_bucket *bucket = plc_bucket_lock(key.address);
        for (const plc_waiter *waiter = bucket->tail; waiter; waiter = plc_queue_previous(bucket, waiter)) {
            if (plc_waiter_matches(waiter, key))
                tokens.push_back(waiter->park_token);
        }
        plc_bucket_unlock(bucket);
        return tokens;
    }

    void expect_queue(const std::vector<uintptr_t> &tokens) {
        EXPECT_EQ(parked_tokens(from_), tokens);
        EXPECT_EQ(tokens_backwards(from_), std::vector<uintptr_t>(tokens.rbegin(), tokens.rend()));
    }

    char word_ = 0;
    LotKey from_ = plc_lot_key(&word_, PLC_WAITER_CONDVAR);
    LotKey to_ = plc_lot_key(plc_test::key_elsewhere(&word_), PLC_WAITER_MUTEX);
    LotKey stranger_ = plc_lot_key(plc_test::keys_beside(&word_, 1)[0], PLC_WAITER_USER);
    Notification notification_;
    bool tells_apart_ = false;
    std::vector<std::unique_ptr<AwakeWaiter>> awake_;
    std::vector<std::unique_ptr<WaiterThread>> sleepers_;
};

TEST_F(NotifyTest, NobodyIsToldToConcludeOnly) {
    const plc_unpark_result result = notify();
    EXPECT_EQ(result.unparked + result.requeued, 0u);
    EXPECT_FALSE(result.have_more);
    EXPECT_EQ(notification_.asked, 0);
    EXPECT_EQ(notification_.concluded, 1);
}

TEST_F(NotifyTest, TheFirstIsTakenIfAllSleep) {
    for (uintptr_t i = 1; i <= 3; ++i)
        add_sleeper(i);
    EXPECT_EQ(notify().unparked, 1u);
    EXPECT_TRUE(notification_.told.have_more);
    expect_queue({2, 3});
    notify();
    EXPECT_TRUE(notification_.told.have_more);
    notify();
    EXPECT_FALSE(notification_.told.have_more);
    expect_queue({});
}

TEST_F(NotifyTest, TheFirstIsTakenIfAllAreAwake) {
    for (uintptr_t i = 1; i <= 3; ++i)
        add_awake(i);
    EXPECT_EQ(notify().unparked, 1u);
    expect_queue({2, 3});
}

TEST_F(NotifyTest, OneWhoIsAwakeIsPreferredWhereverItIs) {
    if (!tells_apart_)
        GTEST_SKIP() << "with this parker the first is always taken";
    add_sleeper(1);
    add_awake(2);
    add_sleeper(3);
    add_awake(4);
    EXPECT_EQ(notify().unparked, 1u); /* in the middle; of two who are awake the older one */
    EXPECT_TRUE(notification_.candidate.is_awake);
    EXPECT_TRUE(notification_.told.have_more);
    expect_queue({1, 3, 4});
    notify(); /* at the end */
    expect_queue({1, 3});
    notify();
    EXPECT_FALSE(notification_.candidate.is_awake);
    expect_queue({3});
    add_awake(5);
    add_awake(6);
    notify();
    expect_queue({3, 6});
}

/* No waiting for the time to pass: the test makes the first one passed over for too long. */
TEST_F(NotifyTest, TheFirstIsPassedOverForALimitedTime) {
    if (!tells_apart_)
        GTEST_SKIP() << "with this parker the first is always taken";
    add_sleeper(1);
    add_sleeper(2);
    for (uintptr_t i = 3; i <= 6; ++i)
        add_awake(i);
    plc_bucket *bucket = plc_bucket_lock(&word_);
    plc_waiter *first = bucket->head;
    EXPECT_EQ(first->passed_over_since, 0);
    plc_bucket_unlock(bucket);
    notify();
    expect_queue({1, 2, 4, 5, 6});
    plc_bucket_lock(&word_);
    EXPECT_GT(first->passed_over_since, 0);
    first->passed_over_since = plc_os_now_ns(PLC_CLOCK_MONOTONIC) - PLC_NOTIFY_PASS_NS - 1;
    plc_bucket_unlock(bucket);
    notify();
    expect_queue({2, 4, 5, 6}); /* and now it is counted anew, for the second */
    notify();
    expect_queue({2, 5, 6});
}

TEST_F(NotifyTest, LooksAtTheLastFewOnly) {
    if (!tells_apart_)
        GTEST_SKIP() << "with this parker the first is always taken";
    add_sleeper(1);
    add_awake(2);
    for (int i = 0; i < PLC_NOTIFY_LOOKS - 1; ++i)
        add_awake(stranger_, 0);
    notify();
    expect_queue({1});
    add_awake(3);
    for (int i = 0; i < PLC_NOTIFY_LOOKS; ++i)
        add_awake(stranger_, 0);
    notify();
    expect_queue({3});
}

TEST_F(NotifyTest, StrangersInTheBucketAreLeftAlone) {
    add_awake(stranger_, 70);
    add_sleeper(1);
    add_awake(stranger_, 71);
    EXPECT_EQ(notify().unparked, 1u);
    EXPECT_FALSE(notification_.told.have_more);
    EXPECT_EQ(parked_tokens(stranger_), (std::vector<uintptr_t>{70, 71}));
    EXPECT_EQ(tokens_backwards(stranger_), (std::vector<uintptr_t>{71, 70}));
    EXPECT_EQ(sleepers_[0]->join().token, 500u);
}

/* After searches in vain only the last two are looked at; one that is awake among them brings the long search back. */
TEST_F(NotifyTest, LooksAtFewWhereAllSleep) {
    if (!tells_apart_)
        GTEST_SKIP() << "this parker does not say who is awake";
    constexpr uintptr_t crowd = PLC_NOTIFY_LOOKS + PLC_NOTIFY_VAIN_SEARCHES + 2;
    for (uintptr_t i = 1; i <= crowd; ++i)
        add_sleeper(i);
    for (uintptr_t i = 1; i <= PLC_NOTIFY_VAIN_SEARCHES; ++i) {
        notify();
        EXPECT_EQ(sleepers_[i - 1]->join().token, 500u) << "who came first is taken first";
    }
    add_awake(100);
    for (uintptr_t i = 1; i <= PLC_NOTIFY_LOOKS >> PLC_NOTIFY_VAIN_SEARCHES; ++i)
        add_sleeper(crowd + i);
    notify(); /* does not find it behind these */
    EXPECT_EQ(sleepers_[PLC_NOTIFY_VAIN_SEARCHES]->join().token, 500u);
    add_awake(101);
    notify();
    EXPECT_EQ(awake_[1]->node.state, PLC_WAITER_DEQUEUED);
    plc_bucket *bucket = plc_bucket_lock(from_.address);
    EXPECT_EQ(bucket->vain_searches, 0);
    plc_bucket_unlock(bucket);
}

TEST_F(NotifyTest, MovesToTheEndOfTheOtherQueueAndAsksAgain) {
    add_awake(to_, 9);
    add_awake(1);
    add_awake(2);
    notification_.op = PLC_NOTIFY_MOVE;
    const plc_unpark_result result = notify();
    EXPECT_EQ(result.requeued, 1u);
    EXPECT_EQ(result.unparked, 0u);
    EXPECT_TRUE(notification_.told.have_more);
    EXPECT_EQ(notification_.asked, 2);
    EXPECT_EQ(notification_.asked_with_both_locked, 1);
    EXPECT_EQ(notification_.concluded, 1);
    expect_queue({2});
    EXPECT_EQ(parked_tokens(to_), (std::vector<uintptr_t>{9, 1}));
    EXPECT_EQ(tokens_backwards(to_), (std::vector<uintptr_t>{1, 9}));
}

TEST_F(NotifyTest, MovesWithinABucket) {
    to_ = plc_lot_key(plc_test::keys_beside(&word_, 2)[1], PLC_WAITER_MUTEX);
    add_awake(1);
    add_awake(stranger_, 70);
    add_awake(2);
    notification_.op = PLC_NOTIFY_MOVE;
    EXPECT_EQ(notify().requeued, 1u);
    EXPECT_EQ(notify().requeued, 1u);
    EXPECT_FALSE(notification_.told.have_more);
    expect_queue({});
    EXPECT_EQ(parked_tokens(to_), (std::vector<uintptr_t>{1, 2}));
    EXPECT_EQ(tokens_backwards(to_), (std::vector<uintptr_t>{2, 1}));
    EXPECT_EQ(parked_tokens(stranger_), (std::vector<uintptr_t>{70}));
}

TEST_F(NotifyTest, MayLeaveEverythingAsItIs) {
    add_awake(1);
    add_awake(2);
    notification_.op = PLC_NOTIFY_NONE;
    const plc_unpark_result result = notify();
    EXPECT_EQ(result.unparked + result.requeued, 0u);
    EXPECT_EQ(notification_.concluded, 0);
    expect_queue({1, 2});
}

TEST_F(NotifyTest, SaysWhereTheCandidateWentToWait) {
    plc_test::OneProcessor processor;
    if (!processor.is_pinned())
        GTEST_SKIP() << "cannot tell on which processor a thread runs";
    notification_.op = PLC_NOTIFY_NONE;
    add_sleeper(1);
    notify();
    EXPECT_TRUE(notification_.candidate.is_nearby);
    if (!processor.move_to_another())
        GTEST_SKIP() << "there is only one processor";
    notify();
    EXPECT_FALSE(notification_.candidate.is_nearby);
}

} // namespace
