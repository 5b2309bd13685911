/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the scenarios of the quiet mutex share: the mutex, what is always true of it, and what threads do with it. */
#ifndef PLC_MODEL_MUTEX_QUIET_H
#define PLC_MODEL_MUTEX_QUIET_H

#include <plc/condvar.h>

#include "lot.h"
#include "sync/mutex_queue.h"
#include "sync/mutex_quiet.h"

/* Freed together, as the one object that they are part of. */
static struct {
    plc_mutex_t mutex;
    uint8_t quiet;
} lock;
static plc_condvar_t condvar;
static int counter, successes;
static bool ready;

/* ---- In every state: src/sync/mutex_quiet.c, Q1; and mutex_queue.c's I1 and I2 once the quiet is over */

static inline void quiet_is_right(void) {
    const struct plc_bucket *bucket = plc_bucket_locked(&lock.mutex);
    const struct plc_waiter *first = NULL;
    bool is_over = lock.quiet == PLC_QUIET_OVER;
    MC_ASSERT(is_over || !(lock.mutex.state & PLC_MUTEX_PARKED_)); /* Q1 */
    if (lot_is_locked(bucket))
        return;
    for (const struct plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next) {
        if (!plc_waiter_matches(waiter, plc_lot_key(&lock.mutex, PLC_WAITER_MUTEX)))
            continue;
        if (!is_over)
            MC_ASSERT(lock.quiet == PLC_QUIET_ASKED && waiter->state == PLC_WAITER_QUEUED && waiter->phase == QUIET);
        MC_ASSERT(!is_over || waiter->phase != QUIET);
        if (!first)
            first = waiter;
    }
    if (lock.mutex.state & PLC_MUTEX_PARKED_)
        MC_ASSERT(first); /* I1 */
    else if (first && is_over)
        MC_ASSERT(first->state == PLC_WAITER_SUMMONED && first->phase == ARRIVED); /* I2 */
}

static inline void take(void) {
    plc_mutex_lock_quiet(&lock.mutex, &lock.quiet);
}

/* With naps: after two of them, on the clock that can be set, which is the other one in the model. */
static inline plc_deadline_t quite_soon(void) {
#ifdef NAPS
    plc_deadline_t deadline = plc_deadline_after_ns(15);
    deadline.clock = PLC_CLOCK_REALTIME;
    return deadline;
#else
    return soon();
#endif
}

static inline bool take_soon(void) {
    return plc_mutex_lock_quiet_until(&lock.mutex, &lock.quiet, quite_soon());
}

static inline void give_back(void) {
    plc_mutex_unlock_quiet(&lock.mutex, &lock.quiet);
}

static inline void count_once(int self) {
    (void)self;
    take();
    counter++;
    give_back();
}

static inline void free_again(void) {
    MC_ASSERT(lock.mutex.state == 0);
    lot_must_be_empty();
}

/* T0 never waits for long. */
static inline void one_gives_up(int self) {
    if (self) {
        count_once(self);
    } else if (take_soon()) {
        counter++;
        successes++;
        give_back();
    }
}

static inline void others_and_successes(void) {
    MC_ASSERT(counter == mc_thread_count() - 1 + successes);
    free_again();
}

/* ---- Freed by its next owner */

static int users;
static bool gone;

static inline void last_one_frees(int self) {
    (void)self;
    take();
    bool last = ++users == mc_thread_count();
    give_back();
    if (last) {
        gone = true;
        mc_lifetime_end(&lock, sizeof lock);
    }
}

static inline void was_freed(void) {
    MC_ASSERT(gone);
    lot_must_be_empty();
}

/* ---- A condvar's waiters may be moved to the mutex */

static inline void wait_until_ready(void) {
    take();
    while (!ready) {
        plc_mutex_end_quiet(&lock.mutex, &lock.quiet);
        plc_condvar_wait(&condvar, &lock.mutex);
    }
    counter++;
    give_back();
}

static inline void notify_under_lock(int self) {
    if (self == 0) {
        wait_until_ready();
    } else {
        take();
        ready = true;
        plc_condvar_notify_one(&condvar);
        counter++;
        give_back();
    }
}

/* Time passes by naps, or by a jump where these have no length. */
#ifdef NAPS
#define TIME_PASSES .clock_jumps = 0
#else
#define TIME_PASSES .clock_jumps = 1
#endif

#endif
