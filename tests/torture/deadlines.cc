/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Random deadlines, and whether a time-out came too early. */
#include <ctime>

#include "part.h"

namespace torture {

namespace {

constexpr int64_t ns_per_second = 1'000'000'000;

int64_t now(plc_clock clock) {
    timespec time;
    clock_gettime(clock == PLC_CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, &time);
    return int64_t{time.tv_sec} * ns_per_second + time.tv_nsec;
}

plc_clock random_clock(Random &random) {
    return random.one_in(2) ? PLC_CLOCK_MONOTONIC : PLC_CLOCK_REALTIME;
}

} // namespace

plc_deadline_t soon(Random &random) {
    const plc_clock clock = random_clock(random);
    switch (random.below(8)) {
    case 0:
        return {INT64_MIN, clock};
    case 1:
        return {0, clock};
    case 2:
        return {now(clock) - 1, clock};
    case 3:
        return {now(clock), clock};
    case 4:
        return {now(clock) + static_cast<int64_t>(random.below(1'000'000)), clock};
    default:
        return {now(clock) + static_cast<int64_t>(random.below(50'000)), clock};
    }
}

plc_deadline_t far(Random &random) {
    const plc_clock clock = random_clock(random);
    switch (random.below(4)) {
    case 0:
        return {INT64_MAX - 1, clock};
    case 1:
        return {INT64_MAX, clock};
    case 2:
        return {now(clock) + 24 * 3600 * ns_per_second, clock};
    default:
        return PLC_NO_DEADLINE;
    }
}

void check_time_out(plc_deadline_t deadline, const char *what, const void *object) {
    /* The wall clock may be set back meanwhile; the other never goes back. */
    if (deadline.clock == PLC_CLOCK_MONOTONIC && !plc_deadline_has_passed(deadline))
        fail("%s of %p timed out before its deadline", what, object);
}

} // namespace torture
