/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The observer behind plc-run --profile. */
#ifndef PLC_PROFILE_H
#define PLC_PROFILE_H

#include "../observe.h"

extern const struct observer profile_observer __attribute__((visibility("hidden")));

#endif
