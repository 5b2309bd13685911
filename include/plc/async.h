/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  Locks for tasks: the same locks that threads use, taken by polling instead of by blocking.
 *
 *  A task polls for a lock with a waker. READY: it has the lock. PENDING: it is queued, behind the threads and tasks that came
 *  before it, and the waker is woken when another poll is worth it. The waiter, which is the caller's memory, must stay where
 *  it is and keep its contents from a poll that was pending until one that is ready, or until plc_async_cancel. Zeroed
 *  memory is a waiter that waits for nothing; it may be used again and again, for one thing at a time, by one thread at a
 *  time. It works with plc_block_on, and with any runtime.
 *
 *  A lock that a task has is no thread's: another thread may go on with the task and give the lock up, with the
 *  unlock functions here. (They do what their namesakes do, but that ThreadSanitizer and PLC_CHECKED builds are told of no
 *  thread.)
 *
 *  A wake is a hint, and nothing waits for the task that got it: the lock stays free until somebody takes it. A task
 *  that is woken and never polled, or leaked with its waiter in place, keeps no thread asleep beside a free lock. It may keep
 *  tasks behind it asleep until the lock is next unlocked half a millisecond later, or until it is cancelled, which
 *  passes the wake on. A task that is woken and beaten keeps its place, but a lock is never handed over to it.
 *
 *  Fairness of the mutex: a task that was beaten for half a millisecond after it was first woken claims it. The next unlock wakes
 *  the task and reserves the mutex for it, for a millisecond: whoever would wait for a held mutex waits meanwhile, and if the
 *  task is polled in that time it has the mutex, unless somebody came by try_lock or past a deadline, who cannot wait; then it
 *  is reserved again by the next unlock. (A thread that claims it as well comes first, once.) So a task that is polled soon is
 *  overtaken for about as long as a thread is. One that is polled too late, or never, has its reservation for nothing: it can have
 *  another only after it was polled and beaten for another half millisecond, then twice as long, and so on up to half a second.
 *  A thread that runs tasks and locks the mutex for itself may so have to wait for that millisecond. A task that polls
 *  for a mutex that is reserved for another one is woken at once, to come again until the time is over.
 *
 *  Ordering is that of the locks. Nothing here blocks, but for the moment that a bucket is locked or readers are given to leave, or
 *  allocates, but what the waker's functions do. These are called with no lock of libplc held; `clone` must not poll with or cancel the same
 *  waiter.
 *
 *  In the child of a fork no task is queued: a poll queues it again, a cancel finds nothing to do.
 *
 *  Source of the interface: Rust's Future; docs/design/async.md has states and invariants. */
#ifndef PLC_ASYNC_H
#define PLC_ASYNC_H

#include <plc/block_on.h>
#include <plc/condvar.h>
#include <plc/mutex.h>
#include <plc/rwlock.h>
#include <plc/waker.h>

PLC_BEGIN_DECLS

/** A task's place in a queue; the members are private. */
typedef struct plc_async_waiter {
    uint64_t private_[16]; /**< private */
} plc_async_waiter_t;

/** A waiter that waits for nothing. So is any zeroed memory. */
#define PLC_ASYNC_WAITER_INIT                                                                                          \
    {                                                                                                                  \
        { 0 }                                                                                                          \
    }

/* The same without what tells ThreadSanitizer of their order. */
PLC_API enum plc_poll plc_mutex_lock_async_(plc_mutex_t *mutex, plc_async_waiter_t *waiter, const plc_waker_t *waker);
PLC_API enum plc_poll plc_condvar_wait_async_(plc_condvar_t *condvar, plc_mutex_t *mutex, plc_async_waiter_t *waiter,
                                              const plc_waker_t *waker);
PLC_API enum plc_poll plc_rwlock_read_lock_async_(plc_rwlock_t *lock, plc_async_waiter_t *waiter,
                                                  const plc_waker_t *waker);
