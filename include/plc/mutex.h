/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A mutual exclusion lock of one byte.
 *
 *  Zeroed memory is an unlocked mutex; there is nothing to destroy. A mutex may be moved by memcpy while nobody holds or
 *  waits for it, and its memory may be freed by the next owner as soon as it has the lock: unlock does not touch a mutex
 *  after the last right to it is gone.
 *
 *  Fairness: a running thread may take a free lock before a waiting one (barging), because that is fast. Waiters are served
 *  in the order in which they came; the first of them, once it was woken, is overtaken for at most half a millisecond,
 *  after which an unlock hands the lock over to it, and nobody comes between who could wait (try_lock, and lock_until past its
 *  deadline, take a lock that they find free). So with n waiters before it a thread waits for no more than n + 1 such
 *  slices and as many sections. A lock that becomes free while that first waiter, beaten before, naps stays free for up to
 *  the rest of its slice; one that was reserved for a task (plc/async.h) for up to a millisecond.
 *
 *  Ordering: unlock releases, lock acquires. Locking may block; nothing allocates. Locking a mutex that the calling thread
 *  holds blocks for ever (PLC_CHECKED builds abort instead); unlocking one that is not locked aborts.
 *
 *  Algorithm: our own, with WebKit's and Rust parking_lot's one-byte state, the designated waker of nsync and Abseil, and
 *  hand-over by seniority as in CPython; docs/design/mutex.md. */
#ifndef PLC_MUTEX_H
#define PLC_MUTEX_H

#include <plc/deadline.h>
#include <plc/detail/atomic.h>
#include <plc/detail/checked.h>
#include <plc/detail/last_try.h>
#include <plc/detail/tsan.h>

PLC_BEGIN_DECLS

/** A mutex; `state` is private. docs/design/mutex.md has its bits. */
typedef struct PLC_CAPABILITY("mutex") plc_mutex {
    uint8_t state; /**< private */
} plc_mutex_t;

PLC_STATIC_ASSERT(sizeof(plc_mutex_t) == 1, "a mutex is one byte");

/** An unlocked mutex. So is any zeroed memory. */
#define PLC_MUTEX_INIT                                                                                                 \
    { 0 }

enum {
    PLC_MUTEX_LOCKED_ = 1u,  /* somebody holds it */
    PLC_MUTEX_PARKED_ = 2u,  /* an unlock must look at the queue */
    PLC_MUTEX_CLAIMED_ = 4u, /* so it must, and while it is free only who cannot wait may take it in passing */
};

PLC_API void plc_mutex_lock_slow_(plc_mutex_t *mutex);
PLC_API bool plc_mutex_lock_until_slow_(plc_mutex_t *mutex, plc_deadline_t deadline);
PLC_API void plc_mutex_unlock_slow_(plc_mutex_t *mutex, uint8_t left);
PLC_API void plc_mutex_unlock_fair_slow_(plc_mutex_t *mutex);
PLC_API void plc_mutex_bump_slow_(plc_mutex_t *mutex);

/* Announcements around every way to take or give back a mutex; nothing in a plain build. */
#define plc_mutex_will_lock_(mutex)                                                                                    \
    (plc_checked_will_lock_((mutex), "mutex", PLC_CHECKED_EXCLUSIVE), plc_tsan_pre_lock((mutex), PLC_TSAN_WRITE))
#define plc_mutex_locked_(mutex)                                                                                       \
    (plc_tsan_post_lock((mutex), PLC_TSAN_WRITE), plc_checked_locked_((mutex), "mutex", PLC_CHECKED_EXCLUSIVE))
#define plc_mutex_will_unlock_(mutex)                                                                                  \
    (plc_checked_unlock_((mutex), "mutex", PLC_CHECKED_EXCLUSIVE), plc_tsan_pre_unlock((mutex), PLC_TSAN_WRITE))
#define plc_mutex_unlocked_(mutex) plc_tsan_post_unlock((mutex), PLC_TSAN_WRITE)

/** Locks @p mutex; blocks until it is free. */
PLC_INLINE void plc_mutex_lock(plc_mutex_t *mutex) PLC_ACQUIRE(*mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t free_state = 0;
    plc_mutex_will_lock_(mutex);
    if (PLC_UNLIKELY(!plc_cas_acquire_weak(&mutex->state, &free_state, PLC_MUTEX_LOCKED_))) /* acquire [M1] */
        plc_mutex_lock_slow_(mutex);
    plc_mutex_locked_(mutex);
}

