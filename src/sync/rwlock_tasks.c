/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait for the reader-writer lock, in the same queue as the threads. */
#include "sync/rwlock_tasks.h"

#include "parking_lot/patience.h"
#include "platform/platform.h"
#include "platform/tuning.h"
#include "sync/rwlock.h"

/* A task waits in one of two queues:
 *
 *   kept out by                     queue, and kind               is woken by
 *   W (or U, unless it is to read)  the lock's, RWLOCK_TASK       a release of W or U, if it finds Q
 *   readers alone, if it is to      that of the draining writer,  the last reader, if it finds D; a release of W or U that
 *   write: it sleeps without W      RWLOCK_DRAIN                  finds D and leaves no readers
 *   readers, if it has U and is     the same                      the last reader: while it waits it has U, but is none of
 *   to upgrade: likewise                                          them
 *
 * Invariants (docs/design/async.md argues for them; those of rwlock.md hold of the threads)
 *   T1  Unlocked, Q is set exactly if the first thread, if there is one, does not nap, and if there is none, exactly if a
 *       task is QUEUED in the lock's queue.
 *   T2  Unlocked, if a task is QUEUED in the lock's queue and neither W nor U is set, then a release is on its way to the
 *       bucket, or the first thread is SUMMONED, or a task that is not to read was woken and was not polled since: whoever of them
 *       leaves the queue without having taken W or U summons those behind it.
 *   T3  D is set exactly if somebody is queued in the draining writer's queue. If W is not set meanwhile, then there are
 *       readers, or the last of them is on its way there, or has become a writer, whose release looks, or has U and is about to.
 *   T4  A task that upgrades has given up its share of the readers exactly if its node is in use. It has U all the time, so
 *       nobody else becomes a writer, and whatever it read remains true.
 *   T5  A task has W only from the poll that is READY on. While it runs, a poll may have it, as the thread that drains: it does not
 *       sleep, and before it returns it has drained the readers, or has given W up by a release.
 *
 * A task's park_token is what it wants to add to the word: READER, UPGRADABLE_READER or WRITER; or UPGRADE. Memory order:
 * sync/rwlock.c. */

enum { UPGRADE = WRITER | UPGRADABLE }; /* has U, and wants W instead */

static struct plc_lot_key key_of(const plc_rwlock_t *lock) {
    return plc_lot_key(lock, PLC_WAITER_RWLOCK_TASK);
}

/* Is who wants to add this kept out by somebody whose release will look into the lock's queue? */
static bool is_kept_out(uintptr_t state, uintptr_t share) {
    return state & (share == READER ? WRITER : WRITER | UPGRADABLE);
}

/* ---- For those who work on the queue. The bucket is locked. */

static void summon(struct plc_waiter *task, struct plc_wake_list *wakes) {
    task->state = PLC_WAITER_DUE;
    task->summoned_at = 0;
    wakes->tasks_at = task->address;
}

/* Whose turn it is, is as with threads; they are passed on the way, and are somebody else's business. */
void plc_rwlock_summon_tasks_(const plc_rwlock_t *lock, struct plc_bucket *bucket, uintptr_t taken,
                              struct plc_wake_list *wakes) {
    struct plc_waiter *waiter = bucket->head;
    for (; waiter && !(taken & WRITER); waiter = waiter->next) {
        const bool is_task = plc_waiter_matches(waiter, key_of(lock));
        if (!is_task && !plc_waiter_matches(waiter, plc_rwlock_key(lock)))
            continue;
        if ((taken & UPGRADABLE) && waiter->park_token != READER)
            continue;
        if (is_task && waiter->state == PLC_WAITER_QUEUED)
            summon(waiter, wakes);
        else if (is_task && plc_is_overdue(&waiter->summoned_at, PLC_RWLOCK_SLICE_NS))
            continue;
        taken |= waiter->park_token & (WRITER | UPGRADABLE);
    }
}

void plc_rwlock_serve_tasks_(plc_rwlock_t *lock, struct plc_bucket *bucket, struct plc_wake_list *wakes) {
    /* relaxed: who has set W or U by now will look at Q when it gives them up (T2) */
    plc_rwlock_summon_tasks_(lock, bucket, plc_load_relaxed(&lock->state), wakes);
    /* relaxed: Q changes only under the bucket lock, and carries no data */
    if ((plc_load_relaxed(&lock->state) & PARKED) &&
        !plc_rwlock_marks_for(bucket, lock, plc_rwlock_first_waiter(bucket, lock)))
        plc_fetch_and_relaxed(&lock->state, ~(uintptr_t)PARKED);
}