PLC_API enum plc_poll plc_rwlock_write_lock_async_(plc_rwlock_t *lock, plc_async_waiter_t *waiter,
                                                   const plc_waker_t *waker);
PLC_API enum plc_poll plc_rwlock_upgradable_lock_async_(plc_rwlock_t *lock, plc_async_waiter_t *waiter,
                                                        const plc_waker_t *waker);
PLC_API enum plc_poll plc_rwlock_upgrade_async_(plc_rwlock_t *lock, plc_async_waiter_t *waiter,
                                                const plc_waker_t *waker);

/** Takes @p waiter out of whatever it waits for; does nothing if it waits for nothing. A wake that it has been given is
 *  passed on. When it has returned nobody touches the waiter, its waker has been given up, and it waits for nothing. What
 *  it waited for must still exist. */
PLC_API void plc_async_cancel(plc_async_waiter_t *waiter);

/** Polls for @p mutex. READY: the task has it, and gives it up with plc_mutex_unlock_async. */
PLC_INLINE enum plc_poll plc_mutex_lock_async(plc_mutex_t *mutex, plc_async_waiter_t *waiter,
                                              const plc_waker_t *waker) PLC_NO_THREAD_SAFETY_ANALYSIS {
    enum plc_poll poll = plc_mutex_lock_async_(mutex, waiter, waker);
    if (poll == PLC_POLL_READY)
        plc_tsan_acquire(mutex);
    return poll;
}

/** Gives up @p mutex, which the calling task got by polling, on whichever thread. */
PLC_INLINE void plc_mutex_unlock_async(plc_mutex_t *mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t left;
    plc_tsan_release(mutex);
    left = plc_sub_fetch_release(&mutex->state, (uint8_t)PLC_MUTEX_LOCKED_); /* release [M1] */
    if (PLC_UNLIKELY(left != 0))
        plc_mutex_unlock_slow_(mutex, left);
}

/** Waits on @p condvar with @p mutex. The first poll, which is pending, lets go of the mutex, which the task got by
 *  polling. READY: the task was notified, and has the mutex again. Tasks and threads are notified in the order in which
 *  they came, but for threads that are awake (plc/condvar.h). There are no spurious wake-ups; the predicate may be
 *  false again all the same. A wait that is cancelled leaves the mutex unlocked; a notification that it was given goes to the
 *  next waiter. */
PLC_INLINE enum plc_poll plc_condvar_wait_async(plc_condvar_t *condvar, plc_mutex_t *mutex, plc_async_waiter_t *waiter,
                                                const plc_waker_t *waker) PLC_NO_THREAD_SAFETY_ANALYSIS {
    enum plc_poll poll;
    plc_tsan_release(mutex);
    poll = plc_condvar_wait_async_(condvar, mutex, waiter, waker);
    if (poll == PLC_POLL_READY)
        plc_tsan_acquire(mutex);
    return poll;
}

/** Polls for @p lock to read. READY: the task has it, and gives it up with plc_rwlock_read_unlock_async. Too many readers
 *  abort, as with plc_rwlock_read_lock. */
PLC_INLINE enum plc_poll plc_rwlock_read_lock_async(plc_rwlock_t *lock, plc_async_waiter_t *waiter,
                                                    const plc_waker_t *waker) PLC_NO_THREAD_SAFETY_ANALYSIS {
    enum plc_poll poll = plc_rwlock_read_lock_async_(lock, waiter, waker);
    if (poll == PLC_POLL_READY)
        plc_tsan_acquire(lock);
    return poll;
}

/** Gives up @p lock, which the calling task got by polling, to read. */
PLC_INLINE void plc_rwlock_read_unlock_async(plc_rwlock_t *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_tsan_release(lock);
    plc_rwlock_leave_(lock);
}

