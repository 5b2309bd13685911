/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A reader-writer lock of one word, with an upgradable mode.
 *
 *  Zeroed memory is an unlocked lock; there is nothing to destroy. It may be moved by memcpy while nobody holds or
 * waits for it, and its memory may be freed by the next owner as soon as it has the lock: no unlock touches a lock
 * after the last right to it is gone.
 *
 *  Modes: any number of readers; or one writer; or one upgradable holder together with any number of readers. The
 *  upgradable holder may become the writer without letting another writer in between.
 *
 *  Fairness: a waiting writer keeps new readers out, and a lock that becomes free goes to whoever comes first; but the
 *  thread at the head of the queue, from when it ran after it was first woken, is overtaken for at most half a
 *  millisecond: then a release hands the lock over. A waiting writer keeps readers out even if they hold the lock: a
 *  thread that holds a read lock must not read_lock again, for a writer may have come in between, and both
 *  would wait for ever. That is what recursive_read_lock is for.
 *
 *  Time-outs: every `_until` form takes a lock that can be had at once, even after the deadline.
 *
 *  Overflow: 2^57 readers (2^25 where a word has 32 bits) fit. With more, read_lock aborts, and the try and timed forms
 *  return false at once.
 *
 *  Ordering: everything that was done under the lock before it was given up happens before what is done under it later,
 *  except that readers are not ordered among each other. Locking may block; nothing allocates. Giving up a mode that
 *  nobody holds aborts; locking that cannot succeed because of the calling thread's own locks blocks for ever
 *  (PLC_CHECKED builds abort instead).
 *
 *  Clang's thread-safety analysis takes the upgradable mode for a shared one, and cannot follow try_upgrade and
 *  upgrade_until, whose result decides which mode is held.
 *
 *  Algorithm: the word and the two queues are those of Rust's parking_lot::RawRwLock, which is Boost's upgrade_mutex;
 *  waiting and handing over are those of plc_mutex_t. docs/design/rwlock.md has the bits and the proofs. */
#ifndef PLC_RWLOCK_H
#define PLC_RWLOCK_H

#include <plc/detail/rwlock_word.h> /* plc_rwlock_t, PLC_RWLOCK_INIT */

PLC_BEGIN_DECLS

/* ---- Reading */

/** Locks @p lock for reading; blocks while a writer has it or waits for the readers to leave. */
PLC_INLINE void plc_rwlock_read_lock(plc_rwlock_t *lock) PLC_ACQUIRE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_lock_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ);
    if (PLC_UNLIKELY(!plc_rwlock_attempt_(lock, PLC_RWLOCK_READ_BLOCKERS_, PLC_RWLOCK_READER_)))
        plc_rwlock_lock_slow_(lock, PLC_RWLOCK_READ_);
    plc_rwlock_locked_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ);
}

/** Locks @p lock for reading if no writer has it or waits for the readers to leave; never blocks. */
PLC_INLINE bool plc_rwlock_try_read_lock(plc_rwlock_t *lock)
    PLC_TRY_ACQUIRE_SHARED(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_rwlock_will_try_(lock, PLC_TSAN_READ);
    taken = plc_rwlock_try_(lock, PLC_RWLOCK_READ_BLOCKERS_, PLC_RWLOCK_READER_);
    plc_rwlock_tried_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ, taken);
    return taken;
}

/** Locks @p lock for reading unless @p deadline passes first; returns whether it did. */
PLC_INLINE bool plc_rwlock_read_lock_until(plc_rwlock_t *lock, plc_deadline_t deadline)
    PLC_TRY_ACQUIRE_SHARED(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_rwlock_will_try_(lock, PLC_TSAN_READ);
    taken = plc_rwlock_attempt_(lock, PLC_RWLOCK_READ_BLOCKERS_, PLC_RWLOCK_READER_) ||
            plc_rwlock_lock_until_slow_(lock, PLC_RWLOCK_READ_, deadline);
    plc_rwlock_tried_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ, taken);
    return taken;
}

/** Gives up a read lock, however it was had. */
PLC_INLINE void plc_rwlock_read_unlock(plc_rwlock_t *lock) PLC_RELEASE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_unlock_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ);
    plc_rwlock_leave_(lock);
    plc_rwlock_unlocked_(lock, PLC_TSAN_READ);
}

/** As plc_rwlock_read_unlock, which is always fair: a writer that waits for the readers keeps new ones out. */
PLC_INLINE void plc_rwlock_read_unlock_fair(plc_rwlock_t *lock) PLC_RELEASE_SHARED(*lock) {
    plc_rwlock_read_unlock(lock);
}

