/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thread parker for platforms where a thread cannot sleep at all. */
#ifndef PLC_THREAD_PARKER_TYPE_H
#define PLC_THREAD_PARKER_TYPE_H

#include <stdbool.h>
#include <stdint.h>

struct plc_thread_parker {
    uint32_t waiting; /* 1 while the owner waits, 0 once it was unparked */
};

/* Whoever is unparked is woken at once: there is nothing to gather. */
struct plc_wake_batch {
    char nothing;
};

#endif
