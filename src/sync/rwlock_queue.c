/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The queue of the reader-writer lock: joining it, and what a waiter does when it is summoned. */
#include "parking_lot/observer.h"
#include "parking_lot/patience.h"
#include "parking_lot/waiting.h"
#include "platform/platform.h"
#include "platform/tuning.h"
#include "sync/rwlock.h"

/* The waiter's states and the invariants I1 to I9 are in docs/design/rwlock.md. Memory order: sync/rwlock.c. */

/* One that waits, or is about to. */
struct entrant {
    struct plc_waiting waiting;
    plc_rwlock_t *lock;
    enum plc_rwlock_mode_ mode;
    plc_deadline_t deadline;
};

/* With the bucket locked: adds the mode's share to the word unless that keeps it out, and makes Q and H as given. If
   there is no room for the reader the marks are those of a queue without it. */
static enum plc_rwlock_outcome take_or_mark(const struct entrant *entrant, uintptr_t marks_if_taken,
                                            uintptr_t marks_if_kept_out) {
    const uintptr_t share = plc_rwlock_share_of(entrant->mode);
    uintptr_t state = plc_load_relaxed(&entrant->lock->state); /* relaxed: an exchange checks it, or it is right */
    for (;;) {
        const uintptr_t unmarked = state & ~(uintptr_t)QUEUE_BITS;
        const bool kept_out = plc_rwlock_keeps_out(state, entrant->mode);
        const bool full = !kept_out && plc_rwlock_is_full_for(state, share);
        if (kept_out || full) {
            const uintptr_t marked = unmarked | (kept_out ? marks_if_kept_out : marks_if_taken);
            /* relaxed: Q and H carry no data */
            if (marked == state || plc_cas_relaxed_weak(&entrant->lock->state, &state, marked))
                return full ? TOO_MANY_READERS : KEPT_OUT;
        } else if (plc_cas_acquire_weak(&entrant->lock->state, &state, (unmarked + share) | marks_if_taken)) {
            return TAKEN; /* acquire [R1] */
        }
    }
}

/* ---- Those that were summoned */

static void spin_while_kept_out(const struct entrant *entrant) {
    for (int pauses = 0; pauses < PLC_RWLOCK_HEIR_PAUSES; pauses++) {
        /* relaxed: looked at again under the bucket lock */
        if (!plc_rwlock_keeps_out(plc_load_relaxed(&entrant->lock->state), entrant->mode))
            return;
        plc_cpu_relax();
    }
}

enum verdict {
    MINE,        /* the lock is ours, and we are out of the queue */
    HANDED_OVER, /* the same, by another thread that has promised a wake */
    REFUSED,     /* there are too many readers, and we are out of the queue */
    GIVE_UP,     /* the deadline has passed, and we are out of the queue */
    NAP,         /* first in the queue and beaten: look again soon */
    SLEEP,       /* beaten: sleep until the next summons or hand-over */
};

/* With the bucket locked and the waiter beaten: it waits on, in its place. */
static enum verdict wait_on(struct plc_waiter *waiter, bool naps) {
    waiter->phase = naps ? PLC_RWLOCK_NAPS : PLC_RWLOCK_NEW;
    waiter->state = naps ? PLC_WAITER_SUMMONED : PLC_WAITER_QUEUED;
    plc_thread_parker_prepare_park(&waiter->parker, !naps);
    return naps ? NAP : SLEEP;
}

/* With the bucket locked: takes the lock if nothing keeps the mode out, or settles how to wait on. now: the time, or
   what it was when the waiter was last woken. */
static enum verdict inherit(struct entrant *entrant, struct plc_bucket *bucket, int64_t now,
                            struct plc_wake_list *wakes) {
    plc_rwlock_t *lock = entrant->lock;
    struct plc_waiter *waiter = entrant->waiting.waiter;
    if (waiter->state == PLC_WAITER_DEQUEUED)
        return waiter->phase == PLC_RWLOCK_NAPS ? HANDED_OVER : MINE;
    struct plc_waiter *first = plc_rwlock_first_waiter(bucket, lock);
    struct plc_waiter *previous = NULL;
    bool is_first = first == waiter;
    bool too_late = plc_deadline_has_passed(entrant->deadline);
    bool naps = is_first && now - waiter->summoned_at < PLC_RWLOCK_SLICE_NS;
    if (is_first)
        first = plc_queue_find(waiter->next, plc_rwlock_key(lock), &previous);
    uintptr_t marks_without = plc_rwlock_marks_for(bucket, lock, first);
    uintptr_t marks_with = is_first ? (naps ? HEIR : PARKED) : marks_without;
    enum plc_rwlock_outcome outcome = take_or_mark(entrant, marks_without, too_late ? marks_without : marks_with);
    if (outcome == KEPT_OUT && !too_late)
        return wait_on(waiter, naps);
    plc_waiting_take_out(bucket, &entrant->waiting, outcome == TAKEN);
    if (outcome == KEPT_OUT)
        return GIVE_UP;
    if (is_first) { /* relaxed: who has set W or U by now will look at Q when it gives them up (I3) */
        plc_rwlock_summon(lock, bucket, plc_load_relaxed(&lock->state), wakes);
        if (PLC_UNLIKELY(bucket->tasks))
            plc_rwlock_serve_tasks_(lock, bucket, wakes);
    }
    return outcome == TAKEN ? MINE : REFUSED;
}