/* ---- Leaving a queue */

static void leave(plc_rwlock_t *lock, struct plc_waiter *task) {
    struct plc_wake_list wakes = {0};
    const void *address = plc_load_relaxed(&task->address); /* relaxed: its owner's own */
    struct plc_bucket *bucket = plc_bucket_lock(address);
    plc_waker_t old = plc_task_take_waker(task);
    if (plc_task_is_queued(task)) {
        plc_task_remove(bucket, task);
        if (address == lock)
            plc_rwlock_serve_tasks_(lock, bucket, &wakes);
        else if (!plc_queue_contains(bucket->head, plc_rwlock_drain_key(lock)))
            plc_fetch_and_relaxed(&lock->state, ~(uintptr_t)WRITER_PARKED); /* relaxed: D carries no data (T3) */
    }
    plc_bucket_unlock_to_wake(bucket);
    plc_wake_list_wake(&wakes);
    plc_waker_drop(&old);
}

static enum plc_poll finish(plc_rwlock_t *lock, struct plc_waiter *task) {
    if (task->use != PLC_TASK_IDLE)
        leave(lock, task);
    task->use = PLC_TASK_IDLE;
    return PLC_POLL_READY;
}

/* ---- Polling */

/* Takes the lock if nothing keeps it out, whoever waits. */
static bool barge(plc_rwlock_t *lock, uintptr_t share) {
    const uintptr_t blockers = share == READER   ? (uintptr_t)WRITER
                               : share == WRITER ? WRITER | UPGRADABLE | READERS
                                                 : (uintptr_t)(WRITER | UPGRADABLE);
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it */
    while (!(state & blockers)) {
        if (PLC_UNLIKELY(plc_rwlock_is_full_for(state, share)))
            plc_os_fatal("rwlock", lock, "read lock: there are too many readers");
        if (plc_cas_acquire_weak(&lock->state, &state, (state & ~(uintptr_t)EAGER) + share)) /* acquire [R1] [R2] */
            return true;
    }
    return false;
}

/* Takes W in place of U if there are no readers but itself, which is one until it waits. */
static bool upgrade(plc_rwlock_t *lock, uintptr_t own) {
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it */
    if (PLC_UNLIKELY(!(state & UPGRADABLE)))
        plc_os_fatal("rwlock", lock, "upgrade of a lock that nobody holds upgradably");
    while ((state & READERS) == own) {
        if (plc_cas_acquire_weak(&lock->state, &state, state - own - UPGRADABLE + WRITER)) /* acquire [R2] */
            return true;
    }
    return false;
}

/* The task's share of the readers that it has to give up before it waits for them. */
static uintptr_t own_share(const struct plc_waiter *task, uintptr_t share) {
    return share == UPGRADE && task->use == PLC_TASK_IDLE ? READER : 0;
}

/* Is it kept out by readers alone, as things are? */
static bool waits_for_readers(const plc_rwlock_t *lock, uintptr_t share) {
    /* relaxed: looked at again by who goes by it */
    return share == UPGRADE || (share == WRITER && !is_kept_out(plc_load_relaxed(&lock->state), share));
}

/* Is it about to join those who wait for the readers, or has it been among them for a slice since it last drained? */
static bool may_drain(const plc_rwlock_t *lock, struct plc_waiter *task) {
    const struct plc_lot_key key = plc_rwlock_drain_key(lock);
    /* relaxed: its owner's own */
    if (task->use == PLC_TASK_IDLE || plc_load_relaxed(&task->address) != key.address)
        return true;
    const int64_t now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    struct plc_bucket *bucket = plc_bucket_lock(key.address);
    const bool sleeps = plc_task_is_queued(task) && plc_waiter_matches(task, key);
    const bool may = !sleeps || now - task->waiting_since >= PLC_RWLOCK_SLICE_NS;
    if (may)
        task->waiting_since = now;
    plc_bucket_unlock(bucket);
    return may;
}

/* Takes W, though there are readers, unless somebody else keeps it out. */
static bool shut(plc_rwlock_t *lock, uintptr_t share, uintptr_t own) {
    const uintptr_t change = share == UPGRADE ? (uintptr_t)WRITER - UPGRADABLE - own : (uintptr_t)WRITER;
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it */
    while (share == UPGRADE || !is_kept_out(state, WRITER)) {
        if (plc_cas_relaxed_weak(&lock->state, &state, state + change)) /* relaxed: draining acquires [R1] [R2] */
            return true;
    }
    return false;
}

