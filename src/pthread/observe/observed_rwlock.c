/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_rwlock_* of libplc_pthread_debug.so: the drop-in's own, with observers around them. */
#include "../deadlines.h"
#include "../layout.h"
#include "../real.h"
#include "../thread.h"
#include "limit.h"
#include "observe.h"
#include "plain.h"
#include "torn.h"

#include <plc/rwlock.h>

#include <errno.h>

/* As for the mutex: try as the plain function does, and tell of a wait only if that fails. Reading has a try of its
   own, because pthread_rwlock_tryrdlock passes a waiting writer, which a first attempt of pthread_rwlock_rdlock must
   not. */

static bool is_foreign(const pthread_rwlock_t *rwlock) {
    return PLC_UNLIKELY(rwlock->__data.__shared != 0);
}

/* The lock is its caller's to write already: an error, at once, and not a wait. */
static bool is_refused(const pthread_rwlock_t *rwlock) {
    int writer =
        plc_load_relaxed(&rwlock->__data.__cur_writer); /* relaxed: compared with the thread's own number only */
    return PLC_UNLIKELY(writer != 0) && writer == dropin_tid();
}

static int kind_of(const pthread_rwlock_t *rwlock) {
    return (int)rwlock->__data.__flags;
}

static int lock_plainly(pthread_rwlock_t *rwlock, enum observe_mode mode, const struct observe_limit *limit) {
    bool reads = mode == OBSERVE_READ;
    switch (limit->kind) {
    case OBSERVE_TIMED:
        return reads ? dropin_plain_pthread_rwlock_timedrdlock(rwlock, limit->time)
                     : dropin_plain_pthread_rwlock_timedwrlock(rwlock, limit->time);
    case OBSERVE_CLOCK:
        return reads ? dropin_plain_pthread_rwlock_clockrdlock(rwlock, limit->clock, limit->time)
                     : dropin_plain_pthread_rwlock_clockwrlock(rwlock, limit->clock, limit->time);
    case OBSERVE_FOR_EVER:
    default:
        return reads ? dropin_plain_pthread_rwlock_rdlock(rwlock) : dropin_plain_pthread_rwlock_wrlock(rwlock);
    }
}

/* The first step of the plain function, which does not wait: EBUSY if it would have to. */
static int try_first(pthread_rwlock_t *rwlock, enum observe_mode mode) {
    if (mode == OBSERVE_WRITE)
        return dropin_plain_pthread_rwlock_trywrlock(rwlock);
    if (is_foreign(rwlock))
        return dropin_plain_pthread_rwlock_tryrdlock(rwlock);
    if (!plc_rwlock_try_read_lock((plc_rwlock_t *)(void *)rwlock))
        return EBUSY;
    dropin_thread.read_locks++;
    return 0;
}

static __attribute__((noinline)) int wait(pthread_rwlock_t *rwlock, enum observe_mode mode,
                                          const struct observe_limit *limit, const void *caller) {
    __attribute__((cleanup(observe_torn_unwind))) struct observe_torn torn = {.object = rwlock, .mode = mode};
    torn.begin = observe_wait_begin(rwlock, mode, limit->kind != OBSERVE_FOR_EVER, caller);
    observe_torn_begin(&torn);
    int error = lock_plainly(rwlock, mode, limit);
    observe_torn_end(&torn);
    observe_wait_end(rwlock, mode, torn.begin, error == 0);
    if (error == 0)
        observe_acquired(rwlock, mode, kind_of(rwlock), OBSERVE_CONTENDED | observe_limit_flags(limit), caller);
    return error;
}

/* Times and clocks are looked at before the lock. */
static bool is_valid(const struct observe_limit *limit) {
    return limit->kind == OBSERVE_FOR_EVER ||
           (dropin_time_is_valid(limit->time) && (limit->kind != OBSERVE_CLOCK || dropin_clock_is_known(limit->clock)));
}

static inline int lock_observed(pthread_rwlock_t *rwlock, enum observe_mode mode, const struct observe_limit *limit,
                                const void *caller) {
    if (!observe_is_on() || is_refused(rwlock) || !is_valid(limit))
        return lock_plainly(rwlock, mode, limit);
    int error = try_first(rwlock, mode);
    if (PLC_UNLIKELY(error == EBUSY))
        return wait(rwlock, mode, limit, caller);
    if (error == 0)
        observe_acquired(rwlock, mode, kind_of(rwlock), observe_limit_flags(limit), caller);
    return error;
}

/* ---- Reading */

static int observed_rdlock(pthread_rwlock_t *rwlock) {
    const struct observe_limit limit = {OBSERVE_FOR_EVER, CLOCK_REALTIME, NULL};
    return lock_observed(rwlock, OBSERVE_READ, &limit, OBSERVE_CALLER());
}

static int observed_timedrdlock(pthread_rwlock_t *restrict rwlock, const struct timespec *restrict time) {
    const struct observe_limit limit = {OBSERVE_TIMED, CLOCK_REALTIME, time};
    return lock_observed(rwlock, OBSERVE_READ, &limit, OBSERVE_CALLER());
}

