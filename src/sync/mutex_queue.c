/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The queue of the one-byte mutex: joining it, inheriting the mutex, handing it over. */
#include "sync/mutex_queue.h"

#include "parking_lot/observer.h"
#include "parking_lot/patience.h"
#include "parking_lot/queue.h"
#include "parking_lot/thread.h"
#include "parking_lot/waiting.h"
#include "parking_lot/wake_list.h"
#include "platform/tuning.h"
#include "sync/mutex_marks.h"
#include "sync/mutex_quiet.h"

/* mutex->state
 *   7  6  5  4  3  2  1  0
 *  [0  0  0  0  0  C  P  L]      L locked   P an unlock must look at the queue   C so it must; who could wait keeps away
 *
 *   C P L   meaning                                                left by
 *   0 0 0   free                                                   lock: CAS to L
 *   0 0 1   held; queue empty, or its heir is awake                unlock: subtracts L; a waiter, under the bucket lock: sets P
 *   0 1 1   held; queue not empty                                  unlock: subtracts L
 *   0 1 0   free; queue not empty                                  any lock: sets L; the heir
 *   1 x 1   held, and claimed by somebody who was beaten for long  unlock: subtracts L; who leaves: clears C
 *   1 x 0   free, and an unlocker is about to serve the claim; or  that unlocker; the task; anybody who comes when the time
 *           reserved for a task, for a short time                  is over; who cannot wait: sets L
 *   others: not a mutex; reported by the slow paths
 *
 * A waiter (guarded by the bucket lock; tasks are in sync/mutex_tasks.c)
 *   state     phase    meaning                                                     left by
 *   QUEUED    NEW      sleeps                                                      an unlock summons it, if it is first
 *   SUMMONED  NEW      the heir, first in the queue: was woken, or is about to     itself; an unlock that finds it stuck,
 *                      be, and has not been here yet (LONG_AGO: found stuck)       or a fair one, hands over without a wake
 *   SUMMONED  ARRIVED  the heir was beaten, or came to a reserved mutex, and       itself; a fair unlock hands over
 *                      naps; P is clear meanwhile
 *   QUEUED    CROWD    was moved here by a broadcast, as the mutex was held        an unlock wakes all of them; or as NEW
 *   QUEUED    QUIET    not to be served yet: mutex_quiet.c                         itself; who ends the quiet makes it NEW
 *   QUEUED    WANTS    was beaten for a slice, claims the mutex and sleeps         an unlock hands over
 *   DEQUEUED  any      the mutex is its own                                        itself
 *
 * The invariants I1 to I6 are in docs/design/mutex.md.
 *
 * Memory order
 *   [M1] unlock's release (subtraction; the stores in plc_mutex_hand_over_ and of a quiet mutex) -> acquire of whoever sets
 *        L: the fast path's and barge's CAS, a quiet mutex's take, and take_or_mark, whether on the caller's own behalf or on
 *        that of the waiter to which it hands over: between the unlocker's release and its hand-over a barger may have been
 *        in and out.
 *   A hand-over goes on by the parker's [P1], or by the bucket lock's [W1] where the heir finds it by itself. The queue,
 *   P and C are the bucket lock's.
 *
 * The algorithm is our own: a designated waker as in nsync and Abseil, hand-over by the waiter's seniority as in CPython,
 * with time slices for barging. */

/* ---- The heir: was woken, and is still first in the queue */

static void spin_while_held(plc_mutex_t *mutex) {
    for (int pauses = 0; pauses < PLC_MUTEX_HEIR_PAUSES; pauses++) {
        if (!(plc_load_relaxed(&mutex->state) & LOCKED)) /* relaxed: looked at again under the bucket lock */
            return;
        plc_cpu_relax();
    }
}

enum verdict {
    MINE,        /* the mutex is ours, and we are out of the queue */
    HANDED_OVER, /* the same, by another thread that has promised a wake */
    GIVE_UP,     /* the deadline has passed, and we are out of the queue */
    NAP,         /* beaten, or kept out: look again soon */
    SLEEP,       /* beaten for a whole slice: sleep until it is handed over */
};