/* Keeps new readers out for the moment that those inside are given to leave; then it gives W up again, as a thread does that
   drains until its deadline passes (T5). */
static bool drain(plc_rwlock_t *lock, uintptr_t share, uintptr_t own) {
    if (!shut(lock, share, own))
        return false;
    if (plc_rwlock_drain_awake_(lock))
        return true;
    plc_rwlock_release(lock, WRITER, share == UPGRADE ? UPGRADABLE + own : 0, false);
    return false;
}

/* What a poll does before it sleeps. It drains once, and not each time that it is polled beside a reader who stays: a task that
   is polled again and again would keep the others out most of the time. */
static bool attempt(plc_rwlock_t *lock, struct plc_waiter *task, uintptr_t share, bool *has_drained) {
    const uintptr_t own = own_share(task, share);
    if (share == UPGRADE ? upgrade(lock, own) : barge(lock, share))
        return true;
    if (*has_drained || !waits_for_readers(lock, share) || !may_drain(lock, task))
        return false;
    *has_drained = true;
    return drain(lock, share, own);
}

/* With the bucket locked: makes Q right for a task that sleeps; false if nothing keeps it out any more. */
static bool mark_queue(plc_rwlock_t *lock, struct plc_bucket *bucket, uintptr_t share) {
    uintptr_t marks = plc_rwlock_marks_for(bucket, lock, plc_rwlock_first_waiter(bucket, lock));
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it, or it is right */
    marks = marks ? marks : PARKED;
    while (is_kept_out(state, share)) {
        const uintptr_t marked = (state & ~(uintptr_t)QUEUE_BITS) | marks;
        /* relaxed: Q and H carry no data */
        if (state == marked || plc_cas_relaxed_weak(&lock->state, &state, marked))
            return true;
    }
    return false;
}

/* With the bucket locked of those who wait for the readers: sets D, unless there are none but itself, or more than these keep
   out; in the same step it gives up its own share. */
static bool mark_drain(plc_rwlock_t *lock, uintptr_t share, uintptr_t own) {
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it, or it is right */
    while ((state & READERS) != own && (share == UPGRADE || !is_kept_out(state, WRITER))) {
        const uintptr_t marked = (state - own) | WRITER_PARKED;
        /* relaxed: D carries no data, and is cleared only under this bucket lock (T3); who had the share has U (T4) */
        if (state == marked || plc_cas_relaxed_weak(&lock->state, &state, marked))
            return true;
    }
    return false;
}

enum outcome { SLEEPS, NEEDS_WAKER, LOOK_AGAIN };

/* With the bucket locked: joins the end of the queue with *waker, in place of which it leaves the old one, if there is one. The
   last reader may have let go of the task just now, and be about to take its waker: then it is in the bucket already, and
   comes back before it was woken. */
static void join(struct plc_bucket *bucket, struct plc_lot_key key, struct plc_waiter *task, plc_waker_t *waker) {
    plc_waker_t old = plc_task_take_waker(task);
    if (task->use != PLC_TASK_IDLE && plc_task_is_queued(task))
        plc_task_remove(bucket, task);
    plc_task_enqueue(bucket, task, key);
    task->waiting_since = plc_os_now_ns(PLC_CLOCK_MONOTONIC); /* when it last drained, or thereabouts: may_drain() */
    task->waker = *waker;
    *waker = old;
}

/* Sleeps in the queue of this key, in the place that the task has there or at the end, with the waker that is there already
   or with *waker, in place of which it leaves the old one. */
static enum outcome sleep_in(plc_rwlock_t *lock, struct plc_lot_key key, struct plc_waiter *task,
                             const plc_waker_t *wanted, plc_waker_t *waker) {
    enum outcome outcome = NEEDS_WAKER;
    struct plc_bucket *bucket = plc_bucket_lock(key.address);
    const bool is_queued = task->use != PLC_TASK_IDLE && plc_task_is_queued(task) && plc_waiter_matches(task, key);
    const bool has_waker = is_queued && plc_task_has_waker(task, wanted);
    if (has_waker || plc_waker_is_set(waker)) {
        const uintptr_t share = task->park_token;
        const bool marked =
            key.address == lock ? mark_queue(lock, bucket, share) : mark_drain(lock, share, own_share(task, share));
        outcome = marked ? SLEEPS : LOOK_AGAIN;
    }
    if (outcome == SLEEPS && !is_queued)
        join(bucket, key, task, waker);
    else if (outcome == SLEEPS && !has_waker)
        plc_task_swap_waker(task, waker);
    if (outcome == SLEEPS)
        task->state = PLC_WAITER_QUEUED;
    plc_bucket_unlock(bucket);
    if (outcome == SLEEPS)
        task->use = PLC_TASK_LOCKS_RWLOCK;
    return outcome;
}

