/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thread parker for platforms where a thread can sleep on a word. */
#ifndef PLC_THREAD_PARKER_TYPE_H
#define PLC_THREAD_PARKER_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "thread_parker/spin_habit.h"

struct plc_thread_parker {
    uint32_t word;            /* enum parker_state; the owner sleeps on it */
    uint32_t waker_processor; /* where the last waker ran; written before the word is released */
    /* The rest is the owner's. What it has learnt about spinning lasts from one wait to the next. */
    struct plc_spin_habit habit;
    bool may_spin;
    bool last_was_here; /* the waker of the wait before ran on our processor */
};

#endif
