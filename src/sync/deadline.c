/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Arithmetic on deadlines that saturates: too late means never, negative means past. */
#include <plc/deadline.h>

#include "platform/platform.h"

#define NS_PER_SECOND INT64_C(1000000000)

plc_deadline_t plc_deadline_after_ns(int64_t ns) {
    plc_deadline_t deadline = {plc_os_now_ns(PLC_CLOCK_MONOTONIC), PLC_CLOCK_MONOTONIC};
    if (ns > 0 && __builtin_add_overflow(deadline.ns, ns, &deadline.ns))
        deadline.ns = INT64_MAX;
    return deadline;
}

bool plc_deadline_has_passed(plc_deadline_t deadline) {
    return !plc_deadline_is_never(deadline) && plc_os_now_ns(deadline.clock) >= deadline.ns;
}

plc_deadline_t plc_deadline_at(enum plc_clock clock, int64_t seconds, long ns) {
    plc_deadline_t deadline = {0, clock};
    if (seconds < 0)
        return deadline;
    if (__builtin_mul_overflow(seconds, NS_PER_SECOND, &deadline.ns) ||
        __builtin_add_overflow(deadline.ns, (int64_t)ns, &deadline.ns))
        deadline.ns = INT64_MAX;
    return deadline;
}
