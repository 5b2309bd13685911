/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks in the parking lot: joining a queue, leaving it, and being woken by a waker. */
#include "parking_lot/tasks.h"

#include "platform/platform.h"

/* Memory order: all of a node is plain memory under its bucket's lock, [W1]; a waker's own functions order its wake. */

enum { WAKERS_AT_ONCE = 8 }; /* are taken under one lock of the bucket: they need room on the stack */

void plc_task_enqueue(struct plc_bucket *bucket, struct plc_waiter *task, struct plc_lot_key key) {
    plc_store_relaxed(&task->address, key.address); /* relaxed: the bucket's lock publishes it */
    task->kind = key.kind;
    task->state = PLC_WAITER_QUEUED;
    task->phase = 0;
    task->is_task = true;
    task->waiting_since = 0;
    task->passed_over_since = 0;
    task->processor = PLC_OS_UNKNOWN_PROCESSOR;
    task->incarnation = plc_bucket_table_incarnation();
    task->thread_id = 0;
    task->began_at = plc_os_coarse_now_ns();
    task->waker.vtable = NULL;
    plc_queue_push_back(bucket, task);
    bucket->tasks++;
}

bool plc_task_is_queued(const struct plc_waiter *task) {
    return task->state != PLC_WAITER_DEQUEUED && task->incarnation == plc_bucket_table_incarnation();
}

void plc_task_remove(struct plc_bucket *bucket, struct plc_waiter *task) {
    plc_queue_remove(bucket, plc_queue_previous(bucket, task), task);
    bucket->tasks--;
    task->state = PLC_WAITER_DEQUEUED;
}

void plc_task_becomes_due(struct plc_bucket *bucket, struct plc_waiter *task) {
    task->kind = PLC_WAITER_TASK_DUE;
    task->state = PLC_WAITER_DUE;
    plc_queue_push_back(bucket, task);
}

bool plc_tasks_sleep_(const struct plc_bucket *bucket, struct plc_lot_key key) {
    const struct plc_waiter *waiter = bucket->head;
    while (waiter && !(waiter->state == PLC_WAITER_QUEUED && plc_waiter_matches(waiter, key)))
        waiter = waiter->next;
    return waiter != NULL;
}

/* With the bucket locked: takes up to so many wakers of tasks that are due at the address. */
static size_t take_wakers(struct plc_bucket *bucket, const void *address, plc_waker_t *wakers) {
    size_t count = 0;
    struct plc_waiter *next;
    for (struct plc_waiter *task = bucket->head; task && count < WAKERS_AT_ONCE; task = next) {
        next = task->next;
        if (task->state != PLC_WAITER_DUE || task->address != address)
            continue;
        wakers[count++] = plc_task_take_waker(task);
        if (task->kind == PLC_WAITER_TASK_DUE)
            plc_task_remove(bucket, task);
        else
            task->state = PLC_WAITER_SUMMONED;
    }
    return count;
}

void plc_tasks_wake_due(const void *address) {
    plc_waker_t wakers[WAKERS_AT_ONCE];
    size_t count;
    do {
        struct plc_bucket *bucket = plc_bucket_lock(address);
        count = bucket->tasks ? take_wakers(bucket, address, wakers) : 0;
        plc_bucket_unlock(bucket);
        for (size_t i = 0; i < count; i++)
            plc_waker_wake(&wakers[i]);
    } while (count == WAKERS_AT_ONCE);
}

void plc_task_must_be(const struct plc_waiter *task, enum plc_task_use use, const void *address) {
    if (task->use != PLC_TASK_IDLE &&
        (task->use != use || plc_load_relaxed(&task->address) != address)) /* relaxed: its owner's own */
        plc_os_fatal("async waiter", task, "polled for one thing while it waits for another");
}
