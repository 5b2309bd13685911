/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deadlines: saturation at both ends, both clocks, and years that do not fit 32 bits. */
#include <cerrno>
#include <gtest/gtest.h>
#include <plc/deadline.h>

#include "support/internal.h"

namespace {

using plc_test::clocks;

constexpr int64_t ns_per_second = INT64_C(1'000'000'000);

TEST(Deadline, NeverIsNeverOnEitherClock) {
    EXPECT_TRUE(plc_deadline_is_never(PLC_NO_DEADLINE));
    for (plc_clock clock : clocks) {
        const plc_deadline_t never{INT64_MAX, clock};
        EXPECT_TRUE(plc_deadline_is_never(never));
        EXPECT_FALSE(plc_deadline_has_passed(never));
        EXPECT_FALSE(plc_deadline_is_never(plc_deadline_t{INT64_MAX - 1, clock}));
        EXPECT_FALSE(plc_deadline_has_passed(plc_deadline_t{INT64_MAX - 1, clock}));
    }
}

TEST(Deadline, ThePastHasPassed) {
    for (plc_clock clock : clocks) {
        for (int64_t ns : {INT64_MIN, INT64_MIN + 1, INT64_C(-1), INT64_C(0), INT64_C(1)})
            EXPECT_TRUE(plc_deadline_has_passed(plc_deadline_t{ns, clock})) << ns;
        EXPECT_TRUE(plc_deadline_has_passed(plc_test::after(clock, 0)));
        EXPECT_FALSE(plc_deadline_has_passed(plc_test::much_later(clock)));
    }
}

TEST(Deadline, AfterNsStartsNow) {
    for (int64_t ns : {INT64_C(0), INT64_C(1), ns_per_second, 1000 * ns_per_second}) {
        const int64_t before = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
        const plc_deadline_t deadline = plc_deadline_after_ns(ns);
        const int64_t behind = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
        EXPECT_EQ(deadline.clock, PLC_CLOCK_MONOTONIC);
        EXPECT_GE(deadline.ns, before + ns);
        EXPECT_LE(deadline.ns, behind + ns);
    }
}

TEST(Deadline, AfterNegativeNsIsNow) {
    for (int64_t ns : {INT64_C(-1), -ns_per_second, INT64_MIN})
        EXPECT_TRUE(plc_deadline_has_passed(plc_deadline_after_ns(ns))) << ns;
}

TEST(Deadline, AfterTooManyNsIsNever) {
    EXPECT_TRUE(plc_deadline_is_never(plc_deadline_after_ns(INT64_MAX)));
    EXPECT_TRUE(plc_deadline_is_never(plc_deadline_after_ns(INT64_MAX - 1)));
    /* The largest that still fits is an instant; how much fits depends on the clock's reading. */
    const int64_t fits = INT64_MAX - plc_os_now_ns(PLC_CLOCK_MONOTONIC) - 3600 * ns_per_second;
    EXPECT_FALSE(plc_deadline_is_never(plc_deadline_after_ns(fits)));
}

TEST(Deadline, AtSaysWhatItWasTold) {
    for (plc_clock clock : clocks) {
        const plc_deadline_t deadline = plc_deadline_at(clock, 7, 999'999'999);
        EXPECT_EQ(deadline.ns, 7'999'999'999);
        EXPECT_EQ(deadline.clock, clock);
        EXPECT_EQ(plc_deadline_at(clock, 0, 0).ns, 0);
    }
}

TEST(Deadline, AtBeyond2038IsAnOrdinaryInstant) {
    const int64_t year_2100 = INT64_C(4'102'444'800);
    const plc_deadline_t deadline = plc_deadline_at(PLC_CLOCK_REALTIME, year_2100, 5);
    EXPECT_EQ(deadline.ns, year_2100 * ns_per_second + 5);
    EXPECT_FALSE(plc_deadline_has_passed(deadline));
    EXPECT_FALSE(plc_deadline_is_never(deadline));
}

TEST(Deadline, AtTooLateIsNeverAndNegativeIsPast) {
    const int64_t last_second = INT64_MAX / ns_per_second;
    for (plc_clock clock : clocks) {
        EXPECT_TRUE(plc_deadline_is_never(plc_deadline_at(clock, INT64_MAX, 999'999'999)));
        EXPECT_TRUE(plc_deadline_is_never(plc_deadline_at(clock, last_second + 1, 0)));
        EXPECT_TRUE(plc_deadline_is_never(plc_deadline_at(clock, last_second, 999'999'999)));
        EXPECT_FALSE(plc_deadline_is_never(plc_deadline_at(clock, last_second, 0)));
        EXPECT_TRUE(plc_deadline_has_passed(plc_deadline_at(clock, -1, 999'999'999)));
        EXPECT_TRUE(plc_deadline_has_passed(plc_deadline_at(clock, INT64_MIN, 0)));
    }
}

TEST(Deadline, PreservesErrno) {
    errno = 4242;
    plc_deadline_after_ns(5);
    plc_deadline_at(PLC_CLOCK_REALTIME, INT64_MAX, 5);
    plc_deadline_has_passed(plc_test::soon());
    EXPECT_EQ(errno, 4242);
}

} // namespace
