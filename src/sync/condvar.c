/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The condition variable: waiting, and notifying by waking a waiter or by moving it to the mutex's queue. */
#include "sync/condvar.h"

#include "parking_lot/lot.h"
#include "parking_lot/waiting.h"
#include "platform/platform.h"
#include "sync/condvar_tasks.h"
#include "sync/mutex.h"

/* condvar->state, one word
 *   0        nobody waits                                      left by: the first waiter
 *   1 (ANY)  waiters with locks of any type, never requeued    left by: whoever takes the last one out of the queue
 *   other    the address of the mutex that every waiter uses   left by: the same, or degradation to ANY
 *
 * Invariants
 *   I1  The word changes only under the bucket lock.
 *   I2  If a waiter is queued here the word is not 0. The reverse may fail, as the waiters of a forked process are not
 *       in its child; a state that is found to be stale is cleared.
 *   I3  If the word is a mutex, all waiters queued here wait with it.
 *   I4  A waiter that is moved to a mutex's queue leaves PARKED there as the queue needs it, under both bucket locks
 *       (mutex_queue.c, I1 and I2), and follows that queue's rules from then on.
 *   I5  A notification's last access to the condvar is under the bucket lock, before the waiters that it takes are let
 *       go; a waiter does not touch the condvar once it is out of its queue. So the condvar may be freed right after
 *       notify_all has returned, and by a waiter that was woken.
 *   I6  A notification looks at a mutex only under the condvar's bucket lock, and changes it only under both, while the word
 *       names it and a waiter is queued here, who will lock it again and so keeps it alive.
 *   I7  A waiter that was taken out by a notification reports it as such, whatever its deadline.
 *   I8  A waiter that is unwound (cancelled, or a hook threw) leaves as one whose deadline passed at that moment, and holds
 *       its lock again when the unwinding goes on. If it was notified before, it wakes the next waiter in its stead; it
 *       touches the condvar only under the bucket lock and if somebody is queued, who keeps it alive.
 *   I9  Of those who sleep, notify_one takes the one that came first. One that is awake may be taken before it, for at most
 *       PLC_NOTIFY_PASS_NS after this happened to the first one first (parking_lot/notify.c).
 *
 * Memory order
 *   [C1] a waiter's unlock of its lock, after it stored the word -> the notifier's lock of it, before its first look at
 *        the word: a notification cannot miss a waiter that saw the predicate as it was before (notify_* inline). This
 *        is the lock's own edge, the mutex's [M1].
 *   [C2] the store-release of 0 by whoever takes the last waiter out of the queue -> a notification's load-acquire: who
 *        has seen that nobody waits may free the condvar, though no lock orders it after a time-out.
 *   All else is relaxed: the bucket's lock orders it.
 *
 * docs/design/condvar.md explains. The word, and the move to the mutex's queue, are parking_lot's Condvar's; whom a
 * notification takes and whether it moves it is our own. */

/* A state that is no mutex's address: nothing is mapped in the first page. */
#define ANY ((uintptr_t)1)

static struct plc_lot_key key_of(const plc_condvar_t *condvar) {
    return plc_lot_key(condvar, PLC_WAITER_CONDVAR);
}

/* With the bucket locked, as the next two. */
static uintptr_t state_of(const plc_condvar_t *condvar) {
    return plc_load_relaxed(&condvar->state); /* relaxed: the bucket lock orders it */
}

static void set_state(plc_condvar_t *condvar, uintptr_t state) {
    plc_store_relaxed(&condvar->state, state); /* relaxed: the bucket lock and [C1] order it */
}

/* Nobody waits any more: the caller's last access (I5). */
static void set_empty(plc_condvar_t *condvar) {
    plc_store_release(&condvar->state, (uintptr_t)0); /* release [C2] */
}

/* ---- Waiting */

struct waiter {
    struct plc_undo undo;
    plc_condvar_t *condvar;
    const struct plc_condvar_request *request;
    bool requeued;       /* its time ran out in the mutex's queue */
    bool unparked;       /* it was woken by a notification, or by the mutex after one */
    bool mixed;          /* others wait with another lock */
    bool is_asleep;      /* it has let go of its lock, and the wait is not over */
    bool holds_the_lock; /* not yet let go of, handed to it, or taken again */
};

static uintptr_t state_wanted_by(const struct waiter *waiter) {
    return waiter->request->mutex ? (uintptr_t)waiter->request->mutex : ANY;
}

static bool can_join(const struct waiter *waiter, uintptr_t state) {
    return state == state_wanted_by(waiter) || (state == ANY && waiter->request->degrade);
}