/* With the bucket locked: takes the mutex if it is free, or settles how to wait on. slice_over, too_late: it is that
 * late. In *until: for how long the mutex is reserved for a task, in whose way only who is too late may get; 0: it is not. */
static enum verdict inherit(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiting *waiting, bool slice_over,
                            bool too_late, int64_t *until) {
    struct plc_waiter *waiter = waiting->waiter;
    *until = 0;
    if (waiter->state == PLC_WAITER_DEQUEUED)
        return waiter->phase == ARRIVED ? HANDED_OVER : MINE;
    bool more = has_successor(bucket, waiter, mutex);
    bool kept_out = !too_late && is_reserved(mutex, bucket, until);
    bool claimed = tasks_claim(bucket, mutex);
    slice_over = slice_over && !kept_out; /* nobody sleeps beside a free mutex */
    bool parked_if_held = too_late ? more : slice_over;
    bool claimed_if_held = claimed || (slice_over && !too_late);
    bool taken = false;
    if (kept_out)
        mark(mutex, marks(parked_if_held, claimed_if_held));
    else
        taken = take_or_mark(mutex, marks(more, claimed), marks(parked_if_held, claimed_if_held));
    if (taken || too_late) {
        plc_waiting_take_out(bucket, waiting, taken);
        return taken ? MINE : GIVE_UP;
    }
    waiter->phase = slice_over ? WANTS : ARRIVED;
    waiter->state = slice_over ? PLC_WAITER_QUEUED : PLC_WAITER_SUMMONED;
    plc_thread_parker_prepare_park(&waiter->parker, slice_over);
    return slice_over ? SLEEP : NAP;
}

static void leave_on_time_out(void *context, const void *key, bool was_last) {
    (void)key;
    plc_mutex_waiter_left_(context, was_last);
}

static const struct plc_park_ops leaving = {.timed_out = leave_on_time_out, .flags = PLC_PARK_CANCELLABLE};

/* Waits on in the queue until the mutex is ours, or the deadline has passed. */
static bool be_heir(plc_mutex_t *mutex, struct plc_waiting *waiting, plc_deadline_t deadline) {
    struct plc_waiter *waiter = waiting->waiter;
    int64_t now = 0;
    int64_t slice_end = INT64_MAX; /* its slice begins once it was beaten: most heirs never read the clock */
    int64_t nap = PLC_MUTEX_NAP_NS;
    int64_t until; /* for how long the mutex is reserved for a task, if not 0 */
    for (;;) {
        spin_while_held(mutex);
        struct plc_bucket *bucket = plc_bucket_lock(mutex);
        bool too_late = plc_deadline_has_passed(deadline);
        enum verdict verdict = inherit(mutex, bucket, waiting, now >= slice_end, too_late, &until);
        plc_bucket_unlock(bucket);
        switch (verdict) {
        case HANDED_OVER:
            plc_thread_parker_park(&waiter->parker, NULL); /* the wake has come, or is on its way */
            return true;
        case MINE:
            return true;
        case GIVE_UP:
            return false;
        case SLEEP:
            return plc_waiting_sleep(waiting, deadline);
        case NAP:
            break;
        }
        if (slice_end == INT64_MAX) {
            now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
            slice_end = now + PLC_MUTEX_SLICE_NS;
        }
        plc_deadline_t nap_end = plc_end_of_nap(now, nap, until ? until : slice_end, deadline);
        plc_thread_parker_park_until(&waiter->parker, nap_end, NULL);
        now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
        nap *= 2;
    }
}

/* ---- Joining the queue */

/* With the bucket locked: takes the mutex (true), or joins its queue, as the heir if the mutex is reserved and nobody else
   looks when that is over. */
