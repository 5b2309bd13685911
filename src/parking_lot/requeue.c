/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requeueing: waiters of one key are moved to another without waking, or some are woken and the rest moved. */
#include "parking_lot/wake_list.h"
#include "platform/platform.h"
#include "platform/tuning.h"

/* What an operation does with the waiters, first to last. */
struct plan {
    size_t wake; /* this many are woken ... */
    size_t move; /* ... and then this many are moved */
};

static struct plan plan_for(enum plc_requeue_op op) {
    switch (op) {
    case PLC_REQUEUE_WAKE_ONE:
        return (struct plan){1, 0};
    case PLC_REQUEUE_WAKE_ALL:
        return (struct plan){SIZE_MAX, 0};
    case PLC_REQUEUE_ONE:
        return (struct plan){0, 1};
    case PLC_REQUEUE_ALL:
        return (struct plan){0, SIZE_MAX};
    case PLC_REQUEUE_WAKE_ONE_MOVE_REST:
        return (struct plan){1, SIZE_MAX};
    case PLC_REQUEUE_ABORT:
        break;
    }
    return (struct plan){0, 0};
}

static void append_moved(struct plc_bucket *bucket, struct plc_lot_key to, struct plc_waiter *moved) {
    int64_t now = moved ? plc_os_now_ns(PLC_CLOCK_MONOTONIC) : 0;
    struct plc_waiter *next;
    for (struct plc_waiter *waiter = moved; waiter; waiter = next) {
        next = waiter->next;
        /* Newcomers: what they waited for before was something else, and gives no seniority. */
        waiter->waiting_since = now;
        plc_requeue_append(bucket, to, waiter);
    }
}

/* Takes the planned waiters out of the queue: the first into woken, the others, in their order, into the list returned.
   They are appended only afterwards, since both keys may share a bucket. */
static struct plc_waiter *take_planned(struct plc_bucket *bucket, struct plc_lot_key from, struct plan plan,
                                       struct plc_wake_list *woken, struct plc_unpark_result *result) {
    struct plc_waiter *moved = NULL;
    struct plc_waiter **moved_end = &moved;
    struct plc_waiter *previous = NULL;
    struct plc_waiter *waiter = plc_queue_find(bucket->head, from, &previous);
    while (waiter && (result->unparked < plan.wake || result->requeued < plan.move)) {
        struct plc_waiter *next = waiter->next;
        plc_queue_remove(bucket, previous, waiter);
        if (result->unparked < plan.wake) {
            plc_wake_list_add(woken, bucket, waiter);
            result->unparked++;
        } else {
            waiter->next = NULL;
            *moved_end = waiter;
            moved_end = &waiter->next;
            result->requeued++;
        }
        waiter = plc_queue_find(next, from, &previous);
    }
    result->have_more = waiter != NULL;
    return moved;
}

struct plc_unpark_result
plc_lot_unpark_requeue(struct plc_lot_key from, struct plc_lot_key to, enum plc_requeue_op (*validate)(void *context),
                       uintptr_t (*callback)(void *context, enum plc_requeue_op op, struct plc_unpark_result result),
                       void *context) {
    struct plc_unpark_result result = {0};
    struct plc_wake_list woken = {0};
    struct plc_bucket_pair pair = plc_bucket_lock_pair(from.address, to.address);
    enum plc_requeue_op op = validate(context);
    if (op != PLC_REQUEUE_ABORT) {
        struct plc_waiter *moved = take_planned(pair.from, from, plan_for(op), &woken, &result);
        append_moved(pair.to, to, moved);
        result.be_fair = plc_wake_list_is_due(&woken);
        plc_wake_list_set_token(&woken, callback ? callback(context, op, result) : 0);
    }
    plc_bucket_unlock_pair_to_wake(pair);
    plc_wake_list_wake(&woken);
    return result;
}

/* ---- All waiters of a condition */

/* Are they more than are to be woken at once? Not if there may be tasks among them, which are never moved. */
static bool are_many(const struct plc_bucket *bucket, struct plc_lot_key key) {
    unsigned left = PLC_BROADCAST_WAKES * plc_os_processor_count();
    struct plc_waiter *waiter = bucket->head;
    struct plc_waiter *previous = NULL;
    if (PLC_UNLIKELY(bucket->tasks != 0))
        return false;
    while ((waiter = plc_queue_find(waiter, key, &previous)) != NULL) {
        if (left-- == 0)
            return true;
        waiter = waiter->next;
    }
    return false;
}

/* The second bucket is locked only if it is needed. */
static struct plc_bucket_pair lock_for_all(struct plc_lot_key from, struct plc_lot_key to, bool *many) {
    struct plc_bucket *bucket = plc_bucket_lock(from.address);
    struct plc_bucket_pair pair = {bucket, bucket};
    *many = are_many(bucket, from);
    if (*many && !plc_bucket_try_lock_too(bucket, to.address, &pair)) {
        plc_bucket_unlock(bucket);
        pair = plc_bucket_lock_pair(from.address, to.address);
        *many = are_many(pair.from, from);
    }
    return pair;
}

struct plc_unpark_result plc_lot_notify_all(struct plc_lot_key from, struct plc_lot_key to,
                                            const struct plc_notify_all_ops *ops, void *context) {
    struct plc_unpark_result result = {0};
    struct plc_wake_list woken = {0};
    bool many;
    struct plc_bucket_pair pair = lock_for_all(from, to, &many);
    bool moves = many && ops->may_move(context);
    struct plan plan = plan_for(moves ? PLC_REQUEUE_ALL : PLC_REQUEUE_WAKE_ALL);
    append_moved(pair.to, to, take_planned(pair.from, from, plan, &woken, &result));
    plc_wake_list_set_token(&woken, ops->conclude(context, result));
    struct plc_waiter *to_wake = moves ? ops->moved(context) : NULL;
    plc_bucket_unlock_pair_to_wake(pair);
    if (to_wake)
        plc_waiter_wake(to_wake); /* the last access to it */
    plc_wake_list_wake(&woken);
    return result;
}
