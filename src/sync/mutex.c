/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The slow paths of the one-byte mutex: queueing, waking, handing over. */
#include "sync/mutex.h"

#include "parking_lot/lot.h"
#include "platform/platform.h"
#include "platform/spin.h"

/* mutex->state
 *   7  6  5  4  3  2  1  0
 *  [0  0  0  0  0  0  P  L]      L locked   P somebody may be queued
 *
 *   P L   meaning                                          left by
 *   0 0   free                                             lock: CAS to L
 *   0 1   held, queue empty or about to be joined          unlock: CAS to 0; a waiter: CAS to P L
 *   1 1   held, queue probably not empty                   unlock_slow, under the bucket lock
 *   1 0   free, queue not empty, a woken thread is coming  any lock: CAS to P L
 *   others: not a mutex; reported by the slow path
 *
 * Invariants
 *   I1  If a thread is queued for this mutex, P is set. P is cleared only under the bucket lock, by an unlocker or a
 * waiter that left on a time-out, when it found nobody else queued; a thread queues only after it saw L and P set under
 * that lock. P may be set with nobody queued: that costs one slow unlock. M2  While L and P are set only the holder's
 * unlock_slow clears L. So somebody who is queued is woken by the next unlock, and a thread that was woken and finds
 * the mutex held again has P set for it, or sets it before it queues. M3  The unlocker's last access to the mutex is in
 * the callback that runs under the bucket lock, which is not part of the mutex: the next owner may free it. M4  A
 * waiter at the head of the queue is overtaken for at most PLC_FAIR_AFTER_NS: the first unlock after that hands the
 *       mutex over. A thread that was woken but beaten queues in front, with the seniority that it had.
 *
 * Memory order
 *   [M1] unlock's release (CAS to 0 inline, or the store in release_or_hand_over) -> lock's CAS-acquire: the critical
 *        sections. A hand-over needs no edge of its own: the parker's [P1] orders it.
 *   All else is relaxed: P carries no data, and what is decided by it is decided under the bucket lock.
 *
 * The algorithm is parking_lot's RawMutex, which is WebKit's Lock; fairness by the waiter's own seniority is CPython's.
 */

enum {
    LOCKED = PLC_MUTEX_LOCKED_,
    PARKED = PLC_MUTEX_PARKED_,
};

static struct plc_lot_key key_of(const plc_mutex_t *mutex) {
    return plc_lot_key(mutex, PLC_WAITER_MUTEX);
}

/* ---- Locking */

/* Still held, and P still set: to be woken by an unlock. Runs under the bucket lock. */
static bool is_held_and_parked(void *context) {
    const plc_mutex_t *mutex = context;
    return plc_load_relaxed(&mutex->state) == (LOCKED | PARKED); /* relaxed: P changes under this lock (I1) */
}

static void clear_parked_if_last(void *context, const void *key, bool was_last) {
    plc_mutex_t *mutex = context;
    (void)key;
    if (was_last)
        plc_fetch_and_relaxed(&mutex->state, (uint8_t)~PARKED); /* relaxed: carries no data (I1) */
}

static const struct plc_park_ops queue_at_back = {
    .validate = is_held_and_parked, .timed_out = clear_parked_if_last, .flags = PLC_PARK_NO_SPIN};
static const struct plc_park_ops queue_in_front = {
    .validate = is_held_and_parked, .timed_out = clear_parked_if_last, .flags = PLC_PARK_NO_SPIN | PLC_PARK_AT_FRONT};

/* Takes the mutex if L is clear, leaving P as it is; *state is the last value seen. */
static bool try_take(plc_mutex_t *mutex, uint8_t *state) {
    while (!(*state & LOCKED)) {
        if (plc_cas_acquire_weak(&mutex->state, state, (uint8_t)(*state | LOCKED))) /* acquire [M1] */
            return true;
    }
    return false;
}

