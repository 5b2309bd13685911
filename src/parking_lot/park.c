/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parking: a thread queues itself under a key and sleeps until it is taken out or its time has run out. */
#include <plc/detail/atomic.h>

#include "parking_lot/observer.h"
#include "parking_lot/queue.h"
#include "parking_lot/thread.h"
#include "parking_lot/waiting.h"
#include "parking_lot/wake_list.h"
#include "platform/platform.h"

/* Invariants (with unpark.c and requeue.c)
 *   L1  A waiter is in exactly one queue from enqueue until somebody takes it out under that bucket's lock: another thread,
 *       which makes its state DEQUEUED, or its owner.
 *   L2  Whoever makes a QUEUED waiter DEQUEUED or SUMMONED wakes it, once, after it unlocked the bucket; waking is its last
 *       access. A SUMMONED waiter is still queued: it is for its lock to say how it leaves (sync/mutex_queue.c).
 *   L3  The owner leaves only after it took itself out while nobody had promised a wake, or after the wake that was
 *       promised. So a waiter's memory is valid for as long as anybody can reach it.
 *
 * Memory order: the word lock's [W1] orders everything in a bucket, the parker's [P1] the wake; nothing else is needed. */

/* ---- The node: the thread's own; one on the stack if a handler or callback parks while the thread's own is queued. */

static void wake_thread(struct plc_waiter *waiter) {
    plc_thread_parker_unpark(&waiter->parker);
}

void plc_wake_list_wake(struct plc_wake_list *list) {
    struct plc_wake_batch batch = {0};
    bool many = list->head != list->tail;
    struct plc_waiter *next;
    for (struct plc_waiter *waiter = list->head; waiter; waiter = next) {
        next = waiter->next_to_wake;
        if (many && waiter->wake == wake_thread) {
            plc_waiter_is_woken(waiter);
            plc_thread_parker_unpark_with_others(&waiter->parker, &batch);
        } else {
            plc_wake_batch_finish(&batch);
            plc_waiter_wake(waiter);
        }
    }
    plc_wake_batch_finish(&batch);
    if (PLC_UNLIKELY(list->tasks_at))
        plc_tasks_wake_due(list->tasks_at);
}

/* ---- Where it sleeps: among others, if it was woken together with others the last time. */

/* Is a waiter of this kind ever taken out together with others, and woken by a wake list? */
static bool may_have_company(enum plc_waiter_kind kind) {
    return kind == PLC_WAITER_USER || kind == PLC_WAITER_CONDVAR || kind == PLC_WAITER_ONCE;
}

/* The number of the place, or 0: alone. The bucket is locked. */
static uint32_t place_for(const struct plc_waiter *waiter) {
    static uint32_t last_place; /* 0 is nobody's */
    struct plc_thread *self = plc_thread_self();
    if (waiter != &self->waiter || !(self->expects_company || PLC_EXPECT_COMPANY))
        return 0;
    if (self->place == 0)
        self->place = plc_fetch_add_relaxed(&last_place, 1u) + 1; /* relaxed: any will do */
    return self->place;
}

/* Once woken; the wake of a mutex to which it was moved says nothing. */
static void learn_company(const struct plc_waiter *waiter) {
    struct plc_thread *self = plc_thread_self();
    if (waiter == &self->waiter && may_have_company(waiter->kind))
        self->expects_company = plc_thread_parker_had_company(&waiter->parker);
}

/* ---- Lending and giving back */

struct plc_waiter *plc_waiter_borrow(struct plc_waiter *on_stack) {
    plc_wait_enter();
    struct plc_thread *self = plc_thread_self();
    struct plc_waiter *waiter = self->waiter_in_use ? on_stack : &self->waiter;
    if (waiter == on_stack || !self->waiter_ready)
        plc_thread_parker_init(&waiter->parker);
    if (waiter != on_stack) {
        self->waiter_ready = true;
        self->waiter_in_use = true;
    }
    plc_thread_parker_sleep_at(&waiter->parker, 0);
    waiter->park_token = 0;
    waiter->is_task = false;
    waiter->thread_id = self->thread_id;
    waiter->began_at = plc_os_coarse_now_ns();
    waiter->wake = wake_thread;
    return waiter;
}

void plc_waiter_give_back(struct plc_waiter *waiter, struct plc_waiter *on_stack) {
    if (waiter == on_stack)
        plc_thread_parker_destroy(&waiter->parker);
    else
        plc_thread_self()->waiter_in_use = false;
    plc_lifetime_end_(waiter, sizeof *waiter);
    plc_wait_leave(); /* the last, as the thread may be cancelled here */
}

/* ---- Into the queue */

void plc_waiter_enqueue(struct plc_bucket *bucket, struct plc_waiter *waiter, struct plc_lot_key key, unsigned flags) {
    plc_store_relaxed(&waiter->address, key.address); /* relaxed: the bucket's lock publishes it */
    waiter->kind = key.kind;
    waiter->state = PLC_WAITER_QUEUED;
    waiter->phase = 0;
    waiter->passed_over_since = 0;
    waiter->processor = plc_os_processor();
    if (may_have_company(key.kind))
        plc_thread_parker_sleep_at(&waiter->parker, place_for(waiter));
    plc_thread_parker_prepare_park(&waiter->parker, !(flags & PLC_PARK_NO_SPIN));
    if (flags & PLC_PARK_AT_FRONT)
        plc_queue_push_front(bucket, waiter);
    else
        plc_queue_push_back(bucket, waiter);
}

static bool enqueue_if_valid(struct plc_waiter *waiter, struct plc_lot_key key, const struct plc_park_ops *ops,
                             void *context) {
    struct plc_bucket *bucket = plc_bucket_lock(key.address);
    bool valid = !ops->validate || ops->validate(context);
    if (valid)
        plc_waiter_enqueue(bucket, waiter, key, ops->flags);
    plc_bucket_unlock(bucket);
    return valid;
}