static bool take_or_join(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiting *waiting,
                         plc_deadline_t deadline) {
    struct plc_waiter *first = first_waiter(bucket, mutex);
    bool is_heir = false;
    bool kept_out = is_kept_out(mutex, bucket, first, deadline, &is_heir);
    bool claimed = claims(first) || tasks_claim(bucket, mutex);
    uint8_t if_held = marks(parked_behind(first) && !is_heir, claimed);
    if (kept_out)
        mark(mutex, if_held);
    else if (take_or_mark(mutex, marks(must_look(bucket, first, mutex), claimed), if_held))
        return true;
    plc_waiting_enqueue(bucket, waiting, key_of_threads(mutex), PLC_PARK_NO_SPIN);
    if (is_heir) {
        waiting->waiter->state = PLC_WAITER_SUMMONED;
        waiting->waiter->phase = ARRIVED;
    }
    return false;
}

/* The same in the quiet. */
static bool take_or_join_quietly(plc_mutex_t *mutex, uint8_t *quiet, struct plc_bucket *bucket,
                                 struct plc_waiting *waiting) {
    if (plc_quiet_take_or_ask(mutex, quiet))
        return true;
    plc_waiting_enqueue(bucket, waiting, key_of_threads(mutex), PLC_PARK_NO_SPIN);
    waiting->waiter->phase = QUIET;
    return false;
}

/* Not inlined: all of it is within the clean-up of its caller (parking_lot/undo.h). */
static __attribute__((noinline)) bool queue_up_within(struct plc_waiting *waiting, plc_mutex_t *mutex, uint8_t *quiet,
                                                      plc_deadline_t deadline) {
    struct plc_bucket *bucket = plc_bucket_lock(mutex);
    bool is_quiet = plc_quiet_lasts(quiet);
    bool owned =
        is_quiet ? take_or_join_quietly(mutex, quiet, bucket, waiting) : take_or_join(mutex, bucket, waiting, deadline);
    bool is_heir = !owned && waiting->waiter->phase == ARRIVED;
    waiting->is_owner = owned;
    plc_bucket_unlock(bucket);
    if (owned)
        return true;
    plc_watch_begin(&waiting->watch, key_of_threads(mutex), 0);
    if (!is_heir)
        owned = is_quiet ? plc_quiet_wait(waiting, mutex, deadline) : plc_waiting_sleep(waiting, deadline);
    if (is_heir || (owned && !waiting->is_owner && waiting->waiter->unpark_token == PLC_MUTEX_TOKEN_SUMMONED))
        owned = be_heir(mutex, waiting, deadline);
    plc_watch_end(&waiting->watch, owned ? PLC_DEBUG_WOKEN : PLC_DEBUG_TIMED_OUT);
    return owned;
}

static void resign(struct plc_waiting *waiting) {
    plc_mutex_resign_(waiting->context, waiting);
}

bool plc_mutex_queue_up_(plc_mutex_t *mutex, uint8_t *quiet, plc_deadline_t deadline) {
    PLC_WAITING(waiting);
    plc_bucket_table_prepare();
    plc_waiting_begin(&waiting, &leaving, mutex, resign);
    bool owned = queue_up_within(&waiting, mutex, quiet, deadline);
    plc_waiting_end(&waiting);
    return owned;
}

uintptr_t plc_mutex_resume_(plc_mutex_t *mutex, struct plc_waiting *waiting, uintptr_t token) {
    if (token != PLC_MUTEX_TOKEN_SUMMONED)
        return token;
    be_heir(mutex, waiting, PLC_NO_DEADLINE);
    return PLC_MUTEX_TOKEN_HANDOFF;
}

/* An heir whose time has run out leaves and looks after the others, or finds the mutex its own: so does one that is torn out.
   Then it is anybody's again, at once: whom the unlock summons comes after this one. */
void plc_mutex_resign_(plc_mutex_t *mutex, struct plc_waiting *waiting) PLC_NO_THREAD_SAFETY_ANALYSIS {
    enum verdict verdict = MINE;
    int64_t until;
    if (waiting->is_queued) {
        struct plc_bucket *bucket = plc_bucket_lock(mutex);
        verdict = inherit(mutex, bucket, waiting, false, true, &until);
        plc_bucket_unlock(bucket);
    }
    if (verdict == HANDED_OVER)
        plc_thread_parker_park(&waiting->waiter->parker, NULL); /* the wake has come, or is on its way */
    if (verdict != GIVE_UP)
        plc_mutex_unlock(mutex);
}