/* Runs under the bucket lock, before the thread is queued. */
static bool enter(void *context) {
    struct waiter *waiter = context;
    uintptr_t state = state_of(waiter->condvar);
    if (state == 0)
        set_state(waiter->condvar, state_wanted_by(waiter));
    return state == 0 || can_join(waiter, state);
}

static void unlock(const struct plc_condvar_request *request) PLC_NO_THREAD_SAFETY_ANALYSIS {
    if (request->mutex)
        plc_mutex_unlock(request->mutex);
    else
        request->ops->unlock(request->lock);
}

/* Runs when the thread is queued: from here on no notification can miss it. */
static void release_lock(void *context) PLC_NO_THREAD_SAFETY_ANALYSIS {
    struct waiter *waiter = context;
    waiter->holds_the_lock = false;
    plc_fence_compiler();    /* a handler that jumps away must not let go of it twice */
    unlock(waiter->request); /* release [C1] */
    waiter->is_asleep = true;
}

/* Runs under the bucket lock of `key`, when the deadline has passed and the thread has left that queue. */
static void give_up(void *context, const void *key, bool was_last) {
    struct waiter *waiter = context;
    waiter->requeued = key != waiter->condvar;
    if (waiter->requeued)
        plc_mutex_waiter_left_(waiter->request->mutex, was_last);
    else if (was_last)
        set_empty(waiter->condvar);
}

static void hook_begin(void *context) {
    const struct plc_condvar_request *request = ((const struct waiter *)context)->request;
    request->wait_begin(request->hook_context);
}

static void hook_end(void *context) {
    const struct plc_condvar_request *request = ((const struct waiter *)context)->request;
    request->wait_end(request->hook_context);
}

static const struct plc_park_ops park_plainly = {.validate = enter, .before_sleep = release_lock, .timed_out = give_up};
static const struct plc_park_ops park_with_hooks = {.validate = enter,
                                                    .before_sleep = release_lock,
                                                    .timed_out = give_up,
                                                    .wait_begin = hook_begin,
                                                    .wait_end = hook_end};

static enum plc_filter_op leave_all(void *context, uintptr_t park_token) {
    (void)context;
    (void)park_token;
    return PLC_FILTER_STOP;
}

/* Runs under the bucket lock, where it is certain whether anybody waits with the lock that the word names. */
static uintptr_t settle(void *context, struct plc_unpark_result result) {
    struct waiter *waiter = context;
    uintptr_t state = state_of(waiter->condvar);
    if (!result.have_more)
        set_empty(waiter->condvar); /* stale (I2) */
    else if (!can_join(waiter, state) && waiter->request->degrade)
        set_state(waiter->condvar, ANY);
    else
        waiter->mixed = !can_join(waiter, state);
    return 0;
}

static void resolve_conflict(struct waiter *waiter) {
    plc_lot_unpark_filter(key_of(waiter->condvar), leave_all, settle, waiter);
    if (waiter->mixed)
        plc_os_fatal("condvar", waiter->condvar, "wait with one lock while other threads wait on it with another");
}

static void lock_again(struct waiter *waiter) PLC_NO_THREAD_SAFETY_ANALYSIS {
    const struct plc_condvar_request *request = waiter->request;
    if (waiter->holds_the_lock)
        return;
    if (request->mutex)
        plc_mutex_lock(request->mutex);
    else
        request->ops->lock(request->lock);
    waiter->holds_the_lock = true;
}

/* Runs before the thread's node is given back: requeued and first, the thread takes the mutex while it is still
   queued. */
static uintptr_t take_mutex_if_summoned(struct plc_waiting *waiting, uintptr_t token) {
    struct waiter *waiter = waiting->context;
    if (waiter->request->mutex)
        token = plc_mutex_resume_(waiter->request->mutex, waiting, token);
    waiter->unparked = true;
    waiter->holds_the_lock = waiter->request->mutex && token == PLC_MUTEX_TOKEN_HANDOFF;
    return token;
}

/* ---- Torn out of the wait: by unwinding, or by a jump out of a signal handler (parking_lot/undo.h) */

/* Runs in place of the former. Woken as a waiter of the mutex, the thread is one of its heirs, or holds it. */
static void resign_from_mutex(struct plc_waiting *waiting) {
    struct waiter *waiter = waiting->context;
    waiter->unparked = true;
    if (waiting->is_owner || waiting->waiter->unpark_token != PLC_MUTEX_TOKEN_NORMAL) {
        waiter->holds_the_lock = false;
        plc_mutex_resign_(waiter->request->mutex, waiting);
    }
}

