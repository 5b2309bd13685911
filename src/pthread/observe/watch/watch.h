/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The observer behind `plc-run --deadlock` and `plc-run --lock-order`. */
#ifndef PLC_OBSERVE_WATCH_H
#define PLC_OBSERVE_WATCH_H

#include "../observe.h"

extern const struct observer watch_observer __attribute__((visibility("hidden")));

#endif
