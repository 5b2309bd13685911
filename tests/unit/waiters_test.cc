/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Waiters and the one-word parker, both forms of each: values, wakes, deadlines, memory that goes at once, misuse. */
#include <plc/waiters.h>
#include <plc/word_parker.h>

#include <atomic>
#include <cerrno>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

#include "support/stress.h"
#include "task/forms.h"

namespace {

constexpr plc_deadline_t long_past = {0, PLC_CLOCK_MONOTONIC};

struct Form {
    const char *name;
    unsigned (*value)(const plc_waiters_t *);
    plc_waiters_status (*wait)(plc_waiters_t *, unsigned, plc_deadline_t);
    void (*store)(plc_waiters_t *, unsigned);
    bool (*compare_exchange)(plc_waiters_t *, unsigned *, unsigned);
    bool (*park)(plc_word_parker_t *, plc_deadline_t);
    void (*unpark)(plc_word_parker_t *);
};

constexpr Form forms[] = {
    {"Number", plc_waiters_number_value, plc_waiters_number_wait, plc_waiters_number_store,
     plc_waiters_number_compare_exchange, plc_word_parker_number_park, plc_word_parker_number_unpark},
    {"Stack", plc_waiters_stack_value, plc_waiters_stack_wait, plc_waiters_stack_store,
     plc_waiters_stack_compare_exchange, plc_word_parker_stack_park, plc_word_parker_stack_unpark},
    {"Public", plc_waiters_value, plc_waiters_wait_until, plc_waiters_store_and_wake, plc_waiters_compare_exchange,
     plc_word_parker_park_until, plc_word_parker_unpark},
};

class EachForm : public testing::TestWithParam<Form> {};
std::string name_of(const testing::TestParamInfo<Form> &info) {
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Forms, EachForm, testing::ValuesIn(forms), name_of);

TEST_P(EachForm, WaitersValuesAreFiveBits) {
    const Form &form = GetParam();
    plc_waiters_t waiters = PLC_WAITERS_INIT;
    EXPECT_EQ(form.value(&waiters), 0u);
    for (unsigned value = 0; value < PLC_WAITERS_VALUES; ++value) {
        form.store(&waiters, value);
        EXPECT_EQ(form.value(&waiters), value);
    }
}

TEST_P(EachForm, WaitersAnotherValueDoesNotWait) {
    const Form &form = GetParam();
    plc_waiters_t waiters = PLC_WAITERS_INIT;
    errno = 77;
    EXPECT_EQ(form.wait(&waiters, 1, PLC_NO_DEADLINE), PLC_WAITERS_CHANGED);
    EXPECT_EQ(form.wait(&waiters, 0, long_past), PLC_WAITERS_TIMED_OUT);
    EXPECT_EQ(form.wait(&waiters, 0, plc_deadline_after_ns(1'000'000)), PLC_WAITERS_TIMED_OUT);
    EXPECT_EQ(errno, 77);
    form.store(&waiters, 0);
    EXPECT_EQ(form.value(&waiters), 0u);
}

TEST_P(EachForm, WaitersCompareExchange) {
    const Form &form = GetParam();
    plc_waiters_t waiters = PLC_WAITERS_INIT;
    unsigned expected = 3;
    EXPECT_FALSE(form.compare_exchange(&waiters, &expected, 7));
    EXPECT_EQ(expected, 0u);
    EXPECT_TRUE(form.compare_exchange(&waiters, &expected, 31));
    EXPECT_EQ(form.value(&waiters), 31u);
}

/* Each thread waits for each value in turn; the last to arrive wakes all. The one that sees the last value frees nothing: the
   next test does. */
TEST_P(EachForm, WaitersABarrierOfManyThreads) {
    const Form &form = GetParam();
    constexpr unsigned threads = 6;
    const size_t rounds = plc_test::scaled(3000);
    plc_waiters_t waiters = PLC_WAITERS_INIT;
    std::atomic<unsigned> missing{threads};
    size_t done = 0; /* written by the last of each round only */
    plc_test::run_threads(threads, [&](size_t, plc_test::Random &random) {
        for (size_t round = 0; round < rounds; ++round) {
            const auto now = static_cast<unsigned>(round % PLC_WAITERS_VALUES);
            const unsigned next = (now + 1) % PLC_WAITERS_VALUES;
            if (missing.fetch_sub(1) == 1) {
                ++done;
                missing.store(threads);
                form.store(&waiters, next);
                continue;
            }
            while (form.value(&waiters) == now) {
                const bool timed = random.one_in(3);
                form.wait(&waiters, now, timed ? plc_deadline_after_ns(500) : PLC_NO_DEADLINE);
            }
            ASSERT_EQ(done, round + 1);
        }
    });
    EXPECT_EQ(done, rounds);
}

/* Whoever is woken frees the word, while the store may not have returned. */
TEST_P(EachForm, WaitersAreFreedByTheWoken) {
    const Form &form = GetParam();
    for (size_t i = 0; i < plc_test::scaled(2000); ++i) {
        auto waiters = std::make_unique<plc_waiters_t>();
        plc_waiters_t *word = waiters.get();
        std::thread waker([&form, word] { form.store(word, 1); });
        while (form.value(word) == 0)
            form.wait(word, 0, PLC_NO_DEADLINE);
        waiters.reset();
        waker.join();
    }
}

TEST_P(EachForm, ParkerPermits) {
    const Form &form = GetParam();
    plc_word_parker_t parker = PLC_WORD_PARKER_INIT;
    EXPECT_FALSE(form.park(&parker, long_past));
    form.unpark(&parker);
    form.unpark(&parker);
    EXPECT_TRUE(form.park(&parker, long_past));
    EXPECT_FALSE(form.park(&parker, plc_deadline_after_ns(1'000'000)));
}

TEST_P(EachForm, ParkerATokenGoesRound) {
    const Form &form = GetParam();
    constexpr size_t threads = 4;
    const size_t laps = plc_test::scaled(3000);
    plc_word_parker_t parkers[threads] = {};
    size_t passed = 0; /* guarded by the token */
    form.unpark(&parkers[0]);
    plc_test::run_threads(threads, [&](size_t self, plc_test::Random &random) {
        for (size_t lap = 0; lap < laps; ++lap) {
            while (!form.park(&parkers[self], random.one_in(4) ? plc_deadline_after_ns(1000) : PLC_NO_DEADLINE)) {
            }
            ++passed;
            form.unpark(&parkers[(self + 1) % threads]);
        }
    });
    EXPECT_EQ(passed, laps * threads);
}

TEST(WaitersDeathTest, ValuesThatDoNotFitAreReported) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    plc_waiters_t waiters = PLC_WAITERS_INIT;
    unsigned expected = 0;
    EXPECT_DEATH(plc_waiters_store_and_wake(&waiters, 32), "libplc: waiters 0x[0-9a-f]+: thread [0-9]+: a value");
    EXPECT_DEATH(plc_waiters_wait(&waiters, 32), "does not fit into five bits");
    EXPECT_DEATH(plc_waiters_compare_exchange(&waiters, &expected, 32), "does not fit into five bits");
}

} // namespace
