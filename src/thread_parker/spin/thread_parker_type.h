/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thread parker for platforms where a thread cannot sleep at all. */
#ifndef PLC_THREAD_PARKER_TYPE_H
#define PLC_THREAD_PARKER_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "thread_parker/one_by_one.h"

struct plc_thread_parker {
    uint32_t waiting; /* 1 while the owner waits, 0 once it was unparked */
};

#endif
