/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The slow paths of the one-byte mutex: barging, spinning, and when to queue. The queue itself is in mutex_queue.c. */
#include "sync/mutex.h"

#include "parking_lot/thread.h"
#include "platform/platform.h"
#include "platform/spin.h"
#include "sync/mutex_queue.h"
#include "sync/mutex_quiet.h"

/* Spins whether or not somebody is queued: the queue's turn comes by slices of time, not by everybody's good manners.
   To stop where P is set made one thread run alone and the others sleep (docs/performance.md). */
static bool spin_and_barge(plc_mutex_t *mutex) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    while (plc_spin_once_evenly(&spin, PLC_MUTEX_SPIN_PAUSES, PLC_MUTEX_SPIN_ROUNDS)) {
        if (plc_mutex_barge(mutex))
            return true;
    }
    return false;
}

/* quiet: the byte beside it, or null (mutex_quiet.c). */
static bool lock_contended(plc_mutex_t *mutex, uint8_t *quiet, plc_deadline_t deadline) {
    struct plc_thread *self = plc_thread_self();
    /* A thread that found P set with nobody queued goes to the bucket, where that can be mended. */
    if (PLC_LIKELY(self->stale != mutex)) {
        if (plc_mutex_barge(mutex))
            return true;
        /* A thread that has just handed the mutex over lets others have it: it would only steal it back. */
        if (self->handed_over != mutex && spin_and_barge(mutex))
            return true;
    }
    if (self->handed_over == mutex)
        self->handed_over = NULL;
    if (self->stale == mutex)
        self->stale = NULL;
    return plc_mutex_queue_up_(mutex, quiet, deadline);
}

void plc_mutex_lock_slow_(plc_mutex_t *mutex) {
    lock_contended(mutex, NULL, PLC_NO_DEADLINE);
}

bool plc_mutex_lock_until_slow_(plc_mutex_t *mutex, plc_deadline_t deadline) {
    return lock_contended(mutex, NULL, deadline);
}

bool plc_mutex_lock_quiet_slow_(plc_mutex_t *mutex, uint8_t *quiet, plc_deadline_t deadline) {
    return lock_contended(mutex, quiet, deadline);
}

/* left: the byte after the release. */
void plc_mutex_unlock_slow_(plc_mutex_t *mutex, uint8_t left) {
    if (PLC_UNLIKELY(left & ~(PARKED | CLAIMED)))
        plc_os_fatal("mutex", mutex,
                     (uint8_t)(left + LOCKED) & ~(PARKED | CLAIMED)
                         ? "unlock of memory that does not hold a mutex, or was overwritten"
                         : "unlock of a mutex that is not locked");
    plc_mutex_wake_next_(mutex);
}

void plc_mutex_unlock_fair_slow_(plc_mutex_t *mutex) {
    uint8_t state = plc_load_relaxed(&mutex->state); /* relaxed: we hold it, or it is an error that no order can mend */
    if (PLC_UNLIKELY(!(state & LOCKED)))
        plc_os_fatal("mutex", mutex, "unlock of a mutex that is not locked");
    plc_mutex_hand_over_(mutex);
}

void plc_mutex_bump_slow_(plc_mutex_t *mutex) {
    plc_mutex_hand_over_(mutex);
    plc_mutex_lock(mutex);
}
