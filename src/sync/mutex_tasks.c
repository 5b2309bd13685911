/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait for the one-byte mutex, in the same queue as the threads. */
#include "sync/mutex_tasks.h"

#include "platform/platform.h"
#include "platform/tuning.h"
#include "sync/mutex.h"
#include "sync/mutex_queue.h"

/* A task is queued under a kind of its own, so that all that the threads do, and all that sync/mutex_queue.c says of them,
 * is as if no task were there, but for P:
 *
 *   M1  P is set exactly if an unlock has to look: somebody is queued, a thread or a task that sleeps, and the first
 *       thread, if there is one, is not an ARRIVED heir, who looks by itself.
 *   M2  If the mutex is free while a task sleeps, then an unlocker is on its way to the bucket, or a thread has been summoned
 *       (it takes the mutex, and then its unlock looks, or it makes P right), or another task has been and was not polled yet.
 *       That one takes the mutex or finds it held, and whoever holds it will look; or passes its wake on when it is
 *       cancelled; or is found overdue by the next unlock.
 *   M3  Threads never rely on tasks: an unlock that wakes a task serves the first thread as well.
 *
 * docs/design/async.md argues for them. Memory order: sync/mutex_queue.c. */

static struct plc_lot_key key_of(const plc_mutex_t *mutex) {
    return plc_lot_key(mutex, PLC_WAITER_MUTEX_TASK);
}

/* ---- For those who work on the queue. The bucket is locked. */

/* The first task that waits before any thread and has not been woken in vain; in *any whether there is any task. */
static struct plc_waiter *first_of_use(const struct plc_bucket *bucket, const plc_mutex_t *mutex, bool *any) {
    struct plc_waiter *waiter = bucket->head;
    for (; waiter; waiter = waiter->next) {
        if (waiter->address != mutex)
            continue;
        if (waiter->kind == PLC_WAITER_MUTEX)
            return NULL;
        if (waiter->kind != PLC_WAITER_MUTEX_TASK)
            continue;
        *any = true;
        if (waiter->state == PLC_WAITER_QUEUED || !plc_task_is_overdue(waiter, PLC_MUTEX_STUCK_NS))
            break;
    }
    return waiter;
}

static bool is_locked(const plc_mutex_t *mutex) {
    return plc_load_relaxed(&mutex->state) & LOCKED; /* relaxed: who has it by now looks at P when it unlocks */
}

/* Clears P if nobody needs it (M1). It is set by who joins. */
static void clear_parked_if_idle(plc_mutex_t *mutex, struct plc_bucket *bucket) {
    /* relaxed: P changes only under the bucket lock, and carries no data */
    if ((plc_load_relaxed(&mutex->state) & PARKED) && !plc_mutex_must_look_(mutex, bucket))
        plc_fetch_and_relaxed(&mutex->state, (uint8_t)~PARKED);
}

bool plc_mutex_serve_tasks_(plc_mutex_t *mutex, struct plc_bucket *bucket, plc_waker_t *to_wake) {
    bool any = false;
    struct plc_waiter *task = first_of_use(bucket, mutex, &any);
    if (task && task->state == PLC_WAITER_QUEUED && !is_locked(mutex)) {
        *to_wake = plc_task_take_waker(task);
        task->state = PLC_WAITER_SUMMONED;
        task->summoned_at = 0; /* the clock is read by the first unlock that finds it under way */
    }
    if (any)
        clear_parked_if_idle(mutex, bucket);
    return any;
}

/* ---- Polling */

/* The mutex is the task's: it leaves the queue. */
static enum plc_poll finish(plc_mutex_t *mutex, struct plc_waiter *task) {
    if (task->use != PLC_TASK_IDLE) {
        struct plc_bucket *bucket = plc_bucket_lock(mutex);
        plc_waker_t old = plc_task_take_waker(task);
        if (plc_task_is_queued(task))
            plc_task_remove(bucket, task);
        clear_parked_if_idle(mutex, bucket);
        plc_bucket_unlock(bucket);
        task->use = PLC_TASK_IDLE;
        plc_waker_drop(&old);
    }
    return PLC_POLL_READY;
}

/* With the bucket locked: takes the mutex, or makes P right for a task that sleeps. */
static bool take_or_mark(plc_mutex_t *mutex) {
    while (!plc_mutex_mark_parked_if_locked_(mutex)) {
        if (plc_mutex_barge(mutex))
            return true;
    }
    return false;
}

enum outcome { MINE, QUEUED, NEEDS_WAKER };

/* With the bucket locked: takes the mutex, or sleeps in the queue, in the place that it has or at the end, with the waker
   that is there already or with *waker, in place of which it leaves the old one. */
static enum outcome take_or_sleep(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiter *task,
                                  const plc_waker_t *wanted, plc_waker_t *waker) {
    const bool is_queued = task->use != PLC_TASK_IDLE && plc_task_is_queued(task);
    const bool has_waker = is_queued && plc_task_has_waker(task, wanted);
    if (!has_waker && !plc_waker_is_set(waker))
        return NEEDS_WAKER;
    if (take_or_mark(mutex))
        return MINE;
    if (!is_queued)
        plc_task_enqueue(bucket, task, key_of(mutex));
    task->state = PLC_WAITER_QUEUED;
    if (!has_waker)
        plc_task_swap_waker(task, waker);
    return QUEUED;
}

enum plc_poll plc_mutex_poll_(plc_mutex_t *mutex, struct plc_waiter *task, const plc_waker_t *wanted,
                              enum plc_task_use use) {
    plc_waker_t waker = {NULL, NULL};
    enum outcome outcome = NEEDS_WAKER;
    if (plc_mutex_barge(mutex))
        return finish(mutex, task);
    if (task->use == PLC_TASK_IDLE)
        waker = plc_waker_clone(wanted);
    plc_bucket_table_prepare();
    while (outcome == NEEDS_WAKER) {
        struct plc_bucket *bucket = plc_bucket_lock(mutex);
        outcome = take_or_sleep(mutex, bucket, task, wanted, &waker);
        plc_bucket_unlock(bucket);
        if (outcome == NEEDS_WAKER)
            waker = plc_waker_clone(wanted);
    }
    plc_waker_drop(&waker);
    if (outcome == MINE)
        return finish(mutex, task);
    task->use = (uint8_t)use;
    return PLC_POLL_PENDING;
}

enum plc_poll plc_mutex_lock_async_(plc_mutex_t *mutex, plc_async_waiter_t *node, const plc_waker_t *waker) {
    struct plc_waiter *task = plc_task_of(node);
    plc_task_must_be(task, PLC_TASK_LOCKS_MUTEX, mutex);
    return plc_mutex_poll_(mutex, task, waker, PLC_TASK_LOCKS_MUTEX);
}

/* ---- Giving up */

void plc_mutex_forget_task_(plc_mutex_t *mutex, struct plc_waiter *task) {
    plc_waker_t next = {NULL, NULL};
    struct plc_bucket *bucket = plc_bucket_lock(mutex);
    plc_waker_t old = plc_task_take_waker(task);
    if (plc_task_is_queued(task)) {
        bool had_wake = task->state == PLC_WAITER_SUMMONED;
        plc_task_remove(bucket, task);
        if (had_wake)
            plc_mutex_serve_tasks_(mutex, bucket, &next);
        clear_parked_if_idle(mutex, bucket);
    }
    plc_bucket_unlock(bucket);
    plc_waker_drop(&old);
    if (plc_waker_is_set(&next))
        plc_waker_wake(&next);
}