/* The waiter was woken, and is still in the queue: it takes the lock, or gives up, or goes on sleeping there. */
static enum verdict answer_summons(struct entrant *entrant) {
    struct plc_waiter *waiter = entrant->waiting.waiter;
    int64_t nap = PLC_RWLOCK_NAP_NS;
    for (;;) {
        struct plc_wake_list wakes = {0};
        spin_while_kept_out(entrant);
        int64_t now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
        struct plc_bucket *bucket = plc_bucket_lock(entrant->lock);
        enum verdict verdict = inherit(entrant, bucket, now, &wakes);
        int64_t slice_end = waiter->summoned_at + PLC_RWLOCK_SLICE_NS;
        plc_bucket_unlock_to_wake(bucket);
        plc_wake_list_wake(&wakes);
        if (verdict == HANDED_OVER)
            plc_thread_parker_park(&waiter->parker, NULL); /* the wake has come, or is on its way */
        if (verdict != NAP)
            return verdict;
        plc_thread_parker_park_until(&waiter->parker, plc_end_of_nap(now, nap, slice_end, entrant->deadline), NULL);
        nap *= 2;
    }
}

/* ---- Joining */

/* The deadline has passed while nobody had summoned the waiter; runs under the bucket lock. */
static void leave_on_time_out(void *context, const void *key, bool was_last) {
    plc_rwlock_t *lock = ((const struct entrant *)context)->lock;
    (void)key;
    if (was_last && !plc_rwlock_marks_for(plc_bucket_locked(lock), lock, NULL))
        plc_fetch_and_relaxed(&lock->state, ~(uintptr_t)QUEUE_BITS); /* relaxed: Q carries no data (I1) */
}

static enum plc_rwlock_outcome wait_in_queue(struct entrant *entrant) {
    for (;;) {
        if (!plc_waiting_sleep(&entrant->waiting, entrant->deadline))
            return KEPT_OUT;
        if (entrant->waiting.waiter->unpark_token == PLC_RWLOCK_TOKEN_HANDOFF)
            return TAKEN;
        switch (answer_summons(entrant)) {
        case MINE:
        case HANDED_OVER:
            return TAKEN;
        case REFUSED:
            return TOO_MANY_READERS;
        case GIVE_UP:
            return KEPT_OUT;
        case NAP:
        case SLEEP:
            break;
        }
    }
}

/* Not inlined: all of it is within the clean-up of its caller (parking_lot/undo.h). */
static __attribute__((noinline)) enum plc_rwlock_outcome queue_up_within(struct entrant *entrant) {
    plc_rwlock_t *lock = entrant->lock;
    entrant->waiting.waiter->park_token = plc_rwlock_share_of(entrant->mode);
    entrant->waiting.waiter->summoned_at = 0;
    struct plc_bucket *bucket = plc_bucket_lock(lock);
    uintptr_t marks = plc_rwlock_marks_for(bucket, lock, plc_rwlock_first_waiter(bucket, lock));
    enum plc_rwlock_outcome outcome = take_or_mark(entrant, marks, marks ? marks : (uintptr_t)PARKED);
    entrant->waiting.is_owner = outcome == TAKEN;
    if (outcome == KEPT_OUT)
        plc_waiting_enqueue(bucket, &entrant->waiting, plc_rwlock_key(lock), PLC_PARK_NO_SPIN);
    plc_bucket_unlock(bucket);
    if (outcome == KEPT_OUT) {
        plc_watch_begin(&entrant->waiting.watch, plc_rwlock_key(lock), 0);
        outcome = wait_in_queue(entrant);
        plc_watch_end(&entrant->waiting.watch, outcome == KEPT_OUT ? PLC_DEBUG_TIMED_OUT : PLC_DEBUG_WOKEN);
    }
    return outcome;
}

/* Torn out after it was woken, or with the lock: it leaves as one whose time has run out, and gives the lock up if that finds
   it its own. */
static void resign(struct plc_waiting *waiting) {
    struct entrant *entrant = waiting->context;
    enum verdict verdict = MINE;
    if (waiting->is_queued) {
        struct plc_wake_list wakes = {0};
        entrant->deadline = (plc_deadline_t){0, PLC_CLOCK_MONOTONIC};
        struct plc_bucket *bucket = plc_bucket_lock(entrant->lock);
        verdict = inherit(entrant, bucket, 0, &wakes);
        plc_bucket_unlock_to_wake(bucket);
        plc_wake_list_wake(&wakes);
    }
    if (verdict == HANDED_OVER)
        plc_thread_parker_park(&waiting->waiter->parker, NULL); /* the wake has come, or is on its way */
    if (verdict == MINE || verdict == HANDED_OVER)
        plc_rwlock_renounce(entrant->lock, entrant->mode);
}

static void unwind(struct entrant *entrant) {
    plc_undo_unwind(&entrant->waiting.undo);
}

enum plc_rwlock_outcome plc_rwlock_queue_up(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode, plc_deadline_t deadline) {
    static const struct plc_park_ops leaving = {.timed_out = leave_on_time_out, .flags = PLC_PARK_CANCELLABLE};
    __attribute__((cleanup(unwind))) struct entrant entrant;
    entrant.waiting.undo.action = NULL;
    entrant.lock = lock;
    entrant.mode = mode;
    entrant.deadline = deadline;
    plc_bucket_table_prepare();
    plc_waiting_begin(&entrant.waiting, &leaving, &entrant, resign);
    enum plc_rwlock_outcome outcome = queue_up_within(&entrant);
    plc_waiting_end(&entrant.waiting);
    return outcome;
}
