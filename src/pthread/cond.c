/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_cond_*: private conds on plc_condvar_t, with mutexes of ours or of glibc's; shared conds are glibc's. */
#include "cond.h"

#include "cond_shared.h"
#include "deadlines.h"
#include "mutex.h"
#include "probes.h"
#include "real.h"

#include "sync/condvar.h"

#include <errno.h>
#include <string.h>

/* A wait takes one of these ways:

     cond      mutex                                  way
     private   ours, held once by the caller          plc_condvar's wait, which may requeue onto the mutex
     private   ours, recursive and held n > 1 times   any-lock wait: one level less, as in glibc
     private   glibc's                                any-lock wait around glibc's unlock and lock
     shared    any                                    cond_shared.c

   POSIX lets waiters on one cond use different mutexes one after the other, and programs get away with more; so every
   wait asks plc_condvar to degrade to "any lock" where its own interface would abort. */

static plc_condvar_t *word_of(pthread_cond_t *cond) {
    return (plc_condvar_t *)(void *)cond;
}

/* ---- Cancellation
 *
 * Every wait is a cancellation point: upon entry, and while it sleeps in the kernel. Only there the thread may be cancelled
 * at any instruction, whatever its own type; all else in a wait, the relocking included, is done in the deferred type, which
 * plc_condvar_wait_core_ sees to.
 * A cancellation unwinds the wait: parking_lot/park.c takes the thread out of its queue, sync/condvar.c (I8) passes a
 * notification on that it had been given and takes the mutex again, and the caller's clean-up handlers come after that. */

static void sleep_begins(void *context) {
    (void)context;
    (void)dropin_real()->setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL); /* acts on what is pending */
}

static void sleep_ends(void *context) {
    (void)context;
    (void)dropin_real()->setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
}

static bool wait_cancellably(pthread_cond_t *cond, const struct plc_condvar_request *request) {
    pthread_testcancel();
    return plc_condvar_wait_core_(word_of(cond), request);
}

/* ---- Waiting with any mutex */

struct any_wait {
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
    int error; /* the first one of unlock or lock; EOWNERDEAD belongs to the caller */
    bool is_released;
};

static void any_unlock(void *context) {
    struct any_wait *wait = context;
    wait->error = dropin_mutex_unlock(wait->mutex);
    wait->is_released = wait->error == 0;
    if (!wait->is_released) {
        /* The caller does not hold its mutex: it must not sleep, and it is queued already. Waking all is the way to
           wake it for certain; the others see a spurious wake-up, which POSIX allows. */
        (void)plc_condvar_notify_all(word_of(wait->cond));
    }
}

static void any_lock(void *context) {
    struct any_wait *wait = context;
    if (wait->is_released)
        wait->error = dropin_mutex_lock(wait->mutex);
}

static int wait_any(pthread_cond_t *cond, pthread_mutex_t *mutex, plc_deadline_t deadline) {
    static const struct plc_lock_ops ops = {any_unlock, any_lock};
    struct any_wait wait = {cond, mutex, 0, false};
    const struct plc_condvar_request request = {.ops = &ops,
                                                .lock = &wait,
                                                .deadline = deadline,
                                                .degrade = true,
                                                .wait_begin = sleep_begins,
                                                .wait_end = sleep_ends};
    bool notified = wait_cancellably(cond, &request);
    if (wait.error != 0)
        return wait.error;
    return notified ? 0 : ETIMEDOUT;
}

/* ---- Waiting with a mutex of ours */

struct ownership {
    pthread_mutex_t *mutex;
    int kind;
};

/* Runs when the wait has returned, and also when a cancellation unwinds it: the caller holds the mutex either way. */
static void own_again(struct ownership *ownership) {
    dropin_mutex_own(ownership->mutex);
    if (ownership->kind == PTHREAD_MUTEX_RECURSIVE_NP)
        ownership->mutex->__data.__count = 1;
    DROPIN_PROBE(mutex_acquired, ownership->mutex);
}

static int wait_ours(pthread_cond_t *cond, pthread_mutex_t *mutex, int kind, plc_deadline_t deadline) {
    const struct plc_condvar_request request = {.mutex = dropin_mutex_word(mutex),
                                                .deadline = deadline,
                                                .degrade = true,
                                                .wait_begin = sleep_begins,
                                                .wait_end = sleep_ends};
    __attribute__((cleanup(own_again))) struct ownership ownership = {mutex, kind};
    (void)ownership;
    DROPIN_PROBE(mutex_release, mutex);
    dropin_mutex_disown(mutex);
    return wait_cancellably(cond, &request) ? 0 : ETIMEDOUT;
}

/* May plc_condvar queue the caller for the mutex, which is held? Not before its quiet is over, which only its holder can say
   (sync/mutex_quiet.h). */
static bool may_be_queued_for(pthread_mutex_t *mutex) {
    const uint8_t *quiet = dropin_mutex_quiet(mutex);
    if (PLC_UNLIKELY(plc_load_relaxed(quiet) != PLC_QUIET_OVER) &&
        !dropin_mutex_is_mine(mutex)) /* relaxed: as the holder's */
        return false;
    plc_mutex_end_quiet(dropin_mutex_word(mutex), dropin_mutex_quiet(mutex));
    return true;
}

