/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How long those in a queue wait before they look again, and others before they no longer wait for them. */
#ifndef PLC_PATIENCE_H
#define PLC_PATIENCE_H

#include "platform/platform.h"

/* Has something lasted for longer than this? It begins when this is asked first: *since is 0 until then. */
static inline bool plc_is_overdue(int64_t *since, int64_t patience_ns) {
    int64_t now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    if (*since == 0)
        *since = now;
    return now - *since > patience_ns;
}

static inline int64_t plc_earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* When a nap ends that begins now: at the latest then, and no later than the deadline. now, latest: monotonic. */
static inline plc_deadline_t plc_end_of_nap(int64_t now, int64_t nap, int64_t latest, plc_deadline_t deadline) {
    if (!plc_deadline_is_never(deadline)) {
        const int64_t there = plc_os_now_ns(deadline.clock);
        nap = deadline.ns > there ? plc_earlier(nap, deadline.ns - there) : 0;
    }
    return (plc_deadline_t){plc_earlier(now + nap, latest), PLC_CLOCK_MONOTONIC};
}

#endif
