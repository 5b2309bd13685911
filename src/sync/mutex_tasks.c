/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait for the one-byte mutex, in the same queue as the threads. */
#include "sync/mutex_tasks.h"

#include "parking_lot/patience.h"
#include "platform/platform.h"
#include "platform/tuning.h"
#include "sync/mutex.h"
#include "sync/mutex_marks.h"

/* A task is queued under a kind of its own, so that all that the threads do, and all that sync/mutex_queue.c says of them,
 * is as if no task were there, but for P and C.
 *
 * A task (guarded by the bucket lock)
 *   state     phase     meaning                                                       left by
 *   QUEUED    NEW       sleeps                                                        an unlock summons it
 *   QUEUED    WANTS     sleeps; was beaten for a slice and claims the mutex: C is set an unlock reserves the mutex for it
 *   SUMMONED  NEW       its waker was taken; or was kept out by a reservation and     its poll
 *                       has woken itself
 *   SUMMONED  RESERVED  its waker was taken; until PLC_MUTEX_RESERVE_NS after         its poll; who comes too late (LATE)
 *                       summoned_at nobody who could wait takes the mutex: C is set
 *   SUMMONED  LATE      its waker was taken; it did not come in that time             its poll
 * waiting_since is when it was first beaten; passed_over_since is how long it has to be before it claims the mutex, if it was
 * ever late: twice as long each time.
 *
 *   M1  P is set exactly if an unlock has to look: somebody is queued, a thread or a task that sleeps, and the first
 *       thread, if there is one, is not an ARRIVED heir, who looks by itself.
 *   M2  If the mutex is free while a task sleeps, then an unlocker is on its way to the bucket, or a thread has been summoned
 *       (it takes the mutex, and then its unlock looks, or it makes P right), or another task has been and was not polled yet.
 *       That one takes the mutex or finds it held, and whoever holds it will look; or passes its wake on when it is
 *       cancelled; or is found overdue by the next unlock.
 *   M3  Threads never rely on tasks: an unlock that wakes a task serves the first thread as well, and a thread that a reservation
 *       keeps out is awake until that is over, or is behind one that is.
 *   M4  At most one task is RESERVED. A reservation follows a poll that was beaten, and each poll is followed by at most one.
 *
 * docs/design/async.md argues for them. Memory order: sync/mutex_queue.c. */

enum task_phase {
    TASK_NEW = 0,
    TASK_WANTS,
    TASK_RESERVED,
    TASK_LATE,
};

#define LONGEST_SLICE_NS                                                                                               \
    (INT64_C(1024) * PLC_MUTEX_SLICE_NS) /* for a task that was late again and again: half a second */

static struct plc_lot_key key_of(const plc_mutex_t *mutex) {
    return plc_lot_key(mutex, PLC_WAITER_MUTEX_TASK);
}

/* ---- For those who work on the queue. The bucket is locked. */

/* The first of the mutex's tasks from this waiter on; null: none. */
static struct plc_waiter *task_from(struct plc_waiter *waiter, const plc_mutex_t *mutex) {
    struct plc_waiter *previous = NULL;
    return plc_queue_find(waiter, key_of(mutex), &previous);
}

static bool is_claimed(const plc_mutex_t *mutex) {
    return plc_load_relaxed(&mutex->state) & CLAIMED; /* relaxed: changes only under the bucket lock */
}

static struct plc_waiter *first_that_wants(const struct plc_bucket *bucket, const plc_mutex_t *mutex) {
    struct plc_waiter *task = task_from(bucket->head, mutex);
    while (task && task->phase != TASK_WANTS)
        task = task_from(task->next, mutex);
    return task;
}

static struct plc_waiter *reserved_one(const struct plc_bucket *bucket, const plc_mutex_t *mutex) {
    struct plc_waiter *task = task_from(bucket->head, mutex);
    while (task && task->phase != TASK_RESERVED)
        task = task_from(task->next, mutex);
    return task;
}

bool plc_mutex_tasks_claim_(const struct plc_bucket *bucket, const plc_mutex_t *mutex) {
    return is_claimed(mutex) && (first_that_wants(bucket, mutex) || reserved_one(bucket, mutex));
}

static int64_t reserved_until(const struct plc_waiter *task) {
    return task->summoned_at + PLC_MUTEX_RESERVE_NS;
}

enum plc_mutex_claim plc_mutex_claim_of_tasks_(const plc_mutex_t *mutex, struct plc_bucket *bucket, int64_t *until) {
    if (!is_claimed(mutex))
        return PLC_MUTEX_UNCLAIMED;
    struct plc_waiter *task = reserved_one(bucket, mutex);
    if (!task)
        return first_that_wants(bucket, mutex) ? PLC_MUTEX_WANTED : PLC_MUTEX_UNCLAIMED;
    if (plc_os_now_ns(PLC_CLOCK_MONOTONIC) >= reserved_until(task)) {
        task->phase = TASK_LATE;
        return PLC_MUTEX_LAPSED;
    }
    *until = reserved_until(task);
    return PLC_MUTEX_RESERVED;
}

