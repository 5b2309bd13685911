/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_mutex_* of libplc_pthread_debug.so: the drop-in's own, with observers around them. */
#include "observed_mutex.h"

#include "../layout.h"
#include "../mutex.h"
#include "limit.h"
#include "observe.h"
#include "plain.h"
#include "torn.h"

#include <errno.h>

/* A lock is tried first, as the plain function does it, too; only if the mutex is busy the observers hear of a wait,
   and the plain function waits. All results are the plain functions': they are passed on as they are, for glibc's
   own kinds as well. */

/* The type alone, of our kinds and of glibc's. */
static int type_of(const pthread_mutex_t *mutex) {
    return dropin_mutex_kind(mutex) & 3;
}

/* Locking one's own error-checking mutex is an error, at once, and not a wait. */
static bool is_refused(const pthread_mutex_t *mutex) {
    return PLC_UNLIKELY(type_of(mutex) == PTHREAD_MUTEX_ERRORCHECK_NP) && dropin_mutex_is_mine(mutex);
}

static bool is_taken(int error) {
    return error == 0 || PLC_UNLIKELY(error == EOWNERDEAD);
}

static void tell_taken(const pthread_mutex_t *mutex, unsigned flags, const void *caller) {
    int kind = dropin_mutex_kind(mutex);
    if (PLC_UNLIKELY((kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP) && mutex->__data.__count > 1)
        flags |= OBSERVE_AGAIN;
    observe_acquired(mutex, OBSERVE_MUTEX, kind, flags, caller);
}

static int lock_plainly(pthread_mutex_t *mutex, const struct observe_limit *limit) {
    switch (limit->kind) {
    case OBSERVE_TIMED:
        return dropin_plain_pthread_mutex_timedlock(mutex, limit->time);
    case OBSERVE_CLOCK:
        return dropin_plain_pthread_mutex_clocklock(mutex, limit->clock, limit->time);
    case OBSERVE_FOR_EVER:
    default:
        return dropin_plain_pthread_mutex_lock(mutex);
    }
}

static __attribute__((noinline)) int wait(pthread_mutex_t *mutex, const struct observe_limit *limit,
                                          const void *caller) {
    __attribute__((cleanup(observe_torn_unwind))) struct observe_torn torn = {.object = mutex, .mode = OBSERVE_MUTEX};
    torn.begin = observe_wait_begin(mutex, OBSERVE_MUTEX, limit->kind != OBSERVE_FOR_EVER, caller);
    observe_torn_begin(&torn);
    int error = lock_plainly(mutex, limit);
    observe_torn_end(&torn);
    observe_wait_end(mutex, OBSERVE_MUTEX, torn.begin, is_taken(error));
    if (is_taken(error))
        tell_taken(mutex, OBSERVE_CONTENDED | observe_limit_flags(limit), caller);
    return error;
}

static inline int lock_observed(pthread_mutex_t *mutex, const struct observe_limit *limit, const void *caller) {
    if (is_refused(mutex))
        return lock_plainly(mutex, limit);
    int error = dropin_plain_pthread_mutex_trylock(mutex);
    if (PLC_UNLIKELY(error == EBUSY))
        return wait(mutex, limit, caller);
    if (is_taken(error))
        tell_taken(mutex, observe_limit_flags(limit), caller);
    return error;
}

int observed_mutex_lock(pthread_mutex_t *mutex) {
    const struct observe_limit limit = {OBSERVE_FOR_EVER, CLOCK_REALTIME, NULL};
    return observe_is_on() ? lock_observed(mutex, &limit, OBSERVE_CALLER()) : dropin_plain_pthread_mutex_lock(mutex);
}

int observed_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict time) {
    const struct observe_limit limit = {OBSERVE_TIMED, CLOCK_REALTIME, time};
    return observe_is_on() ? lock_observed(mutex, &limit, OBSERVE_CALLER()) : lock_plainly(mutex, &limit);
}

