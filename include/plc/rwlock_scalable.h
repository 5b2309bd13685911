/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A reader-writer lock whose readers do not get in each other's way: for data that is read all the time, by several
 *  processors at once, and written rarely.
 *
 *  With any other lock each reader changes the lock's word, and takes its cache line away from the others. Here it
 *  writes its presence into a table in libplc.so, where each processor has lines of its own. A writer pays for that: it
 *  has to look through the table, and to take the lock's word as with a plc_rwlock_t before. After a write the readers
 *  use the word too, until they have been by themselves for a while; so a lock that is written often is as fast as a
 *  plc_rwlock_t, but not faster: use that one.
 *
 *  Zeroed memory is an unlocked lock; there is nothing to destroy. It may be moved by memcpy while nobody holds or
 *  waits for it, and its memory may be freed by the next owner as soon as it has the lock. The table is one for the
 *  whole process, so that any shared object may use any lock. Readers write to no memory of the lock: it shares its line
 *  best with data that is rarely written.
 *
 *  Fairness: as plc_rwlock_t's. A waiting writer keeps new readers out; a thread that waits is overtaken for at most
 *  half a millisecond from when it ran after its first wake. So a thread that holds a read lock must not read_lock
 *  again: a writer may have come in between, and both would wait for ever.
 *
 *  A read lock is given up by the thread that took it. A try of a writer and one of a reader that meet may both fail.
 *
 *  Time-outs: every `_until` form takes a lock that can be had at once, even after the deadline.
 *
 *  Ordering: everything that was done under the lock before it was given up happens before what is done under it later,
 *  except that readers are not ordered among each other. Locking may block; nothing allocates. Giving up a mode that
 *  nobody holds aborts; locking that cannot succeed because of the calling thread's own locks blocks for ever
 *  (PLC_CHECKED builds abort instead).
 *
 *  On Linux the first such lock of a process registers it with the system call membarrier, which takes some milliseconds
 *  when there are threads already. A sandbox must allow that call from then on, or not at all.
 *
 *  Algorithm: after BRAVO (Dice and Kogan). docs/design/rwlock_scalable.md has the protocol and the proofs. */
#ifndef PLC_RWLOCK_SCALABLE_H
#define PLC_RWLOCK_SCALABLE_H

#include <plc/rwlock.h>

PLC_BEGIN_DECLS

/** A reader-writer lock whose readers scale; the members are private. */
typedef struct PLC_CAPABILITY("rwlock_scalable") plc_rwlock_scalable {
    plc_rwlock_t inner;     /**< whoever is not in the table holds this; a writer always does */
    uint32_t table_is_open; /**< readers use the table; changed only by who holds inner */
    uint32_t counted_reads; /**< how many readers more are to go by inner before the table is opened */
} plc_rwlock_scalable_t;

PLC_STATIC_ASSERT(sizeof(plc_rwlock_scalable_t) == sizeof(void *) + 8, "a scalable lock is two words");

/** An unlocked lock. So is any zeroed memory. */
#define PLC_RWLOCK_SCALABLE_INIT                                                                                       \
    { PLC_RWLOCK_INIT, 0, 0 }

/* What the inlines announce and then call: the table is the library's own, so nothing of it is inlined into others. */
PLC_API void plc_rwlock_scalable_read_lock_(plc_rwlock_scalable_t *lock);
PLC_API bool plc_rwlock_scalable_try_read_lock_(plc_rwlock_scalable_t *lock);
PLC_API bool plc_rwlock_scalable_read_lock_until_(plc_rwlock_scalable_t *lock, plc_deadline_t deadline);
PLC_API void plc_rwlock_scalable_read_unlock_(plc_rwlock_scalable_t *lock);
PLC_API void plc_rwlock_scalable_write_lock_(plc_rwlock_scalable_t *lock);
PLC_API bool plc_rwlock_scalable_try_write_lock_(plc_rwlock_scalable_t *lock);
PLC_API bool plc_rwlock_scalable_write_lock_until_(plc_rwlock_scalable_t *lock, plc_deadline_t deadline);
PLC_API void plc_rwlock_scalable_write_unlock_(plc_rwlock_scalable_t *lock);
PLC_API void plc_rwlock_scalable_downgrade_(plc_rwlock_scalable_t *lock);
/* How many read it; for checks, and out of date as soon as it is known. */
PLC_API size_t plc_rwlock_scalable_readers_(const plc_rwlock_scalable_t *lock);

#define PLC_RWLOCK_SCALABLE_TYPE_ "rwlock_scalable"

static inline void plc_rwlock_scalable_tried_(plc_rwlock_scalable_t *lock, enum plc_checked_mode mode, unsigned kind,
                                              bool taken) {
    (void)lock, (void)mode, (void)kind;
    plc_tsan_post_try(lock, kind, taken);
    if (taken)
        plc_checked_locked_(lock, PLC_RWLOCK_SCALABLE_TYPE_, mode);
}

/* ---- Reading */

/** Locks @p lock for reading; blocks while a writer has it or waits for the readers to leave. */
PLC_INLINE void plc_rwlock_scalable_read_lock(plc_rwlock_scalable_t *lock)
    PLC_ACQUIRE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_checked_will_lock_(lock, PLC_RWLOCK_SCALABLE_TYPE_, PLC_CHECKED_SHARED);
    plc_tsan_pre_lock(lock, PLC_TSAN_READ);
    plc_rwlock_scalable_read_lock_(lock);
    plc_tsan_post_lock(lock, PLC_TSAN_READ);
    plc_checked_locked_(lock, PLC_RWLOCK_SCALABLE_TYPE_, PLC_CHECKED_SHARED);
}

