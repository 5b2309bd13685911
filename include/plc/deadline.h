/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  Absolute deadlines for every wait that may end by time.
 *
 *  A deadline names an instant, not a length: a wait that is restarted needs no arithmetic and cannot drift. Overflow
 * means "never", an instant in the past means "now". Nothing here blocks or allocates. */
#ifndef PLC_DEADLINE_H
#define PLC_DEADLINE_H

#include <plc/detail/config.h>

PLC_BEGIN_DECLS

/** The clock that a deadline is read on. */
enum plc_clock {
    PLC_CLOCK_MONOTONIC = 0, /**< Time since some start; never set. */
    PLC_CLOCK_REALTIME = 1,  /**< Wall time since 1970; a wait follows it when it is set. */
};

/** An instant: nanoseconds on a clock. `ns == INT64_MAX` means never, on either clock. */
typedef struct plc_deadline {
    int64_t ns;           /**< Nanoseconds since the clock's beginning. */
    enum plc_clock clock; /**< The clock that they are read on. */
} plc_deadline_t;

/** Never: the wait ends only by being woken. */
#ifdef __cplusplus
#define PLC_NO_DEADLINE (plc_deadline_t{INT64_MAX, PLC_CLOCK_MONOTONIC})
#else
#define PLC_NO_DEADLINE ((plc_deadline_t){INT64_MAX, PLC_CLOCK_MONOTONIC})
#endif

/** Is this deadline "never"? */
PLC_INLINE bool plc_deadline_is_never(plc_deadline_t deadline) {
    return deadline.ns == INT64_MAX;
}

/** The instant @p ns nanoseconds from now on the monotonic clock; negative means now, overflow means never. */
PLC_API plc_deadline_t plc_deadline_after_ns(int64_t ns);

/** Has the deadline passed? Reads its clock, unless it is "never". */
PLC_API bool plc_deadline_has_passed(plc_deadline_t deadline);

/** The instant @p seconds + @p ns on @p clock; @p ns in [0, 999999999]. Too late to represent means never, negative
 * time means long past. */
PLC_API plc_deadline_t plc_deadline_at(enum plc_clock clock, int64_t seconds, long ns);

PLC_END_DECLS
#endif