void plc_mutex_waiter_left_(plc_mutex_t *mutex, bool was_last) {
    if (was_last && !tasks_sleep(plc_bucket_locked(mutex), mutex))
        plc_fetch_and_relaxed(&mutex->state, (uint8_t)~PARKED); /* relaxed: carries no data (I1) */
    /* Perhaps the claim was its own. relaxed: C is the bucket lock's */
    if (PLC_UNLIKELY(plc_load_relaxed(&mutex->state) & CLAIMED))
        mark(mutex, marks_for(plc_bucket_locked(mutex), mutex));
}

bool plc_mutex_mark_parked_if_locked_(plc_mutex_t *mutex) {
    bool parked = parked_behind(first_waiter(plc_bucket_locked(mutex), mutex));
    uint8_t state = plc_load_relaxed(&mutex->state); /* relaxed: the CAS checks it */
    while (state & LOCKED) {
        if (!parked || state & PARKED || plc_cas_relaxed_weak(&mutex->state, &state, (uint8_t)(state | PARKED)))
            return true;
    }
    return false;
}

/* ---- Unlocking */

/* With the bucket locked and the mutex held on the waiter's behalf: makes it the waiter's own. Returns it if it must be
   woken; a heir that has not been here yet comes anyway. */
static struct plc_waiter *give(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiter *waiter) {
    bool comes_anyway = waiter->state == PLC_WAITER_SUMMONED && waiter->phase == NEW;
    plc_waiter_take_out(bucket, waiter);
    waiter->state = PLC_WAITER_DEQUEUED;
    plc_thread_self()->handed_over = mutex;
    if (comes_anyway)
        return NULL;
    waiter->unpark_token = PLC_MUTEX_TOKEN_HANDOFF;
    plc_thread_parker_unpark_lock(&waiter->parker);
    return waiter;
}

/* With the bucket locked and the mutex released: hands it over unless a barger has it; that one's unlock comes here
 * again. */
static struct plc_waiter *give_if_free(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiter *waiter) {
    uint8_t if_taken = marks(has_successor(bucket, waiter, mutex), tasks_claim(bucket, mutex));
    if (take_or_mark(mutex, if_taken, marks(true, true)))
        return give(mutex, bucket, waiter);
    if (waiter->phase == NEW)
        waiter->summoned_at = LONG_AGO; /* it claims the mutex from now on */
    return NULL;
}

static struct plc_waiter *summon(struct plc_waiter *waiter) {
    waiter->state = PLC_WAITER_SUMMONED;
    waiter->phase = NEW;
    waiter->summoned_at = 0; /* the clock is read by the first unlock that finds it under way */
    waiter->unpark_token = PLC_MUTEX_TOKEN_SUMMONED;
    plc_thread_parker_unpark_lock(&waiter->parker);
    return waiter;
}

/* It was overtaken once when this is asked first, and its time runs from then on. */
static bool is_stuck(struct plc_waiter *heir) {
    return plc_is_overdue(&heir->summoned_at, PLC_MUTEX_STUCK_NS);
}

/* With the bucket locked: what an unlock does for the first waiter. Returns the thread to wake, if any. */
static struct plc_waiter *serve(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiter *waiter) {
    if (PLC_UNLIKELY(waiter->phase == QUIET))
        return NULL; /* the unlock is that of another mutex, which was here before */
    if (waiter->phase == WANTS)
        return give_if_free(mutex, bucket, waiter);
    if (waiter->state == PLC_WAITER_QUEUED)
        return summon(waiter);
    if (waiter->phase == NEW && is_stuck(waiter))
        return give_if_free(mutex, bucket, waiter);
    return NULL; /* the heir is awake */
}

