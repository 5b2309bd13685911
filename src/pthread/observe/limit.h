/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which of pthread's three ways to wait a wrapper stands for. */
#ifndef PLC_OBSERVE_LIMIT_H
#define PLC_OBSERVE_LIMIT_H

#include "observe.h"

#include <time.h>

enum observe_limit_kind { OBSERVE_FOR_EVER, OBSERVE_TIMED, OBSERVE_CLOCK };

struct observe_limit {
    enum observe_limit_kind kind;
    clockid_t clock; /* of OBSERVE_CLOCK */
    const struct timespec *time;
};

/* For observe_acquired. */
static inline unsigned observe_limit_flags(const struct observe_limit *limit) {
    return limit->kind == OBSERVE_FOR_EVER ? 0 : OBSERVE_LIMITED;
}

#endif
