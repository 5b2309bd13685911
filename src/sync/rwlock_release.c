/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Giving up a reader-writer lock when others may wait for it: whose turn it is, whom to wake, when to hand over. */
#include "parking_lot/thread.h"
#include "parking_lot/waiting.h"
#include "platform/platform.h"
#include "platform/tuning.h"
#include "sync/rwlock.h"

/* Invariants I1 to I9: docs/design/rwlock.md. Memory order: sync/rwlock.c. */

/* ---- Waking. The bucket is locked. */

/* The first waiter from `from` on whose turn it is beside those that have taken the lock: all readers up to the first
   writer or upgradable, and that one. Behind a writer it is nobody's turn; beside an upgradable holder the readers
   pass the others by. */
static struct plc_waiter *next_in_turn(const plc_rwlock_t *lock, struct plc_waiter *from, uintptr_t taken) {
    struct plc_waiter *previous = NULL;
    struct plc_waiter *waiter = from;
    if (taken & WRITER)
        return NULL;
    while ((waiter = plc_queue_find(waiter, plc_rwlock_key(lock), &previous)) != NULL) {
        if (!(taken & UPGRADABLE) || waiter->park_token == READER)
            break;
        waiter = waiter->next;
    }
    return waiter;
}

void plc_rwlock_summon(const plc_rwlock_t *lock, struct plc_bucket *bucket, uintptr_t taken,
                       struct plc_wake_list *wakes) {
    int64_t now = 0;
    struct plc_waiter *waiter = bucket->head;
    while ((waiter = next_in_turn(lock, waiter, taken)) != NULL) {
        if (waiter->state == PLC_WAITER_QUEUED) {
            now = now ? now : plc_os_now_ns(PLC_CLOCK_MONOTONIC);
            waiter->state = PLC_WAITER_SUMMONED;
            if (!waiter->summoned_at)
                waiter->summoned_at = now;
            plc_wake_list_promise(wakes, waiter, PLC_RWLOCK_TOKEN_SUMMONED);
        }
        taken |= waiter->park_token & (WRITER | UPGRADABLE);
        waiter = waiter->next;
    }
}

/* ---- Handing over. The bucket is locked. */

/* Has the first whose turn it is been overtaken for long enough? It does not matter what it is doing: it may be stuck
   on its way, sleep because it was beaten, or be about to come. */
static bool is_due(const struct plc_waiter *waiter) {
    return waiter->summoned_at && plc_os_now_ns(PLC_CLOCK_MONOTONIC) - waiter->summoned_at > PLC_RWLOCK_SLICE_NS;
}

/* Takes all whose turn it is out of the queue; returns what they add to the word. One that was summoned and has not
   been here yet comes anyway, and finds out. */
static uintptr_t hand_over(plc_rwlock_t *lock, struct plc_bucket *bucket, uintptr_t keep, struct plc_wake_list *wakes) {
    uintptr_t granted = 0;
    struct plc_waiter *waiter = bucket->head;
    while ((waiter = next_in_turn(lock, waiter, keep + granted)) != NULL) {
        struct plc_waiter *next = waiter->next;
        bool comes_anyway = waiter->state == PLC_WAITER_SUMMONED && waiter->phase == PLC_RWLOCK_NEW;
        plc_waiter_take_out(bucket, waiter);
        waiter->state = PLC_WAITER_DEQUEUED;
        if (!comes_anyway)
            plc_wake_list_promise(wakes, waiter, PLC_RWLOCK_TOKEN_HANDOFF);
        granted += waiter->park_token;
        waiter = next;
    }
    if (granted)
        plc_thread_self()->handed_over = lock;
    return granted;
}

/* ---- Giving up */

/* Changes the word while the bucket is locked; returns it as it was. */
static uintptr_t leave_word(plc_rwlock_t *lock, struct plc_bucket *bucket, uintptr_t drop, uintptr_t added) {
    uintptr_t marks = plc_rwlock_marks_for(bucket, lock, plc_rwlock_first_waiter(bucket, lock));
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it */
    uintptr_t next;
    do {
        next = (((state - drop) & ~(uintptr_t)QUEUE_BITS) + added) | marks;
    } while (!plc_cas_release_weak(&lock->state, &state, next)); /* release [R1]; the last access (I7) */
    return state;
}

