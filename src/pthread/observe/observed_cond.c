/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_cond_* of libplc_pthread_debug.so: the drop-in's own, with observers around them. */
#include "observed_cond.h"

#include "../deadlines.h"
#include "../layout.h"
#include "limit.h"
#include "observe.h"
#include "observed_mutex.h"
#include "plain.h"
#include "torn.h"

#include <errno.h>

/* A wait gives its mutex up, waits for the cond, and takes the mutex again; that is what the observers are told. How
   the time is divided between the last two nobody can say: a waiter may be moved from the cond's queue to the
   mutex's while it sleeps. */

struct wait {
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
    uint64_t begin;
    const void *caller;
    bool gives_up; /* the mutex is free meanwhile; not so if a recursive one is held several times */
    bool is_woken;
    struct observe_torn torn; /* only jumps: what unwinds comes to end() */
};

/* Runs when the wait has returned, and also when a cancellation unwinds it; the mutex is held again in both cases. */
static void end(struct wait *wait) {
    observe_torn_end(&wait->torn);
    observe_cond_wait_end(wait->cond, wait->mutex, wait->begin, wait->is_woken);
    if (wait->gives_up)
        observe_acquired(wait->mutex, OBSERVE_MUTEX, dropin_mutex_kind(wait->mutex), OBSERVE_AFTER_COND, wait->caller);
}

static int wait_plainly(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct observe_limit *limit) {
    switch (limit->kind) {
    case OBSERVE_TIMED:
        return dropin_plain_pthread_cond_timedwait(cond, mutex, limit->time);
    case OBSERVE_CLOCK:
        return dropin_plain_pthread_cond_clockwait(cond, mutex, limit->clock, limit->time);
    case OBSERVE_FOR_EVER:
    default:
        return dropin_plain_pthread_cond_wait(cond, mutex);
    }
}

/* Bad times and clocks are refused at once: no wait, and the mutex stays held. */
static bool is_valid(const struct observe_limit *limit) {
    return (limit->kind == OBSERVE_FOR_EVER || dropin_time_is_valid(limit->time)) &&
           (limit->kind != OBSERVE_CLOCK || dropin_clock_is_known(limit->clock));
}

static int wait_observed(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct observe_limit *limit,
                         const void *caller) {
    if (!observe_is_on() || !is_valid(limit))
        return wait_plainly(cond, mutex, limit);
    bool gives_up = observed_mutex_gives_up(mutex);
    if (gives_up)
        observe_released(mutex, OBSERVE_MUTEX);
    uint64_t begin = observe_cond_wait_begin(cond, mutex, limit->kind != OBSERVE_FOR_EVER, caller);
    __attribute__((cleanup(end))) struct wait wait = {cond, mutex, begin, caller, gives_up, false, {.object = cond}};
    wait.torn.mutex = mutex;
    wait.torn.begin = begin;
    observe_torn_begin(&wait.torn);
    int error = wait_plainly(cond, mutex, limit);
    wait.is_woken = error == 0 || error == EOWNERDEAD;
    return error;
}

int observed_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex) {
    const struct observe_limit limit = {OBSERVE_FOR_EVER, CLOCK_REALTIME, NULL};
    return wait_observed(cond, mutex, &limit, OBSERVE_CALLER());
}

int observed_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                            const struct timespec *restrict time) {
    const struct observe_limit limit = {OBSERVE_TIMED, CLOCK_REALTIME, time};
    return wait_observed(cond, mutex, &limit, OBSERVE_CALLER());
}

static int observed_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
                                   const struct timespec *restrict time) {
    const struct observe_limit limit = {OBSERVE_CLOCK, clock, time};
    return wait_observed(cond, mutex, &limit, OBSERVE_CALLER());
}

/* ---- Waking: told before, for the cond may be gone afterwards */

int observed_cond_signal(pthread_cond_t *cond) {
    if (observe_is_on())
        observe_cond_notified(cond, false, OBSERVE_CALLER());
    return dropin_plain_pthread_cond_signal(cond);
}

int observed_cond_broadcast(pthread_cond_t *cond) {
    if (observe_is_on())
        observe_cond_notified(cond, true, OBSERVE_CALLER());
    return dropin_plain_pthread_cond_broadcast(cond);
}

/* ---- Birth and death */

int observed_cond_init(pthread_cond_t *restrict cond, const pthread_condattr_t *restrict attributes) {
    int error = dropin_plain_pthread_cond_init(cond, attributes);
    if (error == 0 && observe_is_on())
        observe_created(cond, OBSERVE_COND_TYPE, 0, OBSERVE_CALLER());
    return error;
}

int observed_cond_destroy(pthread_cond_t *cond) {
    int error = dropin_plain_pthread_cond_destroy(cond);
    if (error == 0 && observe_is_on())
        observe_destroyed(cond, OBSERVE_COND_TYPE);
    return error;
}

DROPIN_EXPORT(pthread_cond_init, observed_cond_init);
DROPIN_EXPORT(pthread_cond_destroy, observed_cond_destroy);
DROPIN_EXPORT(pthread_cond_wait, observed_cond_wait);
DROPIN_EXPORT(pthread_cond_timedwait, observed_cond_timedwait);
DROPIN_EXPORT(pthread_cond_clockwait, observed_cond_clockwait);
DROPIN_EXPORT(pthread_cond_signal, observed_cond_signal);
DROPIN_EXPORT(pthread_cond_broadcast, observed_cond_broadcast);
