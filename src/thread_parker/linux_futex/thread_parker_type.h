/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thread parker for platforms where a thread can sleep on a word. */
#ifndef PLC_THREAD_PARKER_TYPE_H
#define PLC_THREAD_PARKER_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "thread_parker/spin_habit.h"

struct plc_thread_parker {
    uint32_t word;            /* enum parker_state */
    uint32_t waker_processor; /* where the last waker ran; written before the word is released */
    bool had_company;         /* the last waker woke others with us; likewise */
    uint32_t place; /* where the owner sleeps: 0: on the word; else which of the shared words, and which bit */
    /* The rest is the owner's alone. What it has learnt about spinning lasts from one wait to the next. */
    struct plc_spin_habit habit;
    bool may_spin;
    bool last_was_here; /* the waker of the wait before ran on our processor */
};

/* Sleepers that were let go and are yet to be woken, by the words that they sleep on. */
enum { PLC_WAKE_BATCH_WORDS = 4 };
struct plc_wake_batch {
    unsigned count;
    struct {
        uint32_t *word;
        uint32_t bits;
    } words[PLC_WAKE_BATCH_WORDS];
};

#endif