/* was_woken: this thread comes from the queue and was beaten to the mutex. */
static bool lock_contended(plc_mutex_t *mutex, plc_deadline_t deadline, bool was_woken, int64_t waiting_since) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    for (;;) {
        uint8_t state =
            plc_load_relaxed(&mutex->state); /* relaxed: every use is a CAS, or checked under the bucket lock */
        if (try_take(mutex, &state))
            return true;
        if (PLC_UNLIKELY(state & ~(LOCKED | PARKED)))
            plc_os_fatal("mutex", mutex, "lock of memory that does not hold a mutex, or was overwritten");
        if (!(state & PARKED)) {
            if (plc_spin_once(&spin))
                continue;
            if (!plc_cas_relaxed_weak(&mutex->state, &state, (uint8_t)(LOCKED | PARKED)))
                continue;
        }
        struct plc_park_result result = plc_lot_park(key_of(mutex), was_woken ? &queue_in_front : &queue_at_back, mutex,
                                                     0, deadline, &waiting_since);
        if (result.status == PLC_PARK_TIMED_OUT)
            return false;
        if (result.status == PLC_PARK_UNPARKED) {
            if (result.token == PLC_MUTEX_TOKEN_HANDOFF)
                return true;
            was_woken = true;
        }
        plc_spin_init(&spin);
    }
}

void plc_mutex_lock_slow_(plc_mutex_t *mutex) {
    lock_contended(mutex, PLC_NO_DEADLINE, false, 0);
}

bool plc_mutex_lock_until_slow_(plc_mutex_t *mutex, plc_deadline_t deadline) {
    return lock_contended(mutex, deadline, false, 0);
}

void plc_mutex_relock_after_wait_(plc_mutex_t *mutex, uintptr_t token, int64_t waiting_since) {
    if (token != PLC_MUTEX_TOKEN_HANDOFF)
        lock_contended(mutex, PLC_NO_DEADLINE, true, waiting_since);
}

/* ---- Unlocking */

struct unlock {
    plc_mutex_t *mutex;
    bool hand_over; /* to whoever is first, however short it has waited */
};

/* Runs under the bucket lock, when the first waiter has been taken out of the queue, or there was none. */
static uintptr_t release_or_hand_over(void *context, struct plc_unpark_result result) {
    const struct unlock *unlock = context;
    uint8_t parked = result.have_more ? PARKED : 0;
    if (result.unparked && (unlock->hand_over || result.be_fair)) {
        plc_store_relaxed(&unlock->mutex->state, (uint8_t)(LOCKED | parked)); /* relaxed: L stays, P carries no data */
        return PLC_MUTEX_TOKEN_HANDOFF;
    }
    plc_store_release(&unlock->mutex->state, parked); /* release [M1]; the last access (I3) */
    return PLC_MUTEX_TOKEN_NORMAL;
}

static void unlock_contended(plc_mutex_t *mutex, bool hand_over) {
    struct unlock unlock = {mutex, hand_over};
    uint8_t state = plc_load_relaxed(&mutex->state); /* relaxed: we hold it, or it is an error that no order can mend */
    if (PLC_UNLIKELY(!(state & LOCKED)))
        plc_os_fatal("mutex", mutex, "unlock of a mutex that is not locked");
    if (PLC_UNLIKELY(state & ~(LOCKED | PARKED)))
        plc_os_fatal("mutex", mutex, "unlock of memory that does not hold a mutex, or was overwritten");
    plc_lot_unpark_one(key_of(mutex), release_or_hand_over, &unlock);
}

void plc_mutex_unlock_slow_(plc_mutex_t *mutex) {
    unlock_contended(mutex, false);
}

void plc_mutex_unlock_fair_slow_(plc_mutex_t *mutex) {
    unlock_contended(mutex, true);
}

void plc_mutex_bump_slow_(plc_mutex_t *mutex) {
    unlock_contended(mutex, true);
    lock_contended(mutex, PLC_NO_DEADLINE, false, 0);
}

/* ---- For the condition variable */

bool plc_mutex_mark_parked_if_locked_(plc_mutex_t *mutex) {
    uint8_t state = plc_load_relaxed(&mutex->state); /* relaxed: the CAS checks it */
    while (state & LOCKED) {
        if (state & PARKED || plc_cas_relaxed_weak(&mutex->state, &state, (uint8_t)(state | PARKED)))
            return true; /* P cannot be cleared while we hold the bucket lock (I1) */
    }
    return false;
}
