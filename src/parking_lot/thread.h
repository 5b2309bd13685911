/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What libplc keeps for each thread. */
#ifndef PLC_THREAD_H
#define PLC_THREAD_H

#include "parking_lot/waiter.h"

struct plc_once_frame;

/* Lies in initial-exec thread-local storage: no allocation on first use, valid until the thread's very end.
 * Zero-initialised. */
struct plc_thread {
    struct plc_waiter waiter;
    bool waiter_ready; /* its parker was initialised */
    bool waiter_in_use;
    const void *handed_over; /* the mutex that this thread handed over last: it does not compete for it at once */
    const void *stale;       /* the mutex whose PARKED this thread last found set with nobody queued */
    struct plc_once_frame *once_frames; /* the once calls that this thread is inside, innermost first */
};

/* The calling thread's. The only access to thread-local storage, so that the model checker can supply its own. */
struct plc_thread *plc_thread_self(void);

#endif