/* Runs under the bucket lock. A waiter that is queued keeps the condvar alive; if there is none, it may be gone (I5). */
static uintptr_t conclude_if_somebody_waits(void *context, struct plc_unpark_result result) {
    if (result.unparked != 0 && !result.have_more)
        set_empty(context);
    return PLC_MUTEX_TOKEN_NORMAL;
}

/* The caller never learns of a notification that this waiter was given: it goes to the next one (I8). */
static void pass_on(const struct waiter *waiter) {
    if (waiter->unparked || waiter->requeued)
        plc_condvar_pass_on_(waiter->condvar);
}

/* The thread jumps away from the wait: without its lock, wherever it was. */
static void jump_out(struct plc_undo *undo) {
    const struct waiter *waiter = (const struct waiter *)(const void *)undo;
    pass_on(waiter);
    if (waiter->holds_the_lock)
        unlock(waiter->request);
}

/* Runs when the wait is over, and also when it is unwound: then with its lock, unless it never let go of it. */
static void finish_if_unwound(struct waiter *waiter) {
    if (PLC_LIKELY(!waiter->undo.action))
        return;
    plc_undo_pop(&waiter->undo);
    pass_on(waiter);
    if (waiter->is_asleep)
        lock_again(waiter);
    plc_os_reset_deferrals(waiter->undo.deferrals);
}

/* Not inlined: all of it is within the clean-up of its caller. */
static __attribute__((noinline)) bool wait_within(struct waiter *waiter) {
    const struct plc_condvar_request *request = waiter->request;
    plc_condvar_t *condvar = waiter->condvar;
    const struct plc_park_ops *ops = request->wait_begin ? &park_with_hooks : &park_plainly;
    struct plc_park_result result;
    for (;;) {
        /* The park token tells whoever looks at a mutex's queue which condvar a waiter came from. */
        result = plc_lot_park_and_resume(key_of(condvar), ops, take_mutex_if_summoned, resign_from_mutex, waiter,
                                         (uintptr_t)condvar, request->deadline);
        if (PLC_LIKELY(result.status != PLC_PARK_INVALID))
            break;
        resolve_conflict(waiter);
    }
    lock_again(waiter);
    return result.status == PLC_PARK_UNPARKED || waiter->requeued;
}

/* Inlined, as all is that is left to do when the thread has slept: nap in parking_lot/park.c says why. */
__attribute__((always_inline)) static inline bool wait_core(plc_condvar_t *condvar,
                                                            const struct plc_condvar_request *request) {
    __attribute__((cleanup(finish_if_unwound))) struct waiter waiter = {
        .condvar = condvar, .request = request, .holds_the_lock = true};
    plc_undo_push(&waiter.undo, jump_out);
    if (request->wait_begin)
        plc_os_defer_cancellation();
    bool notified = wait_within(&waiter);
    plc_os_reset_deferrals(waiter.undo.deferrals);
    plc_undo_pop(&waiter.undo);
    return notified;
}

bool plc_condvar_wait_core_(plc_condvar_t *condvar, const struct plc_condvar_request *request) {
    return wait_core(condvar, request);
}

bool plc_condvar_wait_slow_(plc_condvar_t *condvar, plc_mutex_t *mutex, plc_deadline_t deadline) {
    const struct plc_condvar_request request = {.mutex = mutex, .deadline = deadline};
    return wait_core(condvar, &request);
}

bool plc_condvar_wait_any_until(plc_condvar_t *condvar, const struct plc_lock_ops *ops, void *lock,
                                plc_deadline_t deadline) {
    const struct plc_condvar_request request = {.ops = ops, .lock = lock, .deadline = deadline};
    return wait_core(condvar, &request);
}

/* ---- For tasks (condvar_tasks.c) */

bool plc_condvar_enter_(plc_condvar_t *condvar, plc_mutex_t *mutex) {
    const struct plc_condvar_request request = {.mutex = mutex};
    struct waiter waiter = {.condvar = condvar, .request = &request};
    return enter(&waiter);
}

void plc_condvar_settle_(plc_condvar_t *condvar, plc_mutex_t *mutex) {
    const struct plc_condvar_request request = {.mutex = mutex};
    struct waiter waiter = {.condvar = condvar, .request = &request};
    resolve_conflict(&waiter);
}

void plc_condvar_set_empty_(plc_condvar_t *condvar) {
    set_empty(condvar);
}

void plc_condvar_pass_on_(plc_condvar_t *condvar) {
    plc_lot_unpark_one(key_of(condvar), conclude_if_somebody_waits, condvar);
}

