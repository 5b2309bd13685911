/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Notifying one waiter: preferably one that is awake, which is woken, or moved to another key if that is better. */
#include "parking_lot/patience.h"
#include "parking_lot/wake_list.h"
#include "platform/platform.h"
#include "platform/tuning.h"

/* A waiter that still spins in its parker takes what it was notified of within 100 ns and costs no system call; a sleeper
   takes 20 us and a call. So a notification prefers those who are awake. These came last: a spin is short. The first
   waiter is passed over for at most PLC_NOTIFY_PASS_NS from when this happened to it first; then it is its turn. So one
   with n waiters before it is passed over for no longer than n + 1 times that. */

struct pick {
    struct plc_waiter *waiter; /* null: nobody waits for the key */
    struct plc_waiter *previous;
    bool have_more;
    bool is_awake;
};

/* Does waking it cost no system call? Nor does a task's wake, and a task is never moved. */
static bool wakes_cheaply(const struct plc_waiter *waiter) {
    return waiter->is_task || plc_thread_parker_is_awake(&waiter->parker);
}

/* The thread of the key that has been awake for longest among the last few of the bucket, but not `first`. Each look is at
   memory of another thread: where all sleep fewer are spent on it. Who spins has come lately, so two are enough to see that it has
   become worth more again. */
static struct plc_waiter *find_awake(struct plc_bucket *bucket, struct plc_lot_key key,
                                     const struct plc_waiter *first) {
    struct plc_waiter *found = NULL;
    struct plc_waiter *waiter = bucket->tail;
    int looks = PLC_NOTIFY_LOOKS >> bucket->vain_searches;
    for (; waiter && waiter != first && looks > 0; looks--) {
        if (plc_waiter_matches(waiter, key) && !waiter->is_task && plc_thread_parker_is_awake(&waiter->parker))
            found = waiter;
        waiter = plc_queue_previous(bucket, waiter);
    }
    if (found)
        bucket->vain_searches = 0;
    else if (looks == 0 && bucket->vain_searches < PLC_NOTIFY_VAIN_SEARCHES)
        bucket->vain_searches++;
    return found;
}

/* Is it the first waiter's turn, whoever else is awake? */
static bool is_overdue(struct plc_waiter *first) {
    return plc_is_overdue(&first->passed_over_since, PLC_NOTIFY_PASS_NS);
}

static struct pick pick(struct plc_bucket *bucket, struct plc_lot_key key) {
    struct pick pick = {0};
    struct plc_waiter *first = plc_queue_find_first(bucket, key, &pick.previous);
    if (!first)
        return pick;
    pick.waiter = first;
    pick.is_awake = wakes_cheaply(first);
    struct plc_waiter *awake = pick.is_awake ? NULL : find_awake(bucket, key, first);
    if (awake && !is_overdue(first)) {
        pick.waiter = awake;
        pick.previous = plc_queue_previous(bucket, awake);
        pick.is_awake = true;
    }
    pick.have_more = pick.waiter != first || plc_queue_contains(first->next, key);
    return pick;
}

/* Asks what is to become of the waiter that was picked, if there is one. */
static enum plc_notify_op ask(const struct pick *pick, const struct plc_notify_ops *ops, void *context,
                              bool both_locked) {
    uint32_t here = plc_os_processor();
    if (!pick->waiter)
        return PLC_NOTIFY_WAKE; /* nobody: there is nothing to choose */
    struct plc_candidate candidate = {
        .is_awake = pick->is_awake,
        .is_nearby = here != PLC_OS_UNKNOWN_PROCESSOR && here == pick->waiter->processor,
    };
    return ops->choose(context, candidate, both_locked);
}

/* Takes the waiter that was picked, if there is one, and wakes it or moves it. Unlocks the buckets. */
static struct plc_unpark_result take(struct plc_bucket_pair pair, const struct pick *pick, enum plc_notify_op op,
                                     struct plc_lot_key to, const struct plc_notify_ops *ops, void *context) {
    struct plc_unpark_result result = {.have_more = pick->have_more};
    struct plc_waiter *waiter = pick->waiter;
    struct plc_wake_list woken = {0};
    if (waiter)
        plc_queue_remove(pair.from, pick->previous, waiter);
    if (waiter && op == PLC_NOTIFY_MOVE) {
        plc_requeue_append(pair.to, to, waiter);
        result.requeued = 1;
    } else if (waiter) {
        plc_wake_list_add(&woken, pair.from, waiter);
        result.unparked = 1;
    }
    plc_wake_list_set_token(&woken, ops->conclude(context, result));
    plc_bucket_unlock_pair_to_wake(pair);
    plc_wake_list_wake(&woken);
    return result;
}

struct plc_unpark_result plc_lot_notify_one(struct plc_lot_key from, struct plc_lot_key to,
                                            const struct plc_notify_ops *ops, void *context) {
    struct plc_bucket *bucket = plc_bucket_lock(from.address);
    struct plc_bucket_pair pair = {bucket, bucket};
    struct pick picked = pick(bucket, from);
    enum plc_notify_op op = ask(&picked, ops, context, false);
    /* The second bucket is locked only for those who need it: most are woken. */
    if (op == PLC_NOTIFY_MOVE) {
        if (!plc_bucket_try_lock_too(bucket, to.address, &pair)) {
            plc_bucket_unlock(bucket);
            pair = plc_bucket_lock_pair(from.address, to.address);
            picked = pick(pair.from, from);
        }
        op = ask(&picked, ops, context, true);
    }
    if (op != PLC_NOTIFY_NONE)
        return take(pair, &picked, op, to, ops, context);
    plc_bucket_unlock_pair(pair);
    return (struct plc_unpark_result){0};
}