/* Those that wait for the readers to leave. */

static enum plc_filter_op take_every(void *context, uintptr_t park_token) {
    (void)context;
    (void)park_token;
    return PLC_FILTER_UNPARK;
}

/* Finds them, if they have not left: then they keep the lock alive until they are woken, after this (I7). */
static uintptr_t clear_writer_parked(void *context, struct plc_unpark_result result) {
    plc_rwlock_t *lock = context;
    if (result.unparked)
        plc_fetch_and_relaxed(&lock->state, ~(uintptr_t)WRITER_PARKED); /* relaxed: D carries no data (I5) */
    return 0;
}

static void wake_drainers(plc_rwlock_t *lock) {
    plc_lot_unpark_filter(plc_rwlock_drain_key(lock), take_every, clear_writer_parked, lock);
}

/* Gives up under the bucket lock: hands the lock over to the first whose turn it is, or summons them, or leaves it to
   those that are on their way. */
static void release_to_queue(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair) {
    struct plc_wake_list wakes = {0};
    uintptr_t granted = 0;
    struct plc_bucket *bucket = plc_bucket_lock(lock);
    struct plc_waiter *first = next_in_turn(lock, bucket->head, keep);
    if (first && (fair || is_due(first)))
        granted = hand_over(lock, bucket, keep, &wakes);
    else if (first && first->state == PLC_WAITER_QUEUED)
        plc_rwlock_summon(lock, bucket, keep, &wakes);
    if (PLC_UNLIKELY(bucket->tasks))
        plc_rwlock_summon_tasks_(lock, bucket, keep + granted, &wakes);
    const uintptr_t old = leave_word(lock, bucket, drop, keep + granted);
    plc_bucket_unlock_to_wake(bucket);
    plc_wake_list_wake(&wakes);
    /* Readers that are inside still, or were let in just now, look when they leave (T3). */
    if (PLC_UNLIKELY(old & WRITER_PARKED) && !((old - drop + keep + granted) & READERS))
        wake_drainers(lock);
}

void plc_rwlock_release(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair) {
    /* A heir that naps looks after itself, but not after readers behind it that may come in beside `keep` (I3). D
       is left by an upgrade that was the last reader: tasks wait for the readers. */
    uintptr_t looks = WRITER_PARKED | (fair || keep ? PARKED | HEIR : PARKED);
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it */
    while (!(state & looks)) {
        if (plc_cas_release_weak(&lock->state, &state, state - drop + keep)) /* release [R1]; the last access (I7) */
            return;
    }
    release_to_queue(lock, drop, keep, fair);
}

void plc_rwlock_renounce(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uintptr_t share = plc_rwlock_share_of(mode);
    if (share == READER)
        plc_rwlock_read_unlock(lock);
    else
        plc_rwlock_release(lock, share, 0, false);
}

/* ---- Entry points of the inlines */

void plc_rwlock_give_up_slow_(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair) {
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the caller's own share, or a mistake */
    if (PLC_UNLIKELY((drop & WRITER) && (state & (WRITER | READERS)) != WRITER))
        plc_os_fatal("rwlock", lock, "write unlock or downgrade of a lock that is not locked for writing");
    if (PLC_UNLIKELY((drop & UPGRADABLE) && !(state & UPGRADABLE)))
        plc_os_fatal("rwlock", lock, "upgradable unlock or downgrade of a lock that nobody holds upgradably");
    plc_rwlock_release(lock, drop, keep, fair);
}

void plc_rwlock_last_reader_slow_(plc_rwlock_t *lock, uintptr_t old) {
    if (PLC_UNLIKELY(!(old & READERS)))
        plc_os_fatal("rwlock", lock, "read unlock of a lock that is not locked for reading");
    if (old & WRITER_PARKED)
        wake_drainers(lock);
}
