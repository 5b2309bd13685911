/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait on a condition variable, in the same queue as the threads. */
#include "sync/condvar_tasks.h"

#include "platform/platform.h"
#include "sync/mutex_tasks.h"

/* A task is queued under the condvar's own key: a notification takes whoever is first, a thread or a task. A task that
 * is taken is woken, and never moved to the mutex's queue: it goes there by itself, with the same node.
 *
 *   used for     state      meaning                                           left by
 *   WAITS        QUEUED     waits for a notification                          a notification; cancel
 *   WAITS        DUE        was notified; its waker is about to be taken      whoever takes it; its poll or cancel
 *   WAITS        DEQUEUED   was notified and woken                            its poll: locks the mutex; cancel
 *   LOCKS_AGAIN  as sync/mutex_tasks.c has it
 *
 * Two of the node's members are free for its owner: park_token is the condvar, and unpark_token the mutex. Invariants:
 * docs/design/async.md. Memory order: sync/condvar.c; the mutex that is let go after the task was queued is [C1]. */

static struct plc_lot_key key_of(const plc_condvar_t *condvar) {
    return plc_lot_key(condvar, PLC_WAITER_CONDVAR);
}

static plc_condvar_t *condvar_of(const struct plc_waiter *task) {
    return (plc_condvar_t *)task->park_token;
}

static plc_mutex_t *mutex_of(const struct plc_waiter *task) {
    return (plc_mutex_t *)task->unpark_token;
}

/* With the bucket locked, of a task that is used for WAITS: was it notified? In the child of a fork nobody is queued, but
   who was notified before knows it. */
static bool is_notified(const struct plc_waiter *task) {
    return task->state != PLC_WAITER_QUEUED;
}

/* ---- Beginning to wait */

/* Queues the task, with a waker, which may be its own from before. */
static void join(plc_condvar_t *condvar, struct plc_waiter *task, plc_waker_t waker) {
    plc_mutex_t *mutex = mutex_of(task);
    struct plc_bucket *bucket = plc_bucket_lock(condvar);
    while (!plc_condvar_enter_(condvar, mutex)) {
        plc_bucket_unlock(bucket);
        plc_condvar_settle_(condvar, mutex);
        bucket = plc_bucket_lock(condvar);
    }
    plc_task_enqueue(bucket, task, key_of(condvar));
    task->waker = waker;
    plc_bucket_unlock(bucket);
}

static void begin(plc_condvar_t *condvar, plc_mutex_t *mutex, struct plc_waiter *task, const plc_waker_t *wanted) {
    plc_bucket_table_prepare();
    task->park_token = (uintptr_t)condvar;
    task->unpark_token = (uintptr_t)mutex;
    join(condvar, task, plc_waker_clone(wanted));
    task->use = PLC_TASK_WAITS;
    plc_mutex_unlock_async(mutex); /* release [C1] */
}

/* ---- Waiting on */

enum look { NOTIFIED, WAITS_ON, NEEDS_WAKER, IS_GONE };

/* With the bucket locked: takes a notification, and in *old the waker, or sees to it that the waker is the wanted one: if it
   was not, that is *waker, in whose place the old one is left. */
static enum look look(struct plc_bucket *bucket, struct plc_waiter *task, const plc_waker_t *wanted, plc_waker_t *waker,
                      plc_waker_t *old) {
    if (is_notified(task)) {
        *old = plc_task_take_waker(task);
        if (plc_task_is_queued(task))
            plc_task_remove(bucket, task);
        return NOTIFIED;
    }
    if (!plc_task_is_queued(task))
        return IS_GONE;
    if (plc_task_has_waker(task, wanted))
        return WAITS_ON;
    if (!plc_waker_is_set(waker))
        return NEEDS_WAKER;
    plc_task_swap_waker(task, waker);
    return WAITS_ON;
}

/* Is the task still waiting for a notification? */
static bool waits_on(plc_condvar_t *condvar, struct plc_waiter *task, const plc_waker_t *wanted) {
    plc_waker_t waker = {NULL, NULL};
    plc_waker_t old = {NULL, NULL};
    enum look found = NEEDS_WAKER;
    while (found == NEEDS_WAKER) {
        struct plc_bucket *bucket = plc_bucket_lock(condvar);
        found = look(bucket, task, wanted, &waker, &old);
        plc_bucket_unlock(bucket);
        if (found == NEEDS_WAKER)
            waker = plc_waker_clone(wanted);
    }
    plc_waker_drop(&waker);
    plc_waker_drop(&old);
    if (found == IS_GONE) /* in the child of a fork; its old waker is of no use there */
        join(condvar, task, plc_waker_clone(wanted));
    return found != NOTIFIED;
}

static void must_be_the_same(const struct plc_waiter *task, const plc_condvar_t *condvar, const plc_mutex_t *mutex) {
    bool is_waiting = task->use == PLC_TASK_WAITS || task->use == PLC_TASK_LOCKS_AGAIN;
    if (task->use != PLC_TASK_IDLE && !(is_waiting && condvar_of(task) == condvar && mutex_of(task) == mutex))
        plc_os_fatal("async waiter", task, "polled for one thing while it waits for another");
}

enum plc_poll plc_condvar_wait_async_(plc_condvar_t *condvar, plc_mutex_t *mutex, plc_async_waiter_t *node,
                                      const plc_waker_t *waker) {
    struct plc_waiter *task = plc_task_of(node);
    must_be_the_same(task, condvar, mutex);
    if (task->use == PLC_TASK_IDLE) {
        begin(condvar, mutex, task, waker);
        return PLC_POLL_PENDING;
    }
    if (task->use == PLC_TASK_WAITS) {
        if (waits_on(condvar, task, waker))
            return PLC_POLL_PENDING;
        task->use = PLC_TASK_IDLE; /* for the mutex it is a newcomer */
    }
    return plc_mutex_poll_(mutex, task, waker, PLC_TASK_LOCKS_AGAIN);
}

/* ---- Giving up */

/* Takes the task out of the condvar's queue; was it notified? */
static bool leave(plc_condvar_t *condvar, struct plc_waiter *task) {
    struct plc_bucket *bucket = plc_bucket_lock(condvar);
    plc_waker_t old = plc_task_take_waker(task);
    bool was_notified = is_notified(task);
    if (plc_task_is_queued(task)) {
        plc_task_remove(bucket, task);
        if (!was_notified && !plc_queue_contains(bucket->head, key_of(condvar)))
            plc_condvar_set_empty_(condvar);
    }
    plc_bucket_unlock(bucket);
    plc_waker_drop(&old);
    return was_notified;
}

void plc_condvar_forget_task_(struct plc_waiter *task) {
    plc_condvar_t *condvar = condvar_of(task);
    bool was_notified = true;
    if (task->use == PLC_TASK_WAITS)
        was_notified = leave(condvar, task);
    else
        plc_mutex_forget_task_(mutex_of(task), task);
    if (was_notified)
        plc_condvar_pass_on_(condvar);
}