static int wait_private(pthread_cond_t *cond, pthread_mutex_t *mutex, plc_deadline_t deadline) {
    int kind = dropin_mutex_kind(mutex);
    if (dropin_kind_is_foreign(kind))
        return wait_any(cond, mutex, deadline);
    if (kind < 0 || kind > PTHREAD_MUTEX_ADAPTIVE_NP)
        return EINVAL;
    if (kind == PTHREAD_MUTEX_RECURSIVE_NP || kind == PTHREAD_MUTEX_ERRORCHECK_NP) {
        if (!dropin_mutex_is_mine(mutex))
            return EPERM;
        if (kind == PTHREAD_MUTEX_RECURSIVE_NP && mutex->__data.__count > 1)
            return wait_any(cond, mutex, deadline);
    } else if (PLC_UNLIKELY(!plc_mutex_is_locked(dropin_mutex_word(mutex)))) {
        return wait_any(cond, mutex, deadline); /* nobody holds it: as lenient as glibc */
    }
    if (PLC_UNLIKELY(!may_be_queued_for(mutex)))
        return wait_any(cond, mutex, deadline);
    return wait_ours(cond, mutex, kind, deadline);
}

static int wait_limited(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct dropin_cond_limit *limit) {
    unsigned flags = dropin_cond_flags(cond);
    if (limit->time != NULL && !dropin_time_is_valid(limit->time))
        return EINVAL;
    if (limit->has_clock && !dropin_clock_is_known(limit->clock))
        return EINVAL;
    if ((flags & DROPIN_COND_SHARED) != 0)
        return dropin_cond_shared_wait(cond, mutex, limit);
    DROPIN_PROBE2(cond_wait, cond, mutex);
    dropin_count(DROPIN_COUNT_WAIT);
    if (limit->time == NULL)
        return wait_private(cond, mutex, PLC_NO_DEADLINE);
    clockid_t clock = (flags & DROPIN_COND_MONOTONIC) != 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
    return wait_private(cond, mutex, dropin_deadline(limit->has_clock ? limit->clock : clock, limit->time));
}

int dropin_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex) {
    const struct dropin_cond_limit limit = {NULL, false, CLOCK_REALTIME};
    return wait_limited(cond, mutex, &limit);
}

int dropin_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                          const struct timespec *restrict time) {
    const struct dropin_cond_limit limit = {time, false, CLOCK_REALTIME};
    return wait_limited(cond, mutex, &limit);
}

static int cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
                          const struct timespec *restrict time) {
    const struct dropin_cond_limit limit = {time, true, clock};
    return wait_limited(cond, mutex, &limit);
}

/* ---- Waking */

int dropin_cond_signal(pthread_cond_t *cond) {
    DROPIN_PROBE(cond_signal, cond);
    if (PLC_UNLIKELY((dropin_cond_flags(cond) & DROPIN_COND_SHARED) != 0))
        return dropin_cond_shared_signal(cond);
    dropin_count(DROPIN_COUNT_WAKE);
    (void)plc_condvar_notify_one(word_of(cond));
    return 0;
}

int dropin_cond_broadcast(pthread_cond_t *cond) {
    DROPIN_PROBE(cond_broadcast, cond);
    if (PLC_UNLIKELY((dropin_cond_flags(cond) & DROPIN_COND_SHARED) != 0))
        return dropin_cond_shared_broadcast(cond);
    dropin_count(DROPIN_COUNT_WAKE);
    (void)plc_condvar_notify_all(word_of(cond));
    return 0;
}

/* ---- Birth and death */

int dropin_cond_init(pthread_cond_t *restrict cond, const pthread_condattr_t *restrict attributes) {
    int word = 0;
    DROPIN_PROBE2(cond_init, cond, attributes);
    if (attributes != NULL)
        memcpy(&word, attributes, sizeof word);
    if ((word & DROPIN_CONDATTR_SHARED) != 0)
        return dropin_real()->cond_init(cond, attributes);
    memset(cond, 0, sizeof *cond);
    if (word >> 1 == CLOCK_MONOTONIC)
        cond->__data.__wrefs = DROPIN_COND_MONOTONIC;
    return 0;
}

/* Waiters that were woken no longer look at a cond of ours, so there is nobody to wait for. */
int dropin_cond_destroy(pthread_cond_t *cond) {
    DROPIN_PROBE(cond_destroy, cond);
    if ((dropin_cond_flags(cond) & DROPIN_COND_SHARED) != 0)
        return dropin_real()->cond_destroy(cond);
    return 0;
}

DROPIN_EXPORT(pthread_cond_init, dropin_cond_init);
DROPIN_EXPORT(pthread_cond_destroy, dropin_cond_destroy);
DROPIN_EXPORT(pthread_cond_wait, dropin_cond_wait);
DROPIN_EXPORT(pthread_cond_timedwait, dropin_cond_timedwait);
DROPIN_EXPORT(pthread_cond_clockwait, cond_clockwait);
DROPIN_EXPORT(pthread_cond_signal, dropin_cond_signal);
DROPIN_EXPORT(pthread_cond_broadcast, dropin_cond_broadcast);
DROPIN_EXPORT_STATIC(__pthread_cond_init, dropin_cond_init);
DROPIN_EXPORT_STATIC(__pthread_cond_destroy, dropin_cond_destroy);
DROPIN_EXPORT_STATIC(__pthread_cond_wait, dropin_cond_wait);
DROPIN_EXPORT_STATIC(__pthread_cond_timedwait, dropin_cond_timedwait);
DROPIN_EXPORT_STATIC(__pthread_cond_clockwait, cond_clockwait);
DROPIN_EXPORT_STATIC(__pthread_cond_signal, dropin_cond_signal);
DROPIN_EXPORT_STATIC(__pthread_cond_broadcast, dropin_cond_broadcast);
