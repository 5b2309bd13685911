/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A condition variable of one word.
 *
 *  Zeroed memory is a condition variable that nobody waits for; there is nothing to destroy. Its memory may be freed as
 *  soon as nobody is queued on it any more: right after plc_condvar_notify_all has returned, before the waiters have
 *  resumed, or by a waiter that was woken, before the notifier has returned.
 *
 *  Waits end by a notification or by their deadline, never spuriously, and a waiter that reports a time-out has not
 *  used up a notification. They belong in loops all the same, since the predicate may have changed again before the
 *  waiter had its mutex back. Waiters that sleep are notified in the order in which they came; one that has come
 *  later and is still awake may be notified before them, but the first is passed over for no longer than a
 *  millisecond.
 *
 *  At any time all waiters use the same plc_mutex_t, or none of them uses one (plc_condvar_wait_any). Mixing aborts.
 *
 *  Notifying is possible with or without the mutex. If the mutex is held, plc_condvar_notify_one does not wake a waiter
 *  that would only take the notifier's processor to block again: it moves it to the mutex's queue. A predicate must be
 *  changed under the mutex.
 *
 *  Ordering: what the mutex gives. Nothing allocates.
 *
 *  After Rust's parking_lot::Condvar. docs/design/condvar.md has the state word, its invariants and edges. */
#ifndef PLC_CONDVAR_H
#define PLC_CONDVAR_H

#include <plc/mutex.h>

PLC_BEGIN_DECLS

/** A condition variable; `state` is private. */
typedef struct plc_condvar {
    uintptr_t state; /**< private */
} plc_condvar_t;

PLC_STATIC_ASSERT(sizeof(plc_condvar_t) == sizeof(void *), "a condition variable is one word");

/** A condition variable that nobody waits for. So is any zeroed memory. */
#define PLC_CONDVAR_INIT                                                                                               \
    { 0 }

/** How a lock of any type is let go of and taken again. Neither may fail, throw or be null. */
struct plc_lock_ops {
    void (*unlock)(void *lock); /**< Gives the lock up. */
    void (*lock)(void *lock);   /**< Takes it again, however long that takes. */
};

PLC_API bool plc_condvar_wait_slow_(plc_condvar_t *condvar, plc_mutex_t *mutex, plc_deadline_t deadline);
PLC_API bool plc_condvar_notify_one_slow_(plc_condvar_t *condvar);
PLC_API size_t plc_condvar_notify_all_slow_(plc_condvar_t *condvar);

/** Unlocks @p mutex, which the calling thread holds, waits until it is notified or @p deadline passes, and locks
 *  @p mutex again, however long that takes. Returns whether it was notified. A notification between the unlock and the
 *  wait cannot be missed. */
PLC_INLINE bool plc_condvar_wait_until(plc_condvar_t *condvar, plc_mutex_t *mutex, plc_deadline_t deadline)
    PLC_REQUIRES(*mutex) {
    bool notified;
    plc_mutex_will_unlock_(mutex);
    plc_mutex_unlocked_(mutex);
    plc_mutex_will_lock_(mutex);
    notified = plc_condvar_wait_slow_(condvar, mutex, deadline);
    plc_mutex_locked_(mutex);
    return notified;
}

/** As plc_condvar_wait_until, without a deadline. */
PLC_INLINE void plc_condvar_wait(plc_condvar_t *condvar, plc_mutex_t *mutex) PLC_REQUIRES(*mutex) {
    (void)plc_condvar_wait_until(condvar, mutex, PLC_NO_DEADLINE);
}

/** As plc_condvar_wait_until, with a lock of any type. @p ops->unlock and @p ops->lock run in the calling thread. */
PLC_API bool plc_condvar_wait_any_until(plc_condvar_t *condvar, const struct plc_lock_ops *ops, void *lock,
                                        plc_deadline_t deadline);

/** As plc_condvar_wait, with a lock of any type. */
PLC_INLINE void plc_condvar_wait_any(plc_condvar_t *condvar, const struct plc_lock_ops *ops, void *lock) {
    (void)plc_condvar_wait_any_until(condvar, ops, lock, PLC_NO_DEADLINE);
}

/** Notifies one waiting thread, if there is one; returns whether there was. */
PLC_INLINE bool plc_condvar_notify_one(plc_condvar_t *condvar) {
    /* No waiter that this is meant for can be missed: [C1]. */
    /* acquire [C2]: for who frees the condvar now that nobody waits */
    return PLC_UNLIKELY(plc_load_acquire(&condvar->state) != 0) && plc_condvar_notify_one_slow_(condvar);
}

/** Notifies every waiting thread; returns how many there were. */
PLC_INLINE size_t plc_condvar_notify_all(plc_condvar_t *condvar) {
    /* acquire [C2]: as above */
    return PLC_UNLIKELY(plc_load_acquire(&condvar->state) != 0) ? plc_condvar_notify_all_slow_(condvar) : 0;
}

PLC_END_DECLS
#endif
