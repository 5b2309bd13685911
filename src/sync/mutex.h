/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the condition variable needs of the mutex. */
#ifndef PLC_SYNC_MUTEX_H
#define PLC_SYNC_MUTEX_H

#include <plc/mutex.h>

struct plc_waiting;

/* What a thread that waits for a mutex is woken with. */
enum plc_mutex_token {
    PLC_MUTEX_TOKEN_NORMAL = 0,   /* not by the mutex: lock it as anybody would */
    PLC_MUTEX_TOKEN_HANDOFF = 1,  /* the mutex is yours */
    PLC_MUTEX_TOKEN_SUMMONED = 2, /* you are first in its queue, and still in it: come and take it */
};

/* The phase of waiters whom a broadcast moved to a held mutex's queue: its unlock takes them out and wakes them all at once, as
   the broadcast would have done had it been free. They lock it as anybody would. */
enum { PLC_MUTEX_CROWD = 3 };

/* With the bucket of the mutex locked: if it is held, makes PARKED right for a waiter that is queued for it before the
   bucket is unlocked, and returns true. */
bool plc_mutex_mark_parked_if_locked_(plc_mutex_t *mutex);

/* With the bucket of the mutex locked, to whose queue waiters were moved: makes PARKED right for them, and if the mutex is
   free, does for them what its unlock would have done. Returns the waiter to wake when the bucket is unlocked, or null. */
struct plc_waiter *plc_mutex_serve_moved_(plc_mutex_t *mutex);

/* With the bucket of the mutex locked: a waiter has left its queue because its time had run out. */
void plc_mutex_waiter_left_(plc_mutex_t *mutex, bool was_last);

/* A plc_resume for a waiter that was requeued to this mutex: if it was summoned it takes the mutex as its heir. Returns
   HANDOFF if the mutex is now held by the caller, else the token as it was. */
uintptr_t plc_mutex_resume_(plc_mutex_t *mutex, struct plc_waiting *waiting, uintptr_t token);

/* A plc_resign for one that was summoned, was handed the mutex, or has taken it: it wants it no more. Does not wait for the
   mutex. */
void plc_mutex_resign_(plc_mutex_t *mutex, struct plc_waiting *waiting);

#endif