/* The first task that waits before any thread and has not been woken in vain; in *any whether there is any task. */
static struct plc_waiter *first_of_use(const struct plc_bucket *bucket, const plc_mutex_t *mutex, bool *any) {
    struct plc_waiter *waiter = bucket->head;
    for (; waiter; waiter = waiter->next) {
        if (waiter->address != mutex)
            continue;
        if (waiter->kind == PLC_WAITER_MUTEX)
            return NULL;
        if (waiter->kind != PLC_WAITER_MUTEX_TASK)
            continue;
        *any = true;
        if (waiter->state == PLC_WAITER_QUEUED || !plc_is_overdue(&waiter->summoned_at, PLC_MUTEX_STUCK_NS))
            break;
    }
    return waiter;
}

static bool is_locked(const plc_mutex_t *mutex) {
    return plc_load_relaxed(&mutex->state) & LOCKED; /* relaxed: who has it by now looks at P when it unlocks */
}

/* Clears P and C if nobody needs them (M1, I6). They are set by who joins, or was beaten. */
static void clear_idle_marks(plc_mutex_t *mutex, struct plc_bucket *bucket) {
    /* relaxed: they change only under the bucket lock, and carry no data */
    const uint8_t set = plc_load_relaxed(&mutex->state) & (PARKED | CLAIMED);
    const uint8_t needed = set ? marks_for(bucket, mutex) : 0;
    if (set & ~needed)
        plc_fetch_and_relaxed(&mutex->state, (uint8_t)(LOCKED | needed));
}

/* Which task is to be woken, if it sleeps? None, if the mutex is reserved for one that was woken. */
static struct plc_waiter *next_task(plc_mutex_t *mutex, struct plc_bucket *bucket, bool *any) {
    int64_t until;
    struct plc_waiter *task = NULL;
    if (plc_mutex_claim_of_tasks_(mutex, bucket, &until) != PLC_MUTEX_RESERVED) {
        task = is_claimed(mutex) ? first_that_wants(bucket, mutex) : NULL;
        if (!task)
            return first_of_use(bucket, mutex, any);
    }
    *any = true;
    return task;
}

bool plc_mutex_serve_tasks_(plc_mutex_t *mutex, struct plc_bucket *bucket, plc_waker_t *to_wake) {
    bool any = false;
    struct plc_waiter *task = next_task(mutex, bucket, &any);
    if (task && task->state == PLC_WAITER_QUEUED && !is_locked(mutex)) {
        *to_wake = plc_task_take_waker(task);
        task->state = PLC_WAITER_SUMMONED;
        task->summoned_at = 0; /* the clock is read by the first unlock that finds it under way */
        if (task->phase == TASK_WANTS) {
            task->phase = TASK_RESERVED;
            task->summoned_at = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
        }
    }
    if (any)
        clear_idle_marks(mutex, bucket);
    return any;
}

/* ---- Polling */

/* The mutex is the task's: it leaves the queue. */
static enum plc_poll finish(plc_mutex_t *mutex, struct plc_waiter *task) {
    if (task->use != PLC_TASK_IDLE) {
        struct plc_bucket *bucket = plc_bucket_lock(mutex);
        plc_waker_t old = plc_task_take_waker(task);
        if (plc_task_is_queued(task))
            plc_task_remove(bucket, task);
        clear_idle_marks(mutex, bucket);
        plc_bucket_unlock(bucket);
        task->use = PLC_TASK_IDLE;
        plc_waker_drop(&old);
    }
    return PLC_POLL_READY;
}

/* ---- Claiming: a task that is polled each time that it is woken, and soon, is beaten for a slice only. */

/* The task was beaten, when it was polled in this phase: does it claim the mutex from now on? */
static bool has_earned_it(struct plc_waiter *task, uint8_t phase) {
    if (phase == TASK_WANTS)
        return true;
    if (task->state != PLC_WAITER_SUMMONED)
        return false; /* nobody told it to come */
    const int64_t now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    if (phase == TASK_RESERVED && now < reserved_until(task))
        return true; /* somebody who could not wait took it */
    if (phase != TASK_NEW) {
        const int64_t slice = task->passed_over_since ? task->passed_over_since : PLC_MUTEX_SLICE_NS;
        task->waiting_since = now;
        task->passed_over_since = slice < LONGEST_SLICE_NS ? 2 * slice : slice;
        return false;
    }
    if (task->waiting_since == 0)
        task->waiting_since = now;
    return now - task->waiting_since >= (task->passed_over_since ? task->passed_over_since : PLC_MUTEX_SLICE_NS);
}

enum outcome { MINE, QUEUED, KEPT_OUT, NEEDS_WAKER };

/* With the bucket locked: takes the mutex unless others claim it, or makes P and C right for a task that is going to sleep; or
   leaves them, if it is to come again when a reservation is over. The task may be queued, or not yet. */
