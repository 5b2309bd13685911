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

static void append_moved(struct plc_bucket *bucket, struct plc_lot_key to, struct plc_waiter *moved, uint8_t phase) {
    struct plc_waiter *next;
    for (struct plc_waiter *waiter = moved; waiter; waiter = next) {
        next = waiter->next;
        /* Newcomers: what they waited for before was something else, and gives no seniority. */
        waiter->waiting_since = bucket->asked_at;
        waiter->phase = phase;
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
        append_moved(pair.to, to, moved, 0);
        result.be_fair = callback && plc_wake_list_is_due(&woken, pair.from);
        plc_wake_list_set_token(&woken, callback ? callback(context, op, result) : 0);
    }
    plc_bucket_unlock_pair_to_wake(pair);
    plc_wake_list_wake(&woken);
    return result;
}

/* ---- All waiters of a condition */

struct crowd {
    struct plc_bucket_pair pair; /* the second is locked only if they are moved */
    bool moves;
    bool many; /* more than are to be woken at once */
};

/* Counts the waiters of the key, but no further than this. */
static unsigned count(const struct plc_bucket *bucket, struct plc_lot_key key, unsigned limit) {
    unsigned found = 0;
    struct plc_waiter *waiter = bucket->head;
    struct plc_waiter *previous = NULL;
    while (found < limit && (waiter = plc_queue_find(waiter, key, &previous)) != NULL) {
        found++;
        waiter = waiter->next;
    }
    return found;
}

/* There may be tasks among them, which are never moved. */
static void look(struct crowd *crowd, struct plc_lot_key from) {
    const unsigned few = PLC_BROADCAST_WAKES * plc_os_processor_count();
    unsigned found = count(crowd->pair.from, from, few + 1);
    crowd->many = found > few;
    crowd->moves = found != 0 && crowd->pair.from->tasks == 0;
}

static struct crowd lock_crowd(struct plc_lot_key from, struct plc_lot_key to, const struct plc_notify_all_ops *ops,
                               void *context) {
    struct plc_bucket *bucket = plc_bucket_lock(from.address);
    struct crowd crowd = {.pair = {bucket, bucket}};
    look(&crowd, from);
    crowd.moves = crowd.moves && ops->may_move(context, crowd.many, false);
    if (!crowd.moves)
        return crowd;
    if (!plc_bucket_try_lock_too(bucket, to.address, &crowd.pair)) {
        plc_bucket_unlock(bucket);
        crowd.pair = plc_bucket_lock_pair(from.address, to.address);
        look(&crowd, from);
    }
    crowd.moves = crowd.moves && ops->may_move(context, crowd.many, true);
    return crowd;
}

struct plc_unpark_result plc_lot_notify_all(struct plc_lot_key from, struct plc_lot_key to,
                                            const struct plc_notify_all_ops *ops, void *context) {
    struct plc_unpark_result result = {0};
    struct plc_wake_list woken = {0};
    struct crowd crowd = lock_crowd(from, to, ops, context);
    struct plan plan = plan_for(crowd.moves ? PLC_REQUEUE_ALL : PLC_REQUEUE_WAKE_ALL);
    struct plc_waiter *moved = take_planned(crowd.pair.from, from, plan, &woken, &result);
    append_moved(crowd.pair.to, to, moved, crowd.many ? 0 : ops->phase_of_few);
    plc_wake_list_set_token(&woken, ops->conclude(context, result));
    struct plc_waiter *to_wake = crowd.moves && crowd.many ? ops->many_moved(context) : NULL;
    plc_bucket_unlock_pair_to_wake(crowd.pair);
    if (to_wake)
        plc_waiter_wake(to_wake); /* the last access to it */
    plc_wake_list_wake(&woken);
    return result;
}