static int observed_clockrdlock(pthread_rwlock_t *restrict rwlock, clockid_t clock,
                                const struct timespec *restrict time) {
    const struct observe_limit limit = {OBSERVE_CLOCK, clock, time};
    return lock_observed(rwlock, OBSERVE_READ, &limit, OBSERVE_CALLER());
}

static int observed_tryrdlock(pthread_rwlock_t *rwlock) {
    int error = dropin_plain_pthread_rwlock_tryrdlock(rwlock);
    if (error == 0 && observe_is_on())
        observe_acquired(rwlock, OBSERVE_READ, kind_of(rwlock), OBSERVE_TRY, OBSERVE_CALLER());
    return error;
}

/* ---- Writing */

static int observed_wrlock(pthread_rwlock_t *rwlock) {
    const struct observe_limit limit = {OBSERVE_FOR_EVER, CLOCK_REALTIME, NULL};
    return lock_observed(rwlock, OBSERVE_WRITE, &limit, OBSERVE_CALLER());
}

static int observed_timedwrlock(pthread_rwlock_t *restrict rwlock, const struct timespec *restrict time) {
    const struct observe_limit limit = {OBSERVE_TIMED, CLOCK_REALTIME, time};
    return lock_observed(rwlock, OBSERVE_WRITE, &limit, OBSERVE_CALLER());
}

static int observed_clockwrlock(pthread_rwlock_t *restrict rwlock, clockid_t clock,
                                const struct timespec *restrict time) {
    const struct observe_limit limit = {OBSERVE_CLOCK, clock, time};
    return lock_observed(rwlock, OBSERVE_WRITE, &limit, OBSERVE_CALLER());
}

static int observed_trywrlock(pthread_rwlock_t *rwlock) {
    int error = dropin_plain_pthread_rwlock_trywrlock(rwlock);
    if (error == 0 && observe_is_on())
        observe_acquired(rwlock, OBSERVE_WRITE, kind_of(rwlock), OBSERVE_TRY, OBSERVE_CALLER());
    return error;
}

/* ---- Unlocking: while there is a writer nobody reads, so any writer at all says how it is held. */

static int observed_rwlock_unlock(pthread_rwlock_t *rwlock) {
    if (observe_is_on()) {
        bool is_written = plc_load_relaxed(&rwlock->__data.__cur_writer) != 0; /* relaxed: the caller holds the lock */
        if (is_written || is_foreign(rwlock) || plc_rwlock_is_locked((plc_rwlock_t *)(void *)rwlock))
            observe_released(rwlock, is_written ? OBSERVE_WRITE : OBSERVE_READ);
    }
    return dropin_plain_pthread_rwlock_unlock(rwlock);
}

/* ---- Birth and death */

static int observed_rwlock_init(pthread_rwlock_t *restrict rwlock, const pthread_rwlockattr_t *restrict attributes) {
    int error = dropin_plain_pthread_rwlock_init(rwlock, attributes);
    if (error == 0 && observe_is_on())
        observe_created(rwlock, OBSERVE_RWLOCK_TYPE, kind_of(rwlock), OBSERVE_CALLER());
    return error;
}

static int observed_rwlock_destroy(pthread_rwlock_t *rwlock) {
    int error = dropin_plain_pthread_rwlock_destroy(rwlock);
    if (error == 0 && observe_is_on())
        observe_destroyed(rwlock, OBSERVE_RWLOCK_TYPE);
    return error;
}

DROPIN_EXPORT(pthread_rwlock_init, observed_rwlock_init);
DROPIN_EXPORT(pthread_rwlock_destroy, observed_rwlock_destroy);
DROPIN_EXPORT(pthread_rwlock_rdlock, observed_rdlock);
DROPIN_EXPORT(pthread_rwlock_wrlock, observed_wrlock);
DROPIN_EXPORT(pthread_rwlock_tryrdlock, observed_tryrdlock);
DROPIN_EXPORT(pthread_rwlock_trywrlock, observed_trywrlock);
DROPIN_EXPORT(pthread_rwlock_timedrdlock, observed_timedrdlock);
DROPIN_EXPORT(pthread_rwlock_timedwrlock, observed_timedwrlock);
DROPIN_EXPORT(pthread_rwlock_clockrdlock, observed_clockrdlock);
DROPIN_EXPORT(pthread_rwlock_clockwrlock, observed_clockwrlock);
DROPIN_EXPORT(pthread_rwlock_unlock, observed_rwlock_unlock);
DROPIN_EXPORT(__pthread_rwlock_init, observed_rwlock_init);
DROPIN_EXPORT(__pthread_rwlock_destroy, observed_rwlock_destroy);
DROPIN_EXPORT(__pthread_rwlock_rdlock, observed_rdlock);
DROPIN_EXPORT(__pthread_rwlock_wrlock, observed_wrlock);
DROPIN_EXPORT(__pthread_rwlock_tryrdlock, observed_tryrdlock);
DROPIN_EXPORT(__pthread_rwlock_trywrlock, observed_trywrlock);
DROPIN_EXPORT(__pthread_rwlock_unlock, observed_rwlock_unlock);
