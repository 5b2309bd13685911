/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is said about a deadlock. */
#ifndef PLC_OBSERVE_DEADLOCK_REPORT_H
#define PLC_OBSERVE_DEADLOCK_REPORT_H

#include "held.h"

enum { DEADLOCK_SHOWN = 16 }; /* threads; a longer cycle is reported with so many of them */

/* One thread of a cycle: it waits for what the next one has, and has what the one before it waits for. */
struct deadlock_thread {
    int tid;
    uint64_t number;
    uint64_t sequence; /* together they say: this thread in this wait */
    struct watched_wait wait;
    bool is_holder; /* else it stands in the way as a writer that waits in front of a reader */
    struct held_lock held;
};

struct deadlock {
    unsigned length;
    struct deadlock_thread threads[DEADLOCK_SHOWN];
};

void deadlock_report(const struct deadlock *deadlock);

/* The deadlock in which this lock took part is over: the calling thread gives it up, though another one took it. */
void deadlock_report_end(const void *object);

#endif
