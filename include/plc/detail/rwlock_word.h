/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The word of a reader-writer lock: its bits, the attempts that the inlines make on it, and their slow paths. */
#ifndef PLC_DETAIL_RWLOCK_WORD_H
#define PLC_DETAIL_RWLOCK_WORD_H

#include <plc/deadline.h>
#include <plc/detail/atomic.h>
#include <plc/detail/checked.h>
#include <plc/detail/tsan.h>

PLC_BEGIN_DECLS

/** A reader-writer lock; `state` is private. */
typedef struct PLC_CAPABILITY("rwlock") plc_rwlock {
    uintptr_t state;
} plc_rwlock_t;

PLC_STATIC_ASSERT(sizeof(plc_rwlock_t) == sizeof(void *), "a reader-writer lock is one word");

/** An unlocked lock. So is any zeroed memory. */
#define PLC_RWLOCK_INIT                                                                                                \
    { 0 }

#define PLC_RWLOCK_PARKED_ ((uintptr_t)1)        /* who gives up W or U must look into the lock's queue */
#define PLC_RWLOCK_WRITER_PARKED_ ((uintptr_t)2) /* the draining writer, or a task, waits for the last reader */
#define PLC_RWLOCK_UPGRADABLE_ ((uintptr_t)4)    /* held upgradable, by one of the readers */
#define PLC_RWLOCK_WRITER_ ((uintptr_t)8)        /* held by a writer, or as soon as the readers have left */
#define PLC_RWLOCK_HEIR_ ((uintptr_t)16)         /* the first in the queue naps, and will look by itself */
#define PLC_RWLOCK_EAGER_ ((uintptr_t)32)        /* a reader spins: writers that come give it a moment */
#define PLC_RWLOCK_READER_ ((uintptr_t)64)       /* one reader; all bits from here on count them */
#define PLC_RWLOCK_READERS_ (~(uintptr_t)63)     /* the count */
#define PLC_RWLOCK_FULL_ (~(UINTPTR_MAX >> 1))   /* the count's top bit: no room for more readers */

/* What an upgradable holder adds to the word, and what keeps each mode out. */
#define PLC_RWLOCK_UPGRADABLE_READER_ (PLC_RWLOCK_READER_ | PLC_RWLOCK_UPGRADABLE_)
#define PLC_RWLOCK_READ_BLOCKERS_ (PLC_RWLOCK_WRITER_ | PLC_RWLOCK_FULL_)
#define PLC_RWLOCK_WRITE_BLOCKERS_ (PLC_RWLOCK_WRITER_ | PLC_RWLOCK_UPGRADABLE_)
#define PLC_RWLOCK_QUEUE_BITS_ (PLC_RWLOCK_PARKED_ | PLC_RWLOCK_HEIR_)
/* All that say something about waiters only. */
#define PLC_RWLOCK_WAITER_BITS_ (PLC_RWLOCK_QUEUE_BITS_ | PLC_RWLOCK_EAGER_ | PLC_RWLOCK_WRITER_PARKED_)

/* How a thread wants the lock. */
enum plc_rwlock_mode_ {
    PLC_RWLOCK_READ_,
    PLC_RWLOCK_RECURSIVE_READ_,
    PLC_RWLOCK_UPGRADABLE_MODE_,
    PLC_RWLOCK_WRITE_,
};

PLC_API void plc_rwlock_lock_slow_(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode);
PLC_API bool plc_rwlock_lock_until_slow_(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode, plc_deadline_t deadline);
PLC_API bool plc_rwlock_try_recursive_read_lock_slow_(plc_rwlock_t *lock);
PLC_API bool plc_rwlock_upgrade_slow_(plc_rwlock_t *lock, plc_deadline_t deadline);
/* Takes `drop` (with W or U in it, held by the caller) from the word, adds `keep`, wakes whom that lets in. */
PLC_API void plc_rwlock_give_up_slow_(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair);
/* The calling reader has left; `old` is the word before. There is a writer to wake, or there was no reader. */
PLC_API void plc_rwlock_last_reader_slow_(plc_rwlock_t *lock, uintptr_t old);

/* Announcements around every way to get or give back the lock; nothing in a plain build. */
#define plc_rwlock_will_lock_(lock, mode, kind)                                                                        \
    (plc_checked_will_lock_((lock), "rwlock", (mode)), plc_tsan_pre_lock((lock), (kind)))
#define plc_rwlock_locked_(lock, mode, kind)                                                                           \
    (plc_tsan_post_lock((lock), (kind)), plc_checked_locked_((lock), "rwlock", (mode)))
