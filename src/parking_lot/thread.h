/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What libplc keeps for each thread. */
#ifndef PLC_THREAD_H
#define PLC_THREAD_H

#include "parking_lot/waiter.h"
#include "platform/tuning.h"
#include "thread_parker/spin_habit.h"

struct plc_once_frame;
struct plc_reader_slot;
struct plc_undo;
struct plc_unparker;

/* The slots of the reader table that this thread has, in the order in which it took them. */
struct plc_reader_holds {
    uint32_t count;
    struct plc_reader_slot *slots[PLC_READER_HOLDS];
};

/* Lies in initial-exec thread-local storage: no allocation on first use, valid until the thread's very end.
 * Zero-initialised. */
struct plc_thread {
    struct plc_waiter waiter;
    uint64_t thread_id;   /* as debuggers show it */
    uint32_t incarnation; /* of the lot, for which it is that */
    bool is_inside_hook;  /* of plc/debug.h */
    bool waiter_ready;    /* its parker was initialised */
    bool waiter_in_use;
    uint32_t crowd;       /* not 0: so many threads wait, and this one is to tell the system, if it has not been told */
    bool expects_company; /* the last one that could wake others when it woke this thread did so */
    uint32_t place;       /* where it sleeps then; 0: it has none yet */
    struct plc_undo *undo;   /* what it has begun and must take back if it is torn out of it, innermost first */
    const void *handed_over; /* the mutex that this thread handed over last: it does not compete for it at once */
    const void *stale;       /* the mutex whose PARKED this thread last found set with nobody queued */
    struct plc_reader_holds reads;
    struct plc_once_frame *once_frames; /* the once calls that this thread is inside, innermost first */
    struct plc_spin_habit spin_habit;   /* of its parker's parks */
    struct plc_unparker *unparker;      /* made at the first use */
    bool is_blocking_on;                /* inside plc_block_on */
};

/* The calling thread's. The only access to thread-local storage, so that the model checker can supply its own. */
struct plc_thread *plc_thread_self(void);

#endif