/** Polls for @p lock to write. READY: the task has it, and gives it up with plc_rwlock_write_unlock_async. Where readers
 *  alone keep it out, the poll keeps new ones out, spins for some 10 us and yields a few times: if those inside leave
 *  meanwhile, the task has the lock. While it sleeps it keeps no reader out, unlike a thread that waits. So readers that stay
 *  for longer and overlap for ever may starve it; polled again, it tries again, but not more often than each half millisecond. */
PLC_INLINE enum plc_poll plc_rwlock_write_lock_async(plc_rwlock_t *lock, plc_async_waiter_t *waiter,
                                                     const plc_waker_t *waker) PLC_NO_THREAD_SAFETY_ANALYSIS {
    enum plc_poll poll = plc_rwlock_write_lock_async_(lock, waiter, waker);
    if (poll == PLC_POLL_READY) {
        plc_tsan_acquire(lock);
        plc_tsan_acquire(plc_rwlock_tsan_of_readers_(lock));
    }
    return poll;
}

/** Gives up @p lock, which the calling task got by polling, to write. */
PLC_INLINE void plc_rwlock_write_unlock_async(plc_rwlock_t *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_tsan_release(lock);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_WRITER_, 0, false);
}

/** Turns the write lock of the calling task into a read lock, without letting another writer in between. */
PLC_INLINE void plc_rwlock_downgrade_async(plc_rwlock_t *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_tsan_release(lock);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_WRITER_, PLC_RWLOCK_READER_, false);
}

/** Turns the write lock of the calling task into an upgradable one, without letting another writer in between. */
PLC_INLINE void plc_rwlock_downgrade_to_upgradable_async(plc_rwlock_t *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_tsan_release(lock);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_WRITER_, PLC_RWLOCK_UPGRADABLE_READER_, false);
}

/** Polls for @p lock upgradably: together with readers, but with no other upgradable holder and no writer. READY: the task has
 *  it, and gives it up with plc_rwlock_upgradable_unlock_async, or upgrades or downgrades it. */
PLC_INLINE enum plc_poll plc_rwlock_upgradable_lock_async(plc_rwlock_t *lock, plc_async_waiter_t *waiter,
                                                          const plc_waker_t *waker) PLC_NO_THREAD_SAFETY_ANALYSIS {
    enum plc_poll poll = plc_rwlock_upgradable_lock_async_(lock, waiter, waker);
    if (poll == PLC_POLL_READY)
        plc_tsan_acquire(lock);
    return poll;
}

/** Gives up @p lock, which the calling task holds upgradably. */
PLC_INLINE void plc_rwlock_upgradable_unlock_async(plc_rwlock_t *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_tsan_release(lock);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_UPGRADABLE_READER_, 0, false);
}

/** Turns the upgradable lock of the calling task into a read lock. */
PLC_INLINE void plc_rwlock_downgrade_upgradable_async(plc_rwlock_t *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_tsan_release(lock);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_UPGRADABLE_READER_, PLC_RWLOCK_READER_, false);
}

/** Polls to turn the upgradable lock of the calling task into a write lock. READY: it writes. PENDING: it waits for the readers
 *  to leave, and keeps new ones out only as one does that is to write; it still keeps writers and upgradable holders out, so
 *  what it has read remains true. Cancelled, it holds the lock upgradably again; until then, or until it is ready, it must
 *  not give the lock up. The waiter must be one that waits for nothing else. */
PLC_INLINE enum plc_poll plc_rwlock_upgrade_async(plc_rwlock_t *lock, plc_async_waiter_t *waiter,
                                                  const plc_waker_t *waker) PLC_NO_THREAD_SAFETY_ANALYSIS {
    enum plc_poll poll = plc_rwlock_upgrade_async_(lock, waiter, waker);
    if (poll == PLC_POLL_READY) {
        plc_tsan_acquire(lock);
        plc_tsan_acquire(plc_rwlock_tsan_of_readers_(lock));
    }
    return poll;
}

PLC_END_DECLS
#endif
