/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The mutex's bits, and its queue: what a waiter and an unlocker do under the lock of its bucket. */
#ifndef PLC_MUTEX_QUEUE_H
#define PLC_MUTEX_QUEUE_H

#include <plc/mutex.h>

#include "parking_lot/lot.h"
#include "platform/platform.h"
#include "sync/mutex.h"

enum {
    LOCKED = PLC_MUTEX_LOCKED_,
    PARKED = PLC_MUTEX_PARKED_,
    CLAIMED = PLC_MUTEX_CLAIMED_,
};

/* A waiter's phase: mutex_queue.c has the table. */
enum plc_mutex_phase {
    NEW = 0,
    ARRIVED = 1,
    WANTS = 2,
    CROWD = PLC_MUTEX_CROWD,
    QUIET = 4,
};

/* Takes the mutex if L and C are clear, whoever waits, leaving P as it is. */
static inline bool plc_mutex_barge(plc_mutex_t *mutex) {
    uint8_t state = plc_load_relaxed(&mutex->state); /* relaxed: the CAS checks it */
    while (!(state & (LOCKED | CLAIMED))) {
        if (plc_cas_acquire_weak(&mutex->state, &state, (uint8_t)(state | LOCKED))) /* acquire [M1] */
            return true;
    }
    if (PLC_UNLIKELY(state & ~(LOCKED | PARKED | CLAIMED)))
        plc_os_fatal("mutex", mutex, "lock of memory that does not hold a mutex, or was overwritten");
    return false;
}

/* Queues for the mutex until it is ours (true), or until the deadline has passed (false). Takes it at once if it is
 * free. quiet: the byte beside it (mutex_quiet.h), or null. */
bool plc_mutex_queue_up_(plc_mutex_t *mutex, uint8_t *quiet, plc_deadline_t deadline);

/* After the byte was released with PARKED left in it: wakes the first waiter, or hands the mutex over to it, or leaves
   it to the heir. Touches the mutex only if somebody is queued for it. */
void plc_mutex_wake_next_(plc_mutex_t *mutex);

/* While the caller holds the mutex: hands it over to the first waiter, or releases it if there is none. */
void plc_mutex_hand_over_(plc_mutex_t *mutex);

#endif