/** Locks @p lock for reading although writers wait: blocks only while a writer has it. For a thread that may hold a
 * read lock already: such a one never blocks. Writers can be kept waiting for as long as such readers overlap. Given up
 * with plc_rwlock_read_unlock. */
PLC_INLINE void plc_rwlock_recursive_read_lock(plc_rwlock_t *lock)
    PLC_ACQUIRE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_lock_(lock, PLC_CHECKED_SHARED_AGAIN, PLC_TSAN_READ);
    if (PLC_UNLIKELY(!plc_rwlock_attempt_(lock, PLC_RWLOCK_READ_BLOCKERS_, PLC_RWLOCK_READER_)))
        plc_rwlock_lock_slow_(lock, PLC_RWLOCK_RECURSIVE_READ_);
    plc_rwlock_locked_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ);
}

/** plc_rwlock_recursive_read_lock if no writer has @p lock; never blocks. */
PLC_INLINE bool plc_rwlock_try_recursive_read_lock(plc_rwlock_t *lock)
    PLC_TRY_ACQUIRE_SHARED(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_rwlock_will_try_(lock, PLC_TSAN_READ);
    taken = plc_rwlock_attempt_(lock, PLC_RWLOCK_READ_BLOCKERS_, PLC_RWLOCK_READER_) ||
            plc_rwlock_try_recursive_read_lock_slow_(lock);
    plc_rwlock_tried_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ, taken);
    return taken;
}

/** plc_rwlock_recursive_read_lock unless @p deadline passes first; returns whether it did. */
PLC_INLINE bool plc_rwlock_recursive_read_lock_until(plc_rwlock_t *lock, plc_deadline_t deadline)
    PLC_TRY_ACQUIRE_SHARED(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_rwlock_will_try_(lock, PLC_TSAN_READ);
    taken = plc_rwlock_attempt_(lock, PLC_RWLOCK_READ_BLOCKERS_, PLC_RWLOCK_READER_) ||
            plc_rwlock_lock_until_slow_(lock, PLC_RWLOCK_RECURSIVE_READ_, deadline);
    plc_rwlock_tried_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ, taken);
    return taken;
}

/* ---- Writing */

/** Locks @p lock for writing; blocks until nobody else has it. */
PLC_INLINE void plc_rwlock_write_lock(plc_rwlock_t *lock) PLC_ACQUIRE(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uintptr_t unlocked = 0;
    plc_rwlock_will_lock_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE);
    if (PLC_UNLIKELY(!plc_cas_acquire_weak(&lock->state, &unlocked, PLC_RWLOCK_WRITER_))) /* acquire [R1] [R2] */
        plc_rwlock_lock_slow_(lock, PLC_RWLOCK_WRITE_);
    plc_rwlock_locked_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE);
}

/** Locks @p lock for writing if nobody has it; never blocks. */
PLC_INLINE bool plc_rwlock_try_write_lock(plc_rwlock_t *lock)
    PLC_TRY_ACQUIRE(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_rwlock_will_try_(lock, PLC_TSAN_WRITE);
    taken = plc_rwlock_try_(lock, ~PLC_RWLOCK_WAITER_BITS_, PLC_RWLOCK_WRITER_);
    plc_rwlock_tried_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE, taken);
    return taken;
}

/** Locks @p lock for writing unless @p deadline passes first; returns whether it did. */
PLC_INLINE bool plc_rwlock_write_lock_until(plc_rwlock_t *lock, plc_deadline_t deadline)
    PLC_TRY_ACQUIRE(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uintptr_t unlocked = 0;
    bool taken;
    plc_rwlock_will_try_(lock, PLC_TSAN_WRITE);
    taken = plc_cas_acquire_weak(&lock->state, &unlocked, PLC_RWLOCK_WRITER_) || /* acquire [R1] [R2] */
            plc_rwlock_lock_until_slow_(lock, PLC_RWLOCK_WRITE_, deadline);
    plc_rwlock_tried_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE, taken);
    return taken;
}

/** Gives up a write lock. */
PLC_INLINE void plc_rwlock_write_unlock(plc_rwlock_t *lock) PLC_RELEASE(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_unlock_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_WRITER_, 0, false);
    plc_rwlock_unlocked_(lock, PLC_TSAN_WRITE);
}

/** Gives up a write lock and, if threads wait, hands the lock over to those that are first. */
PLC_INLINE void plc_rwlock_write_unlock_fair(plc_rwlock_t *lock) PLC_RELEASE(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_unlock_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_WRITER_, 0, true);
    plc_rwlock_unlocked_(lock, PLC_TSAN_WRITE);
}

