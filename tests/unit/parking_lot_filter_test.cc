/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* unpark_filter, exhaustively: every choice of unpark, skip and stop for each waiter of queues of up to four. */
#include <gtest/gtest.h>
#include <vector>

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/waiter_thread.h"

namespace {

using plc_test::LotKey;
using plc_test::park_thread;
using plc_test::park_threads;
using plc_test::parked_tokens;
using plc_test::WaiterThread;

constexpr uintptr_t woken_token = 1000;

/* What the filter is to answer, and what it and the callback were called with. Of fixed size: a bucket is locked. */
struct Plan {
    plc_filter_op answers[8] = {};
    uintptr_t asked[8] = {};
    size_t asked_count = 0;
    plc_unpark_result told = {};
    int callbacks = 0;
};

plc_filter_op answer(void *context, uintptr_t park_token) {
    auto *plan = static_cast<Plan *>(context);
    const size_t index = plan->asked_count++;
    plan->asked[index] = park_token;
    return plan->answers[index];
}

uintptr_t note(void *context, plc_unpark_result result) {
    auto *plan = static_cast<Plan *>(context);
    plan->told = result;
    plan->callbacks++;
    return woken_token;
}

/* What should happen, by the words of the header. */
struct Expected {
    std::vector<uintptr_t> asked;
    std::vector<uintptr_t> woken;
    std::vector<uintptr_t> left;
};

Expected predict(const Plan &plan, size_t count) {
    Expected expected;
    bool stopped = false;
    for (uintptr_t i = 0; i < count; ++i) {
        if (!stopped)
            expected.asked.push_back(i);
        stopped = stopped || plan.answers[i] == PLC_FILTER_STOP;
        if (!stopped && plan.answers[i] == PLC_FILTER_UNPARK)
            expected.woken.push_back(i);
        else
            expected.left.push_back(i);
    }
    return expected;
}

void check(Plan plan, size_t count, const char *key, const void *stranger_key) {
    const Expected expected = predict(plan, count);
    const LotKey lot_key = plc_lot_key(key, PLC_WAITER_USER);
    std::vector<std::unique_ptr<WaiterThread>> strangers;
    std::vector<std::unique_ptr<WaiterThread>> threads;
    for (uintptr_t i = 0; i < count; ++i) {
        if (stranger_key)
            strangers.push_back(park_thread(stranger_key, 77));
        threads.push_back(park_thread(key, i));
    }

    const plc_unpark_result result = plc_unpark_filter(key, answer, note, &plan);

    EXPECT_EQ(std::vector<uintptr_t>(plan.asked, plan.asked + plan.asked_count), expected.asked);
    EXPECT_EQ(plan.callbacks, 1);
    EXPECT_EQ(result.unparked, expected.woken.size());
    EXPECT_EQ(result.requeued, 0u);
    EXPECT_EQ(result.have_more, !expected.left.empty());
    EXPECT_EQ(plan.told.unparked, result.unparked);
    EXPECT_EQ(plan.told.have_more, result.have_more);
    for (const uintptr_t i : expected.woken) {
        const plc_park_result woken = threads[i]->join();
        EXPECT_EQ(woken.status, PLC_PARK_UNPARKED);
        EXPECT_EQ(woken.token, woken_token);
    }
    /* The queue is whole: its order, and its end, where the next one joins. */
    threads.push_back(park_thread(key, 99));
    std::vector<uintptr_t> left = expected.left;
    left.push_back(99);
    EXPECT_EQ(parked_tokens(lot_key), left);
    EXPECT_EQ(plc_unpark_all(key, 0), left.size());
    if (stranger_key) {
        EXPECT_EQ(plc_unpark_all(stranger_key, 0), count) << "strangers in the bucket were not touched";
    }
}

void check_every_plan(size_t count, const void *stranger_key, const char *key) {
    size_t plans = 1;
    for (size_t i = 0; i < count; ++i)
        plans *= 3;
    for (size_t number = 0; number < plans; ++number) {
        SCOPED_TRACE(testing::Message() << "plan " << number << " for " << count);
        Plan plan;
        for (size_t i = 0, digits = number; i < count; ++i, digits /= 3)
            plan.answers[i] = static_cast<plc_filter_op>(digits % 3);
        check(plan, count, key, stranger_key);
    }
}

TEST(UnparkFilter, EveryAnswerToEveryWaiter) {
    const char key = 0;
    for (size_t count = 0; count <= 4; ++count)
        check_every_plan(count, nullptr, &key);
}

TEST(UnparkFilter, EveryAnswerAmongStrangersInTheBucket) {
    const char key = 0;
    const auto beside = plc_test::keys_beside(&key, 1);
    ASSERT_EQ(beside.size(), 1u);
    for (size_t count = 1; count <= 3; ++count)
        check_every_plan(count, beside[0], &key);
}

TEST(UnparkFilter, WithoutCallbackGivesTokenZero) {
    const char key = 0;
    auto waiter = park_thread(&key, 5);
    EXPECT_EQ(plc_unpark_filter(
                  &key, [](void *, uintptr_t) { return PLC_FILTER_UNPARK; }, nullptr, nullptr)
                  .unparked,
              1u);
    EXPECT_EQ(waiter->join().token, 0u);
}

} // namespace
