/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the condition variable needs of the mutex. */
#ifndef PLC_SYNC_MUTEX_H
#define PLC_SYNC_MUTEX_H

#include <plc/mutex.h>

/* What the thread that unlocks a mutex tells the one that it wakes. */
enum plc_mutex_token {
    PLC_MUTEX_TOKEN_NORMAL = 0,  /* the mutex may be free: try to take it */
    PLC_MUTEX_TOKEN_HANDOFF = 1, /* the mutex is yours */
};

/* With the bucket of the mutex locked: if it is held, sets PARKED and returns true, so that a waiter that is queued for
   it before the bucket is unlocked will be woken by an unlock. */
bool plc_mutex_mark_parked_if_locked_(plc_mutex_t *mutex);

/* Locks the mutex for a thread that was woken from its queue, or from a condition variable's, with this token. If it
   has to wait it queues in front, with the seniority of waiting_since (0: none yet). */
void plc_mutex_relock_after_wait_(plc_mutex_t *mutex, uintptr_t token, int64_t waiting_since);

#endif