static int observed_mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t clock,
                                    const struct timespec *restrict time) {
    const struct observe_limit limit = {OBSERVE_CLOCK, clock, time};
    /* A clock that is none is an error even if the mutex is free. */
    bool is_known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
    return is_known && observe_is_on() ? lock_observed(mutex, &limit, OBSERVE_CALLER()) : lock_plainly(mutex, &limit);
}

int observed_mutex_trylock(pthread_mutex_t *mutex) {
    int error = dropin_plain_pthread_mutex_trylock(mutex);
    if (is_taken(error) && observe_is_on())
        tell_taken(mutex, OBSERVE_TRY, OBSERVE_CALLER());
    return error;
}

/* ---- Unlock */

bool observed_mutex_gives_up(pthread_mutex_t *mutex) {
    int kind = dropin_mutex_kind(mutex);
    if (PLC_LIKELY(kind == PTHREAD_MUTEX_TIMED_NP || kind == PTHREAD_MUTEX_ADAPTIVE_NP))
        return plc_load_relaxed(&mutex->__data.__owner) != 0 || plc_mutex_is_locked(dropin_mutex_word(mutex));
    if (kind < 0 || !dropin_mutex_is_mine(mutex))
        return false;
    return type_of(mutex) != PTHREAD_MUTEX_RECURSIVE_NP || mutex->__data.__count <= 1;
}

int observed_mutex_unlock(pthread_mutex_t *mutex) {
    if (observe_is_on() && observed_mutex_gives_up(mutex))
        observe_released(mutex, OBSERVE_MUTEX);
    return dropin_plain_pthread_mutex_unlock(mutex);
}

/* ---- Birth and death */

int observed_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
    int error = dropin_plain_pthread_mutex_init(mutex, attributes);
    if (error == 0 && observe_is_on())
        observe_created(mutex, OBSERVE_MUTEX_TYPE, dropin_mutex_kind(mutex), OBSERVE_CALLER());
    return error;
}

int observed_mutex_destroy(pthread_mutex_t *mutex) {
    int error = dropin_plain_pthread_mutex_destroy(mutex);
    if (error == 0 && observe_is_on())
        observe_destroyed(mutex, OBSERVE_MUTEX_TYPE);
    return error;
}

/* ---- What only glibc's kinds have */

static int observed_mutex_consistent(pthread_mutex_t *mutex) {
    return dropin_plain_pthread_mutex_consistent(mutex);
}

static int observed_mutex_getprioceiling(const pthread_mutex_t *restrict mutex, int *restrict ceiling) {
    return dropin_plain_pthread_mutex_getprioceiling(mutex, ceiling);
}

static int observed_mutex_setprioceiling(pthread_mutex_t *restrict mutex, int ceiling, int *restrict old_ceiling) {
    return dropin_plain_pthread_mutex_setprioceiling(mutex, ceiling, old_ceiling);
}

DROPIN_EXPORT(pthread_mutex_init, observed_mutex_init);
DROPIN_EXPORT(pthread_mutex_destroy, observed_mutex_destroy);
DROPIN_EXPORT(pthread_mutex_lock, observed_mutex_lock);
DROPIN_EXPORT(pthread_mutex_trylock, observed_mutex_trylock);
DROPIN_EXPORT(pthread_mutex_timedlock, observed_mutex_timedlock);
DROPIN_EXPORT(pthread_mutex_clocklock, observed_mutex_clocklock);
DROPIN_EXPORT(pthread_mutex_unlock, observed_mutex_unlock);
DROPIN_EXPORT(pthread_mutex_consistent, observed_mutex_consistent);
DROPIN_EXPORT(pthread_mutex_getprioceiling, observed_mutex_getprioceiling);
DROPIN_EXPORT(pthread_mutex_setprioceiling, observed_mutex_setprioceiling);
DROPIN_EXPORT(__pthread_mutex_init, observed_mutex_init);
DROPIN_EXPORT(__pthread_mutex_destroy, observed_mutex_destroy);
DROPIN_EXPORT(__pthread_mutex_lock, observed_mutex_lock);
DROPIN_EXPORT(__pthread_mutex_trylock, observed_mutex_trylock);
DROPIN_EXPORT(__pthread_mutex_unlock, observed_mutex_unlock);
