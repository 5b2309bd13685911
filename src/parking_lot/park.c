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
 *       access. A SUMMONED waiter is still queued: it is for its lock to say how it leaves (sync/mutex_queue.c). Between the
 *       promise and the wake no handler may jump away and no cancellation may act: plc_lot_leave comes after the wake.
 *   L3  The owner leaves only after it took itself out while nobody had promised a wake, or after the wake that was
 *       promised. So a waiter's memory is valid for as long as anybody can reach it.
 *   L4  Torn out of its wait at any instruction (undo.h), the owner leaves as L3 says, and then gives up what it was woken for.
 *
 * Memory order: the word lock's [W1] orders everything in a bucket, the parker's [P1] the wake; nothing else is needed. */

/* ---- Beginning and ending. The node is the thread's own; one on the stack if a handler or callback parks while the thread's
   own is queued. A handler may jump away between any two steps, so each is right by itself (undo.h, U3). */

__attribute__((noinline)) void plc_wake_list_wake_many(const struct plc_wake_list *list) {
    struct plc_wake_batch batch = {0};
    struct plc_waiter *next;
    for (struct plc_waiter *waiter = list->head; waiter; waiter = next) {
        next = waiter->next_to_wake;
        plc_waiter_is_woken(waiter);
        plc_thread_parker_unpark_with_others(&waiter->parker, &batch);
    }
    plc_wake_batch_finish(&batch);
}

/* What the stack of a thread that has slept for long holds is in no cache, and it will touch twenty lines of it, one after the other. If
   it is to run here (a guess; where processors have no numbers all are one), they come while the kernel switches to it. */
__attribute__((noinline)) void plc_waiter_fetch_ahead(const struct plc_waiter *waiter) {
    if (waiter->processor != plc_os_processor() || plc_thread_parker_is_awake(&waiter->parker))
        return;
    for (int at = -PLC_WAKE_FETCH_BELOW; at < PLC_WAKE_FETCH_ABOVE; at += 64)
        __builtin_prefetch(waiter->frame + at, 1);
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

/* Once woken; that it was woken alone by a mutex to which it was moved says nothing. */
static void learn_company(const struct plc_waiter *waiter) {
    struct plc_thread *self = plc_thread_self();
    bool had_company = plc_thread_parker_had_company(&waiter->parker);
    if (waiter == &self->waiter && (had_company || may_have_company(waiter->kind)))
        self->expects_company = had_company;
}

/* ---- Beginning and ending. A handler may jump away between any two steps, so each is right by itself (undo.h, U3). */

static void take_back(struct plc_undo *undo);

void plc_waiting_begin(struct plc_waiting *waiting, const struct plc_park_ops *ops, void *context, plc_resign resign) {
    struct plc_thread *self = plc_thread_self();
    waiting->waiter = NULL;
    waiting->ops = ops;
    waiting->context = context;
    waiting->resign = resign;
    waiting->is_queued = false;
    waiting->is_owner = false;
    waiting->watch.hooks = NULL;
    waiting->watch.probes = NULL;
    plc_undo_push(&waiting->undo, take_back);
    plc_wait_enter();
    struct plc_waiter *waiter = self->waiter_in_use ? &waiting->on_stack : &self->waiter;
    if (waiter == &waiting->on_stack || !self->waiter_ready)
        plc_thread_parker_init(&waiter->parker);
    plc_thread_parker_sleep_at(&waiter->parker, 0);
    waiter->park_token = 0;
    waiter->is_task = false;
    waiter->frame = NULL;
    waiter->thread_id = self->thread_id;
    waiter->began_at = plc_os_coarse_now_ns();
    waiting->waiter = waiter;
    plc_fence_compiler();
    if (waiter == &self->waiter) {
        self->waiter_ready = true;
        self->waiter_in_use = true;
    }
}

static void give_back(struct plc_waiting *waiting) {
    struct plc_waiter *waiter = waiting->waiter;
    waiting->waiter = NULL; /* from here on there is nothing to take back */
    plc_fence_compiler();
    if (waiter == &waiting->on_stack)
        plc_thread_parker_destroy(&waiter->parker);
    else
        plc_thread_self()->waiter_in_use = false;
    plc_lifetime_end_(waiter, sizeof *waiter);
}

void plc_waiting_end(struct plc_waiting *waiting) {
    give_back(waiting);
    plc_wait_leave(); /* the thread may be cancelled here */
    plc_undo_pop(&waiting->undo);
}

/* ---- Into the queue */

/* The bucket is locked, and its queue has become longer. */
static void notice_crowd(const struct plc_bucket *bucket) {
    uint32_t threads = plc_load_relaxed(&bucket->waiters) - bucket->tasks; /* relaxed: changed under this lock */
    if (PLC_UNLIKELY(threads % PLC_CROWD == 0))
        plc_bucket_table_note_crowd(threads);
}

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
    notice_crowd(bucket);
}