/* ---- Notifying */

struct notification {
    plc_condvar_t *condvar;
    plc_mutex_t *mutex; /* which the word named at first, or null if it was ANY */
    bool outdated;      /* the word says something else by now */
};

/* Under the condvar's bucket lock, and with somebody queued there (I6); or under both, when P is made right for who is moved. */
static bool is_held(plc_mutex_t *mutex, bool both_locked) {
    return both_locked ? plc_mutex_mark_parked_if_locked_(mutex) : plc_mutex_is_locked(mutex);
}

/* Runs under the bucket lock, or under both. A waiter that sleeps beside a held mutex would be woken just to block again,
   and take the processor from the notifier meanwhile: it is moved. One that wakes up on another processor, or has not
   slept yet, finds the mutex free as often as not. */
static enum plc_notify_op choose(void *context, struct plc_candidate candidate, bool both_locked) {
    struct notification *notification = context;
    if (!notification->mutex)
        return PLC_NOTIFY_WAKE; /* right for everybody, also for one who came since and could be moved */
    notification->outdated = state_of(notification->condvar) != (uintptr_t)notification->mutex;
    if (notification->outdated)
        return PLC_NOTIFY_NONE;
    if (candidate.is_awake || !candidate.is_nearby)
        return PLC_NOTIFY_WAKE;
    return is_held(notification->mutex, both_locked) ? PLC_NOTIFY_MOVE : PLC_NOTIFY_WAKE;
}

/* Runs under the bucket lock, after the waiters were taken and before any is let go: the last access to the condvar
   (I5). */
static uintptr_t conclude(void *context, struct plc_unpark_result result) {
    if (!result.have_more)
        set_empty(context);
    return PLC_MUTEX_TOKEN_NORMAL;
}

static uintptr_t conclude_choice(void *context, struct plc_unpark_result result) {
    return conclude(((const struct notification *)context)->condvar, result);
}

static const struct plc_notify_ops notify_ops = {.choose = choose, .conclude = conclude_choice};

/* The condvar is touched again only if nobody was let go, as the one who was waiting has gone already. */
bool plc_condvar_notify_one_slow_(plc_condvar_t *condvar) {
    struct plc_unpark_result result;
    struct notification notification;
    do {
        uintptr_t state = plc_load_acquire(&condvar->state); /* acquire [C2] */
        if (state == 0)
            return false;
        notification = (struct notification){.condvar = condvar, .mutex = state == ANY ? NULL : (plc_mutex_t *)state};
        result = plc_lot_notify_one(key_of(condvar), plc_lot_key(notification.mutex, PLC_WAITER_MUTEX), &notify_ops,
                                    &notification);
    } while (notification.outdated);
    return result.unparked + result.requeued != 0;
}

static enum plc_filter_op take(void *context, uintptr_t park_token) {
    (void)context;
    (void)park_token;
    return PLC_FILTER_UNPARK;
}

/* Runs under the bucket lock, or under both. If all wait with the mutex that the word named at first, many are moved to its
   queue, be it held or not, and a few if it is held: they would only spin for it, or sleep again. Its unlock wakes them all. */
static bool may_move_all(void *context, bool many, bool both_locked) {
    struct notification *notification = context;
    if (state_of(notification->condvar) != (uintptr_t)notification->mutex)
        return false;
    return many || is_held(notification->mutex, both_locked);
}

static struct plc_waiter *serve_moved(void *context) {
    return plc_mutex_serve_moved_(((const struct notification *)context)->mutex);
}

static const struct plc_notify_all_ops notify_all_ops = {
    .may_move = may_move_all, .many_moved = serve_moved, .phase_of_few = PLC_MUTEX_CROWD, .conclude = conclude_choice};

/* Wakes all at once, now or by the mutex's unlock; or one after the other, if they are many. */
size_t plc_condvar_notify_all_slow_(plc_condvar_t *condvar) {
    uintptr_t state = state_of(condvar); /* the bucket is not locked yet: looked at again when it is */
    if (state == ANY)                    /* right for everybody, as above */
        return plc_lot_unpark_filter(key_of(condvar), take, conclude, condvar).unparked;
    struct notification notification = {.condvar = condvar, .mutex = (plc_mutex_t *)state};
    struct plc_unpark_result result = plc_lot_notify_all(
        key_of(condvar), plc_lot_key(notification.mutex, PLC_WAITER_MUTEX), &notify_all_ops, &notification);
    return result.unparked + result.requeued;
}