/** Turns a write lock into a read lock, without letting another writer in between. Waiting readers come in. */
PLC_INLINE void plc_rwlock_downgrade(plc_rwlock_t *lock) PLC_RELEASE(*lock)
    PLC_ACQUIRE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_unlock_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_WRITER_, PLC_RWLOCK_READER_, false);
    plc_rwlock_downgraded_(lock, PLC_CHECKED_SHARED);
}

/** Turns a write lock into an upgradable one, without letting another writer in between. Waiting readers come in. */
PLC_INLINE void plc_rwlock_downgrade_to_upgradable(plc_rwlock_t *lock) PLC_RELEASE(*lock)
    PLC_ACQUIRE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_unlock_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_WRITER_, PLC_RWLOCK_UPGRADABLE_READER_, false);
    plc_rwlock_downgraded_(lock, PLC_CHECKED_UPGRADABLE);
}

/* ---- Upgradable */

/** Locks @p lock upgradably; blocks while a writer or another upgradable holder has it, or a writer waits for the
 * readers to leave. */
PLC_INLINE void plc_rwlock_upgradable_lock(plc_rwlock_t *lock) PLC_ACQUIRE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_lock_(lock, PLC_CHECKED_UPGRADABLE, PLC_TSAN_READ);
    if (PLC_UNLIKELY(!plc_rwlock_attempt_(lock, PLC_RWLOCK_WRITE_BLOCKERS_, PLC_RWLOCK_UPGRADABLE_READER_)))
        plc_rwlock_lock_slow_(lock, PLC_RWLOCK_UPGRADABLE_MODE_);
    plc_rwlock_locked_(lock, PLC_CHECKED_UPGRADABLE, PLC_TSAN_READ);
}

/** Locks @p lock upgradably if that can be done at once; never blocks. */
PLC_INLINE bool plc_rwlock_try_upgradable_lock(plc_rwlock_t *lock)
    PLC_TRY_ACQUIRE_SHARED(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_rwlock_will_try_(lock, PLC_TSAN_READ);
    taken = plc_rwlock_try_(lock, PLC_RWLOCK_WRITE_BLOCKERS_, PLC_RWLOCK_UPGRADABLE_READER_);
    plc_rwlock_tried_(lock, PLC_CHECKED_UPGRADABLE, PLC_TSAN_READ, taken);
    return taken;
}

/** Locks @p lock upgradably unless @p deadline passes first; returns whether it did. */
PLC_INLINE bool plc_rwlock_upgradable_lock_until(plc_rwlock_t *lock, plc_deadline_t deadline)
    PLC_TRY_ACQUIRE_SHARED(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_rwlock_will_try_(lock, PLC_TSAN_READ);
    taken = plc_rwlock_attempt_(lock, PLC_RWLOCK_WRITE_BLOCKERS_, PLC_RWLOCK_UPGRADABLE_READER_) ||
            plc_rwlock_lock_until_slow_(lock, PLC_RWLOCK_UPGRADABLE_MODE_, deadline);
    plc_rwlock_tried_(lock, PLC_CHECKED_UPGRADABLE, PLC_TSAN_READ, taken);
    return taken;
}

/** Gives up an upgradable lock. */
PLC_INLINE void plc_rwlock_upgradable_unlock(plc_rwlock_t *lock)
    PLC_RELEASE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_unlock_(lock, PLC_CHECKED_UPGRADABLE, PLC_TSAN_READ);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_UPGRADABLE_READER_, 0, false);
    plc_rwlock_unlocked_(lock, PLC_TSAN_READ);
}

/** Gives up an upgradable lock and, if threads wait, hands the lock over to those that are first. */
PLC_INLINE void plc_rwlock_upgradable_unlock_fair(plc_rwlock_t *lock)
    PLC_RELEASE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_rwlock_will_unlock_(lock, PLC_CHECKED_UPGRADABLE, PLC_TSAN_READ);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_UPGRADABLE_READER_, 0, true);
    plc_rwlock_unlocked_(lock, PLC_TSAN_READ);
}

/** Turns an upgradable lock into a read lock. */
PLC_INLINE void plc_rwlock_downgrade_upgradable(plc_rwlock_t *lock) PLC_REQUIRES_SHARED(*lock) {
    plc_checked_unlock_(lock, "rwlock", PLC_CHECKED_UPGRADABLE);
    plc_rwlock_give_up_(lock, PLC_RWLOCK_UPGRADABLE_READER_, PLC_RWLOCK_READER_, false);
    plc_checked_locked_(lock, "rwlock", PLC_CHECKED_SHARED);
}