/** Locks @p mutex if it is free; never blocks. */
PLC_INLINE bool plc_mutex_try_lock(plc_mutex_t *mutex) PLC_TRY_ACQUIRE(true, *mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    const bool looks = plc_try_looks_first_();
    /* relaxed: a failed try orders nothing */
    uint8_t state = looks ? plc_load_relaxed(&mutex->state) : (uint8_t)0;
    bool taken = false;
    plc_tsan_pre_lock(mutex, PLC_TSAN_WRITE | PLC_TSAN_TRY);
    while (!taken && !(state & PLC_MUTEX_LOCKED_))
        taken = plc_cas_acquire_weak(&mutex->state, &state, (uint8_t)(state | PLC_MUTEX_LOCKED_)); /* acquire [M1] */
    plc_try_ended_(looks, taken);
    plc_tsan_post_try(mutex, PLC_TSAN_WRITE, taken);
    if (taken)
        plc_checked_locked_(mutex, "mutex", PLC_CHECKED_EXCLUSIVE);
    return taken;
}

/** Locks @p mutex unless @p deadline passes first; returns whether it did. A free mutex is taken even after the
 * deadline. */
PLC_INLINE bool plc_mutex_lock_until(plc_mutex_t *mutex, plc_deadline_t deadline)
    PLC_TRY_ACQUIRE(true, *mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t free_state = 0;
    bool taken;
    plc_tsan_pre_lock(mutex, PLC_TSAN_WRITE | PLC_TSAN_TRY);
    taken = plc_cas_acquire_weak(&mutex->state, &free_state, PLC_MUTEX_LOCKED_) || /* acquire [M1] */
            plc_mutex_lock_until_slow_(mutex, deadline);
    plc_tsan_post_try(mutex, PLC_TSAN_WRITE, taken);
    if (taken)
        plc_checked_locked_(mutex, "mutex", PLC_CHECKED_EXCLUSIVE);
    return taken;
}

/** Unlocks @p mutex, which the calling thread holds. */
PLC_INLINE void plc_mutex_unlock(plc_mutex_t *mutex) PLC_RELEASE(*mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t left;
    plc_mutex_will_unlock_(mutex);
    left = plc_sub_fetch_release(&mutex->state, (uint8_t)PLC_MUTEX_LOCKED_); /* release [M1] */
    if (PLC_UNLIKELY(left != 0))
        plc_mutex_unlock_slow_(mutex, left);
    plc_mutex_unlocked_(mutex);
}

/** Unlocks @p mutex and, if a thread waits for it, hands it over to the one that waits longest. */
PLC_INLINE void plc_mutex_unlock_fair(plc_mutex_t *mutex) PLC_RELEASE(*mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t held = PLC_MUTEX_LOCKED_;
    plc_mutex_will_unlock_(mutex);
    if (PLC_UNLIKELY(!plc_cas_release(&mutex->state, &held, 0))) /* release [M1] */
        plc_mutex_unlock_fair_slow_(mutex);
    plc_mutex_unlocked_(mutex);
}

/** Lets a waiting thread have @p mutex, if there is one, and takes it again: unlock_fair and lock in one. */
PLC_INLINE void plc_mutex_bump(plc_mutex_t *mutex) PLC_REQUIRES(*mutex) {
    /* relaxed: only a hint; a waiter that is missed here is seen by the next bump or unlock */
    if (PLC_UNLIKELY(plc_load_relaxed(&mutex->state) & PLC_MUTEX_PARKED_)) {
        plc_mutex_will_unlock_(mutex);
        plc_mutex_unlocked_(mutex);
        plc_mutex_will_lock_(mutex);
        plc_mutex_bump_slow_(mutex);
        plc_mutex_locked_(mutex);
    }
}

/** Is @p mutex held by anybody? Out of date as soon as it is known, unless the caller holds it. */
PLC_INLINE bool plc_mutex_is_locked(const plc_mutex_t *mutex) {
    return (plc_load_relaxed(&mutex->state) & PLC_MUTEX_LOCKED_) != 0;
}

PLC_END_DECLS
#endif