static enum outcome take_or_claim(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiter *task,
                                  bool is_queued) {
    int64_t until;
    const uint8_t phase = is_queued ? task->phase : TASK_NEW;
    const bool has_claimed = phase == TASK_WANTS || phase == TASK_RESERVED;
    task->phase = TASK_NEW; /* what follows is about the others */
    const enum plc_mutex_claim claim = plc_mutex_claim_of_tasks_(mutex, bucket, &until);
    if (claim == PLC_MUTEX_RESERVED)
        return KEPT_OUT;
    const struct plc_waiter *first = first_waiter(bucket, mutex);
    const bool claimed = claims(first) || tasks_claim(bucket, mutex);
    /* If it is free all the same, then an unlocker is on its way. */
    const bool waits_its_turn = claims(first) || (claim == PLC_MUTEX_WANTED && !has_claimed);
    const uint8_t as_it_is = plc_load_relaxed(&mutex->state) & (PARKED | CLAIMED); /* relaxed: the bucket lock's */
    const uint8_t if_taken = marks(as_it_is & PARKED, claimed);
    if (!waits_its_turn && take_or_mark(mutex, if_taken, as_it_is))
        return MINE;
    const bool wants = is_queued && has_earned_it(task, phase);
    const uint8_t if_held = marks(parked_behind(first), claimed || wants);
    if (waits_its_turn)
        mark(mutex, if_held);
    else if (take_or_mark(mutex, if_taken, if_held))
        return MINE;
    task->phase = wants ? TASK_WANTS : TASK_NEW;
    return QUEUED;
}

/* With the bucket locked: takes the mutex, or waits in the queue, in the place that it has or at the end, with the waker
   that is there already or with *waker, in place of which it leaves the old one. */
static enum outcome take_or_sleep(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiter *task,
                                  const plc_waker_t *wanted, plc_waker_t *waker) {
    const bool is_queued = task->use != PLC_TASK_IDLE && plc_task_is_queued(task);
    const bool has_waker = is_queued && plc_task_has_waker(task, wanted);
    if (!has_waker && !plc_waker_is_set(waker))
        return NEEDS_WAKER;
    const enum outcome outcome = take_or_claim(mutex, bucket, task, is_queued);
    if (outcome == MINE)
        return MINE;
    if (!is_queued)
        plc_task_enqueue(bucket, task, key_of(mutex));
    task->state = outcome == QUEUED ? PLC_WAITER_QUEUED : PLC_WAITER_SUMMONED;
    task->summoned_at = 0;
    if (outcome == KEPT_OUT)
        clear_idle_marks(mutex, bucket);
    if (!has_waker)
        plc_task_swap_waker(task, waker);
    return outcome;
}

enum plc_poll plc_mutex_poll_(plc_mutex_t *mutex, struct plc_waiter *task, const plc_waker_t *wanted,
                              enum plc_task_use use) {
    plc_waker_t waker = {NULL, NULL};
    enum outcome outcome = NEEDS_WAKER;
    if (plc_mutex_barge(mutex))
        return finish(mutex, task);
    if (task->use == PLC_TASK_IDLE)
        waker = plc_waker_clone(wanted);
    plc_bucket_table_prepare();
    while (outcome == NEEDS_WAKER) {
        struct plc_bucket *bucket = plc_bucket_lock(mutex);
        outcome = take_or_sleep(mutex, bucket, task, wanted, &waker);
        plc_bucket_unlock(bucket);
        if (outcome == NEEDS_WAKER)
            waker = plc_waker_clone(wanted);
    }
    plc_waker_drop(&waker);
    if (outcome == MINE)
        return finish(mutex, task);
    task->use = (uint8_t)use;
    if (outcome == KEPT_OUT)
        plc_waker_wake_by_ref(wanted); /* nobody else would wake it when the reservation is over */
    return PLC_POLL_PENDING;
}

enum plc_poll plc_mutex_lock_async_(plc_mutex_t *mutex, plc_async_waiter_t *node, const plc_waker_t *waker) {
    struct plc_waiter *task = plc_task_of(node);
    plc_task_must_be(task, PLC_TASK_LOCKS_MUTEX, mutex);
    return plc_mutex_poll_(mutex, task, waker, PLC_TASK_LOCKS_MUTEX);
}

/* ---- Giving up */

void plc_mutex_forget_task_(plc_mutex_t *mutex, struct plc_waiter *task) {
    plc_waker_t next = {NULL, NULL};
    struct plc_bucket *bucket = plc_bucket_lock(mutex);
    plc_waker_t old = plc_task_take_waker(task);
    if (plc_task_is_queued(task)) {
        bool had_wake = task->state == PLC_WAITER_SUMMONED;
        plc_task_remove(bucket, task);
        if (had_wake)
            plc_mutex_serve_tasks_(mutex, bucket, &next);
        clear_idle_marks(mutex, bucket);
    }
    plc_bucket_unlock(bucket);
    plc_waker_drop(&old);
    if (plc_waker_is_set(&next))
        plc_waker_wake(&next);
}