/* With the bucket locked and the mutex released: takes out those of a broadcast that are first in the queue, and makes P right
   for who is left. That one must be served as well, for nobody knows that one of these will lock the mutex. */
static struct plc_waiter *take_crowd(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_wake_list *crowd) {
    struct plc_waiter *previous = NULL;
    struct plc_waiter *waiter = plc_queue_find_first(bucket, key_of_threads(mutex), &previous);
    while (waiter && waiter->phase == CROWD) {
        plc_queue_remove(bucket, previous, waiter);
        plc_wake_list_add(crowd, bucket, waiter);
        waiter = plc_queue_find(waiter->next, key_of_threads(mutex), &previous);
    }
    if (!must_look(bucket, waiter, mutex))
        plc_fetch_and_relaxed(&mutex->state, (uint8_t)~PARKED); /* relaxed: carries no data (I1) */
    return waiter;
}

/* The bucket is unlocked. A thread's wake is the last access to it. Inlined, as plc_wake_list_wake is. */
__attribute__((always_inline)) static inline void wake(struct plc_waiter *waiter, struct plc_wake_list *crowd,
                                                       plc_waker_t *task) {
    if (waiter)
        plc_waiter_wake(waiter);
    if (PLC_UNLIKELY(crowd->head))
        plc_wake_list_wake(crowd);
    else
        plc_lot_leave();
    if (plc_waker_is_set(task))
        plc_waker_wake(task);
}

void plc_mutex_wake_next_(plc_mutex_t *mutex) {
    struct plc_wake_list crowd = {0};
    struct plc_bucket *bucket = plc_bucket_lock(mutex);
    struct plc_waiter *first = first_waiter(bucket, mutex);
    bool nobody = !first;
    if (first && first->phase == CROWD)
        first = take_crowd(mutex, bucket, &crowd);
    struct plc_waiter *to_wake = first ? serve(mutex, bucket, first) : NULL;
    plc_waker_t task = {NULL, NULL};
    if (PLC_UNLIKELY(bucket->tasks))
        nobody = !plc_mutex_serve_tasks_(mutex, bucket, &task) && nobody;
    plc_bucket_unlock_to_wake(bucket);
    if (nobody)
        plc_thread_self()->stale = mutex;
    wake(to_wake, &crowd, &task);
}

void plc_mutex_hand_over_(plc_mutex_t *mutex) {
    struct plc_waiter *to_wake = NULL;
    struct plc_wake_list nobody = {0};
    plc_waker_t task = {NULL, NULL};
    struct plc_bucket *bucket = plc_bucket_lock(mutex);
    struct plc_waiter *first = first_waiter(bucket, mutex);
    if (first && !tasks_claim(bucket, mutex)) {
        uint8_t left = marks(has_successor(bucket, first, mutex), false);
        plc_store_relaxed(&mutex->state,
                          (uint8_t)(LOCKED | left)); /* relaxed: L stays; P and C are the bucket lock's */
        to_wake = give(mutex, bucket, first);
    } else {
        uint8_t left = marks_for(bucket, mutex);
        plc_store_release(&mutex->state,
                          left); /* release [M1]; the last access, unless somebody keeps the mutex alive */
        to_wake = first ? serve(mutex, bucket, first) : NULL;
        if (left)
            plc_mutex_serve_tasks_(mutex, bucket, &task);
    }
    plc_bucket_unlock_to_wake(bucket);
    wake(to_wake, &nobody, &task);
}

struct plc_waiter *plc_mutex_serve_moved_(plc_mutex_t *mutex) {
    struct plc_bucket *bucket = plc_bucket_locked(mutex);
    struct plc_waiter *first = first_waiter(bucket, mutex);
    if (!parked_behind(first))
        return NULL;                                                           /* its heir is awake (I2) */
    bool held = plc_fetch_or_relaxed(&mutex->state, (uint8_t)PARKED) & LOCKED; /* relaxed: P carries no data */
    return held ? NULL : serve(mutex, bucket, first);
}
