/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A waiter that the walk has seen, as plc/debug.h shows it. */
#ifndef PLC_DEBUG_WAITERS_H
#define PLC_DEBUG_WAITERS_H

#include <plc/debug.h>

#include "debug/walk.h"

struct plc_debug_waiter plc_debug_waiter_of(const struct plc_seen_waiter *seen);

#endif