/** Locks @p lock for reading if no writer has it or waits for the readers to leave; never blocks. */
PLC_INLINE bool plc_rwlock_scalable_try_read_lock(plc_rwlock_scalable_t *lock)
    PLC_TRY_ACQUIRE_SHARED(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_tsan_pre_lock(lock, PLC_TSAN_READ | PLC_TSAN_TRY);
    taken = plc_rwlock_scalable_try_read_lock_(lock);
    plc_rwlock_scalable_tried_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ, taken);
    return taken;
}

/** Locks @p lock for reading unless @p deadline passes first; returns whether it did. */
PLC_INLINE bool plc_rwlock_scalable_read_lock_until(plc_rwlock_scalable_t *lock, plc_deadline_t deadline)
    PLC_TRY_ACQUIRE_SHARED(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_tsan_pre_lock(lock, PLC_TSAN_READ | PLC_TSAN_TRY);
    taken = plc_rwlock_scalable_read_lock_until_(lock, deadline);
    plc_rwlock_scalable_tried_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ, taken);
    return taken;
}

/** Gives up a read lock that the calling thread took. */
PLC_INLINE void plc_rwlock_scalable_read_unlock(plc_rwlock_scalable_t *lock)
    PLC_RELEASE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_checked_unlock_(lock, PLC_RWLOCK_SCALABLE_TYPE_, PLC_CHECKED_SHARED);
    plc_tsan_pre_unlock(lock, PLC_TSAN_READ);
    plc_rwlock_scalable_read_unlock_(lock);
    plc_tsan_post_unlock(lock, PLC_TSAN_READ);
}

/* ---- Writing */

/** Locks @p lock for writing; blocks until nobody else has it. */
PLC_INLINE void plc_rwlock_scalable_write_lock(plc_rwlock_scalable_t *lock)
    PLC_ACQUIRE(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_checked_will_lock_(lock, PLC_RWLOCK_SCALABLE_TYPE_, PLC_CHECKED_EXCLUSIVE);
    plc_tsan_pre_lock(lock, PLC_TSAN_WRITE);
    plc_rwlock_scalable_write_lock_(lock);
    plc_tsan_post_lock(lock, PLC_TSAN_WRITE);
    plc_checked_locked_(lock, PLC_RWLOCK_SCALABLE_TYPE_, PLC_CHECKED_EXCLUSIVE);
}

/** Locks @p lock for writing if nobody has it; never blocks. */
PLC_INLINE bool plc_rwlock_scalable_try_write_lock(plc_rwlock_scalable_t *lock)
    PLC_TRY_ACQUIRE(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_tsan_pre_lock(lock, PLC_TSAN_WRITE | PLC_TSAN_TRY);
    taken = plc_rwlock_scalable_try_write_lock_(lock);
    plc_rwlock_scalable_tried_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE, taken);
    return taken;
}

/** Locks @p lock for writing unless @p deadline passes first; returns whether it did. */
PLC_INLINE bool plc_rwlock_scalable_write_lock_until(plc_rwlock_scalable_t *lock, plc_deadline_t deadline)
    PLC_TRY_ACQUIRE(true, *lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool taken;
    plc_tsan_pre_lock(lock, PLC_TSAN_WRITE | PLC_TSAN_TRY);
    taken = plc_rwlock_scalable_write_lock_until_(lock, deadline);
    plc_rwlock_scalable_tried_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE, taken);
    return taken;
}

/** Gives up a write lock. */
PLC_INLINE void plc_rwlock_scalable_write_unlock(plc_rwlock_scalable_t *lock)
    PLC_RELEASE(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_checked_unlock_(lock, PLC_RWLOCK_SCALABLE_TYPE_, PLC_CHECKED_EXCLUSIVE);
    plc_tsan_pre_unlock(lock, PLC_TSAN_WRITE);
    plc_rwlock_scalable_write_unlock_(lock);
    plc_tsan_post_unlock(lock, PLC_TSAN_WRITE);
}

/** Turns a write lock into a read lock, without letting another writer in between. Waiting readers come in. */
PLC_INLINE void plc_rwlock_scalable_downgrade(plc_rwlock_scalable_t *lock) PLC_RELEASE(*lock)
    PLC_ACQUIRE_SHARED(*lock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    plc_checked_unlock_(lock, PLC_RWLOCK_SCALABLE_TYPE_, PLC_CHECKED_EXCLUSIVE);
    plc_tsan_pre_unlock(lock, PLC_TSAN_WRITE);
    plc_rwlock_scalable_downgrade_(lock);
    plc_tsan_post_unlock(lock, PLC_TSAN_WRITE);
    plc_tsan_pre_lock(lock, PLC_TSAN_READ | PLC_TSAN_TRY);
    plc_rwlock_scalable_tried_(lock, PLC_CHECKED_SHARED, PLC_TSAN_READ, true);
}

/* ---- Looking */

/** Has a writer @p lock, or waits for the last readers to leave? Out of date as soon as it is known, unless the caller
 * has it. */
PLC_INLINE bool plc_rwlock_scalable_is_write_locked(const plc_rwlock_scalable_t *lock) {
    return plc_rwlock_is_write_locked(&lock->inner);
}

/** Has anybody @p lock, in any mode? Looks through the table. */
PLC_INLINE bool plc_rwlock_scalable_is_locked(const plc_rwlock_scalable_t *lock) {
    return plc_rwlock_is_locked(&lock->inner) || plc_rwlock_scalable_readers_(lock) != 0;
}

PLC_END_DECLS
#endif