void plc_waiting_enqueue(struct plc_bucket *bucket, struct plc_waiting *waiting, struct plc_lot_key key,
                         unsigned flags) {
    waiting->waiter->waiting_since = bucket->asked_at;
    plc_waiter_enqueue(bucket, waiting->waiter, key, flags);
    if (PLC_UNLIKELY(plc_load_relaxed(&bucket->waiters) >= PLC_CROWD)) /* relaxed: changed under this lock */
        waiting->waiter->frame = (const char *)waiting;
    waiting->is_queued = true;
}

static bool enqueue_if_valid(struct plc_waiting *waiting, struct plc_lot_key key) {
    const struct plc_park_ops *ops = waiting->ops;
    struct plc_bucket *bucket = plc_bucket_lock(key.address);
    bool valid = !ops->validate || ops->validate(waiting->context);
    if (valid)
        plc_waiting_enqueue(bucket, waiting, key, ops->flags);
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

void plc_waiting_take_out(struct plc_bucket *bucket, struct plc_waiting *waiting, bool is_owner) {
    plc_waiter_take_out(bucket, waiting->waiter);
    waiting->is_queued = false;
    waiting->is_owner = is_owner;
}

enum leaving {
    LEFT,     /* it is out of the queue, by itself */
    PROMISED, /* another thread has promised to wake it, or has woken it */
    NAPPING,  /* still queued, after it was summoned and has consumed the wake for that */
};

static enum leaving leave(struct plc_waiting *waiting) {
    enum leaving leaving = LEFT;
    struct plc_waiter *waiter = waiting->waiter;
    const struct plc_park_ops *ops = waiting->ops;
    struct plc_bucket *bucket = plc_bucket_lock_of_waiter(waiter);
    if (waiter->state == PLC_WAITER_QUEUED) {
        /* Not found: this is the child of a fork made from a signal handler, where the lot was emptied. */
        plc_waiting_take_out(bucket, waiting, false);
        plc_thread_parker_timed_out(&waiter->parker);
        if (ops->timed_out) {
            struct plc_lot_key key = plc_lot_key(waiter->address, waiter->kind);
            ops->timed_out(waiting->context, key.address, !plc_queue_contains(bucket->head, key));
        }
    } else {
        /* A summoned waiter has a phase only once it has been awake (the tables of the mutex and the rwlock). */
        leaving = waiter->state == PLC_WAITER_SUMMONED && waiter->phase != 0 ? NAPPING : PROMISED;
    }
    plc_bucket_unlock(bucket);
    return leaving;
}

/* ---- In the queue */

static const struct plc_sleep_hooks admit_cancellation = {plc_os_sleep_begins, plc_os_sleep_ends, NULL};

/* To be chosen for a wake that somebody awake would answer at once is no good meanwhile. */
static __attribute__((noinline)) void tell_of_crowd(struct plc_waiter *waiter) {
    plc_thread_parker_fall_asleep(&waiter->parker);
    plc_bucket_table_tell_crowd();
}

/* Inlined, and the parker's sleep is too: many calls deep it would have as many returns mispredicted when it is over, for the
   processor no longer knows where they lead once the kernel has run another thread. */
__attribute__((always_inline)) static inline bool nap(struct plc_waiting *waiting, plc_deadline_t deadline) {
    const struct plc_park_ops *ops = waiting->ops;
    struct plc_waiter *waiter = waiting->waiter;
    const struct plc_sleep_hooks around_sleep = {ops->wait_begin, ops->wait_end, waiting->context};
    const struct plc_sleep_hooks *hooks = NULL;
    if (ops->wait_begin)
        hooks = &around_sleep;
    else if (ops->flags & PLC_PARK_CANCELLABLE && plc_wait_may_be_cancelled())
        hooks = &admit_cancellation;
    if (!plc_deadline_is_never(deadline))
        return plc_thread_parker_park_until(&waiter->parker, deadline, hooks);
    if (PLC_UNLIKELY(plc_thread_self()->crowd != 0))
        tell_of_crowd(waiter);
    plc_thread_parker_park(&waiter->parker, hooks);
    return true;
}

/* The deadline has passed. False, unless a wake was promised. */
static __attribute__((noinline)) bool leave_or_wait(struct plc_waiting *waiting) {
    if (leave(waiting) == LEFT)
        return false;
    return nap(waiting, PLC_NO_DEADLINE); /* the wake is on its way (L2) */
}

__attribute__((always_inline)) static inline bool sleep_in_queue(struct plc_waiting *waiting, plc_deadline_t deadline) {
    return PLC_LIKELY(nap(waiting, deadline)) || leave_or_wait(waiting);
}

/* Not inlined: the caller's clean-up is tied to these calls, and must cover all that a cancellation can interrupt. */
__attribute__((noinline)) bool plc_waiting_nap(struct plc_waiting *waiting, plc_deadline_t deadline) {
    return nap(waiting, deadline);
}

__attribute__((noinline)) bool plc_waiting_sleep(struct plc_waiting *waiting, plc_deadline_t deadline) {
    return sleep_in_queue(waiting, deadline);
}

/* ---- Torn out: the waiter leaves as if its time had run out at this moment; if it was promised a wake it waits for that
   (L3). What it was woken for, or has taken already, it gives up (L4). */

static void take_back(struct plc_undo *undo) {
    struct plc_waiting *waiting = (struct plc_waiting *)(void *)undo;
    if (!waiting->waiter)
        return;
    enum leaving leaving = waiting->is_queued ? leave(waiting) : LEFT;
    if (leaving == PROMISED)
        plc_thread_parker_park(&waiting->waiter->parker, NULL); /* returns at once if it has come */
    if ((leaving != LEFT || waiting->is_owner) && waiting->resign)
        waiting->resign(waiting);
    plc_watch_end(&waiting->watch, PLC_DEBUG_CANCELLED);
    give_back(waiting);
}

/* ---- Parking */

struct parking {
    struct plc_lot_key key;
    plc_resume resume;
    uintptr_t park_token;
    plc_deadline_t deadline;
};

/* Not inlined: all of it is within the clean-up of its caller (undo.h). */
static __attribute__((noinline)) struct plc_park_result park_within(struct plc_waiting *waiting,
                                                                    const struct parking *parking) {
    struct plc_park_result result = {PLC_PARK_INVALID, 0};
    struct plc_waiter *waiter = waiting->waiter;
    waiter->park_token = parking->park_token;
    if (!enqueue_if_valid(waiting, parking->key))
        return result;
    if (waiting->ops->before_sleep)
        waiting->ops->before_sleep(waiting->context);
    plc_watch_begin(&waiting->watch, parking->key, parking->park_token);
    bool unparked = sleep_in_queue(waiting, parking->deadline);
    result.status = unparked ? PLC_PARK_UNPARKED : PLC_PARK_TIMED_OUT;
    result.token = unparked ? waiter->unpark_token : 0;
    if (unparked)
        learn_company(waiter);
    if (unparked && parking->resume)
        result.token = parking->resume(waiting, result.token);
    plc_watch_end(&waiting->watch, unparked ? PLC_DEBUG_WOKEN : PLC_DEBUG_TIMED_OUT);
    return result;
}

__attribute__((always_inline)) static inline struct plc_park_result
park(const struct parking *parking, const struct plc_park_ops *ops, void *context, plc_resign resign) {
    PLC_WAITING(waiting);
    plc_bucket_table_prepare();
    plc_waiting_begin(&waiting, ops, context, resign);
    struct plc_park_result result = park_within(&waiting, parking);
    plc_waiting_end(&waiting);
    return result;
}

PLC_INLINED_BY_LTO struct plc_park_result plc_lot_park(struct plc_lot_key key, const struct plc_park_ops *ops,
                                                       void *context, uintptr_t park_token, plc_deadline_t deadline) {
    const struct parking parking = {key, NULL, park_token, deadline};
    return park(&parking, ops, context, NULL);
}

PLC_INLINED_BY_LTO struct plc_park_result plc_lot_park_and_resume(struct plc_lot_key key,
                                                                  const struct plc_park_ops *ops, plc_resume resume,
                                                                  plc_resign resign, void *context,
                                                                  uintptr_t park_token, plc_deadline_t deadline) {
    const struct parking parking = {key, resume, park_token, deadline};
    return park(&parking, ops, context, resign);
}