/* The queue in which the task has to wait as things are. */
static struct plc_lot_key queue_for(const plc_rwlock_t *lock, uintptr_t share) {
    return waits_for_readers(lock, share) ? plc_rwlock_drain_key(lock) : key_of(lock);
}

static void must_be_the_same(const struct plc_waiter *task, const plc_rwlock_t *lock, uintptr_t share) {
    const void *address = plc_load_relaxed(&task->address); /* relaxed: its owner's own */
    bool is_here = address == lock || address == plc_rwlock_drain_key(lock).address;
    if (task->use != PLC_TASK_IDLE && !(task->use == PLC_TASK_LOCKS_RWLOCK && is_here && task->park_token == share))
        plc_os_fatal("async waiter", task, "polled for one thing while it waits for another");
}

/* Sleeps in the queue of this key; in another one it waits no longer. *waker: one that the task may have, or none. */
static enum outcome sleep_in_only(plc_rwlock_t *lock, struct plc_lot_key key, struct plc_waiter *task, uintptr_t share,
                                  const plc_waker_t *wanted, plc_waker_t *waker) {
    if (task->use != PLC_TASK_IDLE && plc_load_relaxed(&task->address) != key.address) { /* relaxed: its owner's own */
        leave(lock, task);
        task->use = PLC_TASK_IDLE;
        return LOOK_AGAIN;
    }
    if (task->use == PLC_TASK_IDLE) {
        task->park_token = share;
        if (!plc_waker_is_set(waker))
            return NEEDS_WAKER;
    }
    return sleep_in(lock, key, task, wanted, waker);
}

static enum plc_poll poll_for(plc_rwlock_t *lock, struct plc_waiter *task, uintptr_t share, const plc_waker_t *wanted) {
    plc_waker_t waker = {NULL, NULL};
    enum outcome outcome = LOOK_AGAIN;
    bool has_drained = false;
    must_be_the_same(task, lock, share);
    while (outcome != SLEEPS && !attempt(lock, task, share, &has_drained)) {
        if (outcome == NEEDS_WAKER)
            waker = plc_waker_clone(wanted);
        plc_bucket_table_prepare();
        outcome = sleep_in_only(lock, queue_for(lock, share), task, share, wanted, &waker);
    }
    plc_waker_drop(&waker);
    return outcome == SLEEPS ? PLC_POLL_PENDING : finish(lock, task);
}

enum plc_poll plc_rwlock_read_lock_async_(plc_rwlock_t *lock, plc_async_waiter_t *node, const plc_waker_t *waker) {
    return poll_for(lock, plc_task_of(node), READER, waker);
}

enum plc_poll plc_rwlock_write_lock_async_(plc_rwlock_t *lock, plc_async_waiter_t *node, const plc_waker_t *waker) {
    return poll_for(lock, plc_task_of(node), WRITER, waker);
}

enum plc_poll plc_rwlock_upgradable_lock_async_(plc_rwlock_t *lock, plc_async_waiter_t *node,
                                                const plc_waker_t *waker) {
    return poll_for(lock, plc_task_of(node), UPGRADABLE_READER, waker);
}

enum plc_poll plc_rwlock_upgrade_async_(plc_rwlock_t *lock, plc_async_waiter_t *node, const plc_waker_t *waker) {
    return poll_for(lock, plc_task_of(node), UPGRADE, waker);
}

/* ---- Giving up */

void plc_rwlock_forget_task_(struct plc_waiter *task) {
    const char *address = plc_load_relaxed(&task->address); /* relaxed: its owner's own */
    bool is_behind_readers = (uintptr_t)address % sizeof(plc_rwlock_t) != 0;
    plc_rwlock_t *lock = (plc_rwlock_t *)(uintptr_t)(address - is_behind_readers);
    leave(lock, task);
    if (task->park_token == UPGRADE)
        plc_fetch_add_relaxed(&lock->state, (uintptr_t)READER); /* relaxed: it had U all the time (T4) */
}
