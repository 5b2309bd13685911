/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From pthread's clocks and timespecs to libplc's deadlines. */
#ifndef PLC_DROPIN_DEADLINES_H
#define PLC_DROPIN_DEADLINES_H

#include <plc/deadline.h>

#include <time.h>

/* The two clocks that pthread's waits accept. */
static inline bool dropin_clock_is_known(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

static inline bool dropin_time_is_valid(const struct timespec *time) {
    return time->tv_nsec >= 0 && time->tv_nsec < 1000000000L;
}

/* The clock must be known and the time valid. */
static inline plc_deadline_t dropin_deadline(clockid_t clock, const struct timespec *time) {
    enum plc_clock ours = clock == CLOCK_MONOTONIC ? PLC_CLOCK_MONOTONIC : PLC_CLOCK_REALTIME;
    return plc_deadline_at(ours, (int64_t)time->tv_sec, (long)time->tv_nsec);
}

#endif
