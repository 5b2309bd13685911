/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The quiet time of a mutex: nobody has had to queue for it yet, and it is unlocked by a plain store. How that ends. */
#include "sync/mutex_quiet.h"

#include "parking_lot/patience.h"
#include "parking_lot/queue.h"
#include "parking_lot/waiting.h"
#include "platform/tuning.h"
#include "sync/mutex_queue.h"

/* An unlock by a store cannot see that somebody has set P, and would wipe it out. So nobody sets P while the mutex may be
 * unlocked like that. Who has to queue *asks*; and whoever holds the mutex ends the quiet, which nobody else could do without
 * stopping an unlock that is between its look and its store.
 *
 *   quiet   the byte beside the mutex                          left by
 *   LASTS   an unlock stores 0                                 a waiter that queues, under the bucket lock: ASKED; who holds
 *                                                              the mutex and is going to wait on a condvar: OVER
 *   ASKED   somebody is, or was, queued; P is clear            the next unlock that sees it, or who holds the mutex: OVER,
 *                                                              and P if somebody is queued, under the bucket lock
 *   OVER    a mutex like any other (mutex_queue.c)             never
 *
 *   In the quiet the mutex's own byte is 0 or L, and there is neither an heir nor one that WANTS it: even an unlock that comes
 *   to the bucket late, of a mutex that was at this address before, leaves waiters of the phase QUIET alone. They *nap*, for an
 *   unlock that looked before ASKED was there wakes nobody. The naps double, so that such an unlock, if it was held up between
 *   its look and its store, is noticed after about as long as that took.
 *
 * Invariants
 *   Q1  While the quiet is not over P is clear, and the mutex's byte changes by 0 -> L and L -> 0 only.
 *   Q2  The byte quiet changes only under the bucket lock; to OVER only by who holds the mutex, before it begins to unlock.
 *   Q3  An unlock that stores has seen LASTS. So it belongs to a time before OVER, and its store is older than any P: OVER is
 *       handed on with the mutex [M1] to all later holders, none of whom stores; and P is set by those who know of OVER from
 *       its author, by the bucket lock or by having held the mutex since, and so after all earlier holders' stores.
 *   Q4  Whoever is queued in the quiet looks by itself, at the latest when a nap of PLC_QUIET_LONGEST_NAP_NS is over. Nearly
 *       always it need not: the unlock sees ASKED and does for it what any unlock does.
 *   Q5  Once the quiet is over all that mutex_queue.c says is true: who ends it makes P right for the queue (I1, I2).
 *
 * Memory order: the mutex's [M1] and the bucket lock's [W1], nothing else. The unlock's look at quiet is relaxed for Q3 and
 * Q4; no fence is needed for either, nor a processor's promise about how soon a store is seen. The argument needs one unlock for
 * each lock, and that whoever unlocks knows of the lock, as any mutex does.
 *
 * Our own. The idea that a lock is cheaper while one thread alone has it is that of biased locks (Kawachiya's lock reservation,
 * Java's biased locking); there the thread is stopped to take its right away, and here the holder gives it up itself. */

static struct plc_lot_key key_of(const plc_mutex_t *mutex) {
    return plc_lot_key(mutex, PLC_WAITER_MUTEX);
}

/* In the quiet P is clear: free means 0 (Q1). */
static bool take(plc_mutex_t *mutex) {
    uint8_t free_state = 0;
    return plc_cas_acquire(&mutex->state, &free_state, (uint8_t)LOCKED); /* acquire [M1] */
}

bool plc_quiet_take_or_ask(plc_mutex_t *mutex, uint8_t *quiet) {
    if (take(mutex))
        return true;
    plc_store_relaxed(quiet, (uint8_t)PLC_QUIET_ASKED); /* relaxed: a request, which may be seen late (Q4) */
    return false;
}

void plc_mutex_end_quiet_slow_(plc_mutex_t *mutex, uint8_t *quiet) {
    struct plc_bucket *bucket = plc_bucket_lock(mutex);
    bool somebody_waits = false;
    for (struct plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next) {
        if (plc_waiter_matches(waiter, key_of(mutex))) {
            waiter->phase = NEW;
            somebody_waits = true;
        }
    }
    plc_store_relaxed(quiet, (uint8_t)PLC_QUIET_OVER); /* relaxed: handed on by [M1] and the bucket's lock (Q3) */
    if (somebody_waits)
        plc_fetch_or_relaxed(&mutex->state, (uint8_t)PARKED); /* relaxed: P carries no data */
    plc_bucket_unlock(bucket);
}

/* ---- Waiting in the quiet */

enum look {
    MINE,    /* the mutex is ours, and we are out of the queue */
    OVER,    /* the quiet is: P sees to it that we are woken, or we have been */
    GIVE_UP, /* the deadline has passed, and we are out of the queue */
    NAP,     /* still held */
};

/* With the bucket locked. */
static enum look look_at(plc_mutex_t *mutex, struct plc_bucket *bucket, struct plc_waiting *waiting, bool too_late) {
    if (waiting->waiter->phase != QUIET)
        return OVER;
    bool taken = take(mutex);
    if (!taken && !too_late)
        return NAP;
    if (!taken)
        plc_thread_parker_timed_out(&waiting->waiter->parker);
    plc_waiting_take_out(bucket, waiting, taken);
    return taken ? MINE : GIVE_UP;
}

static enum look look_after_nap(plc_mutex_t *mutex, struct plc_waiting *waiting, plc_deadline_t deadline) {
    plc_os_yield(); /* first the holder, if our waking up has put it off this processor */
    bool too_late = plc_deadline_has_passed(deadline);
    if (!too_late && plc_load_relaxed(&mutex->state) == LOCKED) /* relaxed: looked at again, here or in the bucket */
        return NAP;
    struct plc_bucket *bucket = plc_bucket_lock(mutex);
    enum look look = look_at(mutex, bucket, waiting, too_late);
    plc_bucket_unlock(bucket);
    return look;
}

static plc_deadline_t end_of_nap(int64_t nap, plc_deadline_t deadline) {
    return plc_end_of_nap(plc_os_now_ns(PLC_CLOCK_MONOTONIC), nap, INT64_MAX, deadline);
}

static int64_t longest_nap(plc_deadline_t deadline) {
    bool follows_the_clock = deadline.clock == PLC_CLOCK_REALTIME && !plc_deadline_is_never(deadline);
    return follows_the_clock ? plc_earlier(PLC_QUIET_LONGEST_NAP_NS, PLC_QUIET_LONGEST_REALTIME_NAP_NS)
                             : PLC_QUIET_LONGEST_NAP_NS;
}

bool plc_quiet_wait(struct plc_waiting *waiting, plc_mutex_t *mutex, plc_deadline_t deadline) {
    int64_t nap = PLC_QUIET_NAP_NS;
    while (!plc_waiting_nap(waiting, end_of_nap(nap, deadline))) {
        switch (look_after_nap(mutex, waiting, deadline)) {
        case MINE:
            return true;
        case OVER:
            return plc_waiting_sleep(waiting, deadline);
        case GIVE_UP:
            return false;
        case NAP:
            nap = plc_earlier(nap * 2, longest_nap(deadline));
            break;
        }
    }
    return true;
}