/** Turns an upgradable lock into a write lock; blocks until the readers have left, and keeps new ones out. */
PLC_INLINE void plc_rwlock_upgrade(plc_rwlock_t *lock) PLC_RELEASE_SHARED(*lock)
    PLC_ACQUIRE(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uintptr_t held = PLC_RWLOCK_UPGRADABLE_READER_;
    if (PLC_UNLIKELY(!plc_cas_acquire_weak(&lock->state, &held, PLC_RWLOCK_WRITER_))) /* acquire [R2] */
        plc_rwlock_upgrade_slow_(lock, PLC_NO_DEADLINE);
    plc_rwlock_upgraded_(lock);
}

/** Turns an upgradable lock into a write lock if there are no readers; never blocks. False: it is still upgradable. */
PLC_INLINE bool plc_rwlock_try_upgrade(plc_rwlock_t *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: a failed try orders nothing */
    bool taken = false;
    while (!taken && (state & ~PLC_RWLOCK_WAITER_BITS_) == PLC_RWLOCK_UPGRADABLE_READER_)
        taken = plc_cas_acquire_weak(&lock->state, &state, /* acquire [R2] */
                                     state - PLC_RWLOCK_UPGRADABLE_READER_ + PLC_RWLOCK_WRITER_);
    if (taken)
        plc_rwlock_upgraded_(lock);
    return taken;
}

/** Turns an upgradable lock into a write lock unless @p deadline passes first. False: it is still upgradable. */
PLC_INLINE bool plc_rwlock_upgrade_until(plc_rwlock_t *lock, plc_deadline_t deadline) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uintptr_t held = PLC_RWLOCK_UPGRADABLE_READER_;
    bool taken = plc_cas_acquire_weak(&lock->state, &held, PLC_RWLOCK_WRITER_) || /* acquire [R2] */
                 plc_rwlock_upgrade_slow_(lock, deadline);
    if (taken)
        plc_rwlock_upgraded_(lock);
    return taken;
}

/* ---- Letting others in */

/** Lets a waiting writer have @p lock, if there is one, and read-locks it again: unlock_fair and lock in one. */
PLC_INLINE void plc_rwlock_read_bump(plc_rwlock_t *lock) PLC_REQUIRES_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    /* relaxed: only a hint; a writer that is missed here is seen by the next bump or unlock */
    if (PLC_UNLIKELY(plc_load_relaxed(&lock->state) & PLC_RWLOCK_WRITER_)) {
        plc_rwlock_read_unlock(lock);
        plc_rwlock_read_lock(lock);
    }
}

/** Lets the threads that wait first have @p lock, if there are any, and write-locks it again. */
PLC_INLINE void plc_rwlock_write_bump(plc_rwlock_t *lock) PLC_REQUIRES(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    /* relaxed: only a hint; a waiter that is missed here is seen by the next bump or unlock */
    if (PLC_UNLIKELY(plc_load_relaxed(&lock->state) & PLC_RWLOCK_QUEUE_BITS_)) {
        plc_rwlock_write_unlock_fair(lock);
        plc_rwlock_write_lock(lock);
    }
}

/** Lets the threads that wait first have @p lock, if there are any, and locks it upgradably again. */
PLC_INLINE void plc_rwlock_upgradable_bump(plc_rwlock_t *lock)
    PLC_REQUIRES_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    /* relaxed: only a hint; a waiter that is missed here is seen by the next bump or unlock */
    if (PLC_UNLIKELY(plc_load_relaxed(&lock->state) & PLC_RWLOCK_QUEUE_BITS_)) {
        plc_rwlock_upgradable_unlock_fair(lock);
        plc_rwlock_upgradable_lock(lock);
    }
}

/* ---- Looking */

/** Has anybody @p lock, in any mode? Out of date as soon as it is known, unless the caller has it. */
PLC_INLINE bool plc_rwlock_is_locked(const plc_rwlock_t *lock) {
    return (plc_load_relaxed(&lock->state) & ~PLC_RWLOCK_WAITER_BITS_) != 0;
}

/** Has a writer @p lock? One that still waits for the readers to leave does not count. */
PLC_INLINE bool plc_rwlock_is_write_locked(const plc_rwlock_t *lock) {
    return (plc_load_relaxed(&lock->state) & (PLC_RWLOCK_WRITER_ | PLC_RWLOCK_READERS_)) == PLC_RWLOCK_WRITER_;
}

PLC_END_DECLS
#endif
