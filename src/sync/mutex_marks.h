/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the marks P and C of a mutex's byte have to be for those who are queued, and how they change, with the bucket locked. */
#ifndef PLC_MUTEX_MARKS_H
#define PLC_MUTEX_MARKS_H

#include <plc/mutex.h>

#include "parking_lot/queue.h"
#include "sync/mutex_queue.h"
#include "sync/mutex_tasks.h"

enum { LONG_AGO = 1 }; /* as summoned_at: it has been stuck for too long already */

/* ---- Who is queued */

static inline struct plc_lot_key key_of_threads(const plc_mutex_t *mutex) {
    return plc_lot_key(mutex, PLC_WAITER_MUTEX);
}

static inline struct plc_waiter *first_waiter(struct plc_bucket *bucket, const plc_mutex_t *mutex) {
    struct plc_waiter *previous = NULL;
    return plc_queue_find_first(bucket, key_of_threads(mutex), &previous);
}

/* Does a task sleep in the queue? */
static inline bool tasks_sleep(const struct plc_bucket *bucket, const plc_mutex_t *mutex) {
    return plc_tasks_sleep(bucket, plc_lot_key(mutex, PLC_WAITER_MUTEX_TASK));
}

/* Does anybody wait but this waiter, which is the first thread? */
static inline bool has_successor(const struct plc_bucket *bucket, struct plc_waiter *waiter, const plc_mutex_t *mutex) {
    return plc_queue_contains(waiter->next, key_of_threads(mutex)) || tasks_sleep(bucket, mutex);
}

/* ---- What P has to be */

/* While this waiter, or none, is the first thread in the queue of a held mutex that somebody else is queued for, or is
   about to be (I1, I2). */
static inline bool parked_behind(const struct plc_waiter *first) {
    return !(first && first->phase == ARRIVED && first->state == PLC_WAITER_SUMMONED);
}

static inline bool must_look(const struct plc_bucket *bucket, const struct plc_waiter *first,
                             const plc_mutex_t *mutex) {
    return first ? parked_behind(first) : tasks_sleep(bucket, mutex);
}

/* ---- What C has to be (I6) */

/* Must the next unlock hand the mutex over to this one, which is the first thread, or nobody? */
static inline bool claims(const struct plc_waiter *first) {
    if (!first || first->phase == WANTS)
        return first != NULL;
    return first->state == PLC_WAITER_SUMMONED && first->phase == NEW && first->summoned_at == LONG_AGO;
}

/* Does a task claim it, or is it reserved for one? */
static inline bool tasks_claim(const struct plc_bucket *bucket, const plc_mutex_t *mutex) {
    return PLC_UNLIKELY(bucket->tasks) && plc_mutex_tasks_claim_(bucket, mutex);
}

/* ---- Both */

static inline uint8_t marks(bool parked, bool claimed) {
    return (uint8_t)((parked ? PARKED : 0) | (claimed ? CLAIMED : 0));
}

/* As the queue is now. */
static inline uint8_t marks_for(struct plc_bucket *bucket, const plc_mutex_t *mutex) {
    const struct plc_waiter *first = first_waiter(bucket, mutex);
    return marks(must_look(bucket, first, mutex), claims(first) || tasks_claim(bucket, mutex));
}

/* Takes the mutex, if it is free, with these marks; else makes its marks as given. */
static inline bool take_or_mark(plc_mutex_t *mutex, uint8_t if_taken, uint8_t if_held) {
    uint8_t state = plc_load_relaxed(&mutex->state); /* relaxed: a CAS checks it, or it is as it should be */
    for (;;) {
        const uint8_t held = (uint8_t)(LOCKED | if_held);
        if (!(state & LOCKED)) {
            if (plc_cas_acquire_weak(&mutex->state, &state, (uint8_t)(LOCKED | if_taken))) /* acquire [M1] */
                return true;
        } else if (state == held ||
                   plc_cas_relaxed_weak(&mutex->state, &state, held)) { /* relaxed: P and C carry no data */
            return false;
        }
    }
}

/* Makes its marks as given, be it free or not. */
static inline void mark(plc_mutex_t *mutex, uint8_t wanted) {
    uint8_t state = plc_load_relaxed(&mutex->state); /* relaxed: the CAS checks it, or it is as it should be */
    while ((state & (PARKED | CLAIMED)) != wanted) {
        /* relaxed: P and C carry no data */
        if (plc_cas_relaxed_weak(&mutex->state, &state, (uint8_t)((state & LOCKED) | wanted)))
            return;
    }
}

/* ---- Who may not take it even if it is free */

/* Is it kept free for a task that was woken, and until when? */
static inline bool is_reserved(const plc_mutex_t *mutex, struct plc_bucket *bucket, int64_t *until) {
    return PLC_UNLIKELY(bucket->tasks) && plc_mutex_claim_of_tasks_(mutex, bucket, until) == PLC_MUTEX_RESERVED;
}

/* May a newcomer not take the mutex even if it is free? Who cannot wait may. If it is reserved for a
   task, and no thread that is awake waits for that, then nobody else would look when the time is over. */
static inline bool is_kept_out(plc_mutex_t *mutex, struct plc_bucket *bucket, const struct plc_waiter *first,
                               plc_deadline_t deadline, bool *must_stay_awake) {
    int64_t until;
    enum plc_mutex_claim claim = PLC_MUTEX_UNCLAIMED;
    if (PLC_LIKELY(!(plc_load_relaxed(&mutex->state) & CLAIMED))) /* relaxed: C is the bucket lock's */
        return false;
    if (bucket->tasks)
        claim = plc_mutex_claim_of_tasks_(mutex, bucket, &until);
    bool kept_out = claim == PLC_MUTEX_RESERVED || claim == PLC_MUTEX_WANTED || claims(first);
    if (!kept_out || plc_deadline_has_passed(deadline))
        return false;
    *must_stay_awake = claim == PLC_MUTEX_RESERVED && !first;
    return true;
}

#endif