/* ---- Out of the queue when time has run out */

bool plc_waiter_take_out(struct plc_bucket *bucket, struct plc_waiter *waiter) {
    struct plc_waiter *previous = NULL;
    struct plc_waiter *at = bucket->head;
    while (at && at != waiter) {
        previous = at;
        at = at->next;
    }
    if (at)
        plc_queue_remove(bucket, previous, waiter);
    return at != NULL;
}

/* Leaves the queue; false if another thread has promised to wake the waiter. */
static bool leave(struct plc_waiter *waiter, const struct plc_park_ops *ops, void *context) {
    struct plc_bucket *bucket = plc_bucket_lock_of_waiter(waiter);
    bool left = waiter->state == PLC_WAITER_QUEUED;
    if (left) {
        /* Not found: this is the child of a fork made from a signal handler, where the lot was emptied. */
        plc_waiter_take_out(bucket, waiter);
        plc_thread_parker_timed_out(&waiter->parker);
        if (ops->timed_out) {
            struct plc_lot_key key = plc_lot_key(waiter->address, waiter->kind);
            ops->timed_out(context, key.address, !plc_queue_contains(bucket->head, key));
        }
    }
    plc_bucket_unlock(bucket);
    return left;
}

/* ---- In the queue */

/* Not inlined: the caller's clean-up is tied to this call, and must cover all that a cancellation can interrupt. */
__attribute__((noinline)) bool plc_waiter_wait(struct plc_waiter *waiter, const struct plc_park_ops *ops, void *context,
                                               plc_deadline_t deadline) {
    const struct plc_sleep_hooks around_sleep = {ops->wait_begin, ops->wait_end, context};
    const struct plc_sleep_hooks *hooks = ops->wait_begin ? &around_sleep : NULL;
    if (plc_deadline_is_never(deadline)) {
        plc_thread_parker_park(&waiter->parker, hooks);
        return true;
    }
    if (plc_thread_parker_park_until(&waiter->parker, deadline, hooks))
        return true;
    if (leave(waiter, ops, context))
        return false;
    plc_thread_parker_park(&waiter->parker, hooks); /* the wake is on its way (L2) */
    return true;
}

/* ---- When the wait is unwound: between wait_begin and wait_end the thread may be cancelled, or a hook may throw. */

struct wait {
    struct plc_waiter *waiter;
    struct plc_waiter *on_stack; /* as for plc_waiter_give_back */
    const struct plc_park_ops *ops;
    plc_resume resume;
    void *context;
    struct plc_watch watch;
    bool has_returned;
};

/* Runs when the wait has returned, and also when it is unwound. Then the waiter leaves as if its time had run out at this
   moment; if it was promised a wake it waits for that (L3), and resume learns of it. */
static void leave_if_unwound(struct wait *wait) {
    if (PLC_LIKELY(wait->has_returned))
        return;
    if (!leave(wait->waiter, wait->ops, wait->context)) {
        plc_thread_parker_park(&wait->waiter->parker, NULL);
        if (wait->resume)
            wait->resume(wait->context, wait->waiter, wait->waiter->unpark_token);
    }
    plc_watch_end(&wait->watch, PLC_DEBUG_CANCELLED);
    plc_waiter_give_back(wait->waiter, wait->on_stack);
}

static int64_t seniority(int64_t *waiting_since) {
    if (waiting_since && *waiting_since)
        return *waiting_since;
    int64_t now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    if (waiting_since)
        *waiting_since = now;
    return now;
}

static struct plc_park_result park(struct plc_lot_key key, const struct plc_park_ops *ops, plc_resume resume,
                                   void *context, uintptr_t park_token, plc_deadline_t deadline,
                                   int64_t waiting_since) {
    struct plc_park_result result = {PLC_PARK_INVALID, 0};
    struct plc_waiter on_stack;
    plc_bucket_table_prepare();
    struct plc_waiter *waiter = plc_waiter_borrow(&on_stack);
    waiter->park_token = park_token;
    waiter->waiting_since = waiting_since;
    if (enqueue_if_valid(waiter, key, ops, context)) {
        if (ops->before_sleep)
            ops->before_sleep(context);
        __attribute__((cleanup(leave_if_unwound))) struct wait wait = {
            .waiter = waiter, .on_stack = &on_stack, .ops = ops, .resume = resume, .context = context};
        plc_watch_begin(&wait.watch, key, park_token);
        bool unparked = plc_waiter_wait(waiter, ops, context, deadline);
        wait.has_returned = true;
        result.status = unparked ? PLC_PARK_UNPARKED : PLC_PARK_TIMED_OUT;
        result.token = unparked ? waiter->unpark_token : 0;
        if (unparked)
            learn_company(waiter);
        if (unparked && resume)
            result.token = resume(context, waiter, result.token);
        plc_watch_end(&wait.watch, unparked ? PLC_DEBUG_WOKEN : PLC_DEBUG_TIMED_OUT);
    }
    plc_waiter_give_back(waiter, &on_stack);
    return result;
}

struct plc_park_result plc_lot_park(struct plc_lot_key key, const struct plc_park_ops *ops, void *context,
                                    uintptr_t park_token, plc_deadline_t deadline, int64_t *waiting_since) {
    return park(key, ops, NULL, context, park_token, deadline, seniority(waiting_since));
}

struct plc_park_result plc_lot_park_and_resume(struct plc_lot_key key, const struct plc_park_ops *ops,
                                               plc_resume resume, void *context, uintptr_t park_token,
                                               plc_deadline_t deadline) {
    return park(key, ops, resume, context, park_token, deadline, 0);
}