#define plc_rwlock_will_try_(lock, kind) plc_tsan_pre_lock((lock), (kind) | PLC_TSAN_TRY)
/* ThreadSanitizer keeps what readers release for writers of its own; a task that writes is none, and looks beside it. */
#define plc_rwlock_tsan_of_readers_(lock) ((const char *)(lock) + 1)
#define plc_rwlock_will_unlock_(lock, mode, kind)                                                                      \
    (plc_checked_unlock_((lock), "rwlock", (mode)), plc_tsan_release(plc_rwlock_tsan_of_readers_(lock)),               \
     plc_tsan_pre_unlock((lock), (kind)))
#define plc_rwlock_unlocked_(lock, kind) plc_tsan_post_unlock((lock), (kind))

/* After an attempt to get the lock in a mode. */
static inline void plc_rwlock_tried_(plc_rwlock_t *lock, enum plc_checked_mode mode, unsigned kind, bool taken) {
    (void)lock, (void)mode, (void)kind;
    plc_tsan_post_try(lock, kind, taken);
    if (taken)
        plc_checked_locked_(lock, "rwlock", mode);
}

/* After an upgradable holder has become the writer. */
static inline void plc_rwlock_upgraded_(plc_rwlock_t *lock) {
    (void)lock;
    plc_rwlock_will_unlock_(lock, PLC_CHECKED_UPGRADABLE, PLC_TSAN_READ);
    plc_rwlock_unlocked_(lock, PLC_TSAN_READ);
    plc_rwlock_will_try_(lock, PLC_TSAN_WRITE);
    plc_rwlock_tried_(lock, PLC_CHECKED_EXCLUSIVE, PLC_TSAN_WRITE, true);
}

/* After a writer has taken a lesser mode in exchange. */
static inline void plc_rwlock_downgraded_(plc_rwlock_t *lock, enum plc_checked_mode mode) {
    plc_rwlock_unlocked_(lock, PLC_TSAN_WRITE);
    plc_rwlock_will_try_(lock, PLC_TSAN_READ);
    plc_rwlock_tried_(lock, mode, PLC_TSAN_READ, true);
}

/* An attempt to add `gain` unless a bit of `blockers` is set; false: the slow path looks closer. It does not look before it
   tries: a load would wait for this thread's last unlock, and get the line for reading only. So it takes the lock for free,
   and if it is not, tries once more by what it was told. */
static inline bool plc_rwlock_attempt_(plc_rwlock_t *lock, uintptr_t blockers, uintptr_t gain) {
    uintptr_t state = 0;
    if (PLC_LIKELY(plc_cas_acquire_weak(&lock->state, &state, gain))) /* acquire [R1] */
        return true;
    return !(state & blockers) && plc_cas_acquire_weak(&lock->state, &state, state + gain); /* acquire [R1] */
}

/* As many attempts as it takes to succeed or to see a bit of `blockers`. */
static inline bool plc_rwlock_try_(plc_rwlock_t *lock, uintptr_t blockers, uintptr_t gain) {
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: a failed try orders nothing */
    bool taken = false;
    while (!taken && !(state & blockers))
        taken = plc_cas_acquire_weak(&lock->state, &state, state + gain); /* acquire [R1], a writer [R2] too */
    return taken;
}

/* Gives up a read lock. */
static inline void plc_rwlock_leave_(plc_rwlock_t *lock) {
    uintptr_t old = plc_fetch_sub_release(&lock->state, PLC_RWLOCK_READER_); /* release [R2] */
    uintptr_t flags = old & (PLC_RWLOCK_READERS_ | PLC_RWLOCK_WRITER_PARKED_);
    /* One comparison with the largest word that needs attention: a last reader with somebody to wake; the smaller ones
       are a last reader with nobody to wake, and the mistake of having no reader at all. */
    if (PLC_UNLIKELY(flags <= (PLC_RWLOCK_READER_ | PLC_RWLOCK_WRITER_PARKED_) && flags != PLC_RWLOCK_READER_))
        plc_rwlock_last_reader_slow_(lock, old);
}

/* Gives up `drop`, keeps `keep`, in one exchange if the word is exactly `drop`. */
static inline void plc_rwlock_give_up_(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair) {
    uintptr_t held = drop;
    if (PLC_UNLIKELY(!plc_cas_release(&lock->state, &held, keep))) /* release [R1] */
        plc_rwlock_give_up_slow_(lock, drop, keep, fair);
}

PLC_END_DECLS
#endif
