/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks in the parking lot: waiters that are woken by a waker, and may never come. */
#ifndef PLC_TASKS_H
#define PLC_TASKS_H

#include <plc/async.h>

#include "parking_lot/queue.h"

PLC_BEGIN_DECLS

/* A task's node is the caller's memory (plc_async_waiter_t). Nobody but its owner touches it without the lock of its
 * bucket: whoever wakes the task moves the waker out of the node under that lock, and calls it after. So who has taken
 * his node out of the queue may free it, and waits for nobody.
 *
 * A task's states (guarded by the bucket's lock)
 *   QUEUED    in its queue, with a waker                             left by: a release, a notification: DUE or SUMMONED;
 *                                                                    its owner
 *   DUE       in its bucket, with a waker that is to be taken        whoever takes it; its owner
 *   SUMMONED  in its queue, its waker was taken: a hint to come      its owner: takes the lock, or is QUEUED again, or leaves
 *   DEQUEUED  taken out of its queue by a notification               its owner
 *
 * Invariants (docs/design/async.md has them all)
 *   A1  A node is touched by others only under the lock of its bucket while it is queued there.
 *   A2  Nothing waits for a task: what threads wait for is as if no task were there.
 *   A3  A waker's functions are called with no bucket locked. */

/* What a task waits for; its owner's own note, zero in zeroed memory. */
enum plc_task_use {
    PLC_TASK_IDLE = 0,
    PLC_TASK_LOCKS_MUTEX,
    PLC_TASK_LOCKS_RWLOCK,
    PLC_TASK_WAITS,       /* in a condition variable's queue, or notified by it */
    PLC_TASK_LOCKS_AGAIN, /* was notified by a condition variable, and waits for the mutex */
};

PLC_STATIC_ASSERT(offsetof(struct plc_waiter, waker) + sizeof(plc_waker_t) <= sizeof(plc_async_waiter_t),
                  "a task's node holds all of a waiter but the parker");

static inline struct plc_waiter *plc_task_of(plc_async_waiter_t *node) {
    return (struct plc_waiter *)(void *)node;
}

/* ---- With the bucket locked in which the task is, or is to be */

/* Puts it at the end of the queue, without a waker. */
void plc_task_enqueue(struct plc_bucket *bucket, struct plc_waiter *task, struct plc_lot_key key);

/* Is it in this lot? Not if it was taken out, nor in the child of a fork, which must not follow its links. Not for idle
   ones. */
bool plc_task_is_queued(const struct plc_waiter *task);

/* Takes it out. */
void plc_task_remove(struct plc_bucket *bucket, struct plc_waiter *task);

/* One that was taken out of its queue is put back into the bucket, to be woken by plc_tasks_wake_due. */
void plc_task_becomes_due(struct plc_bucket *bucket, struct plc_waiter *task);

/* Would its waker, if it still has it, wake the same as this one? */
static inline bool plc_task_has_waker(const struct plc_waiter *task, const plc_waker_t *waker) {
    return plc_waker_is_set(&task->waker) && plc_waker_will_wake(&task->waker, waker);
}

/* Gives it this waker, and leaves the one that it had, if any, in its place. */
static inline void plc_task_swap_waker(struct plc_waiter *task, plc_waker_t *waker) {
    plc_waker_t old = task->waker;
    task->waker = *waker;
    *waker = old;
}

/* Takes the waker out; there may be none. */
static inline plc_waker_t plc_task_take_waker(struct plc_waiter *task) {
    plc_waker_t waker = task->waker;
    task->waker.vtable = NULL;
    return waker;
}

/* Does a task sleep in this queue, which nobody has woken? */
bool plc_tasks_sleep_(const struct plc_bucket *bucket, struct plc_lot_key key);
static inline bool plc_tasks_sleep(const struct plc_bucket *bucket, struct plc_lot_key key) {
    return PLC_UNLIKELY(bucket->tasks) && plc_tasks_sleep_(bucket, key);
}

/* ---- With no bucket locked */

/* Wakes the tasks that are due at the address. */
void plc_tasks_wake_due(const void *address);

/* A task's node and address in use for something else than the caller says: aborts. */
void plc_task_must_be(const struct plc_waiter *task, enum plc_task_use use, const void *address);

PLC_END_DECLS
#endif
