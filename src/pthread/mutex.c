/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_mutex_*: normal, adaptive, recursive and errorcheck mutexes on plc_mutex_t; all others are glibc's. */
#include "mutex.h"

#include "deadlines.h"
#include "probes.h"
#include "real.h"

#include <errno.h>
#include <string.h>

/* What an unlocked, held or destroyed mutex of ours looks like:

     __lock byte   __owner   __count   __kind    meaning
     0             0         0         as set    free
     LOCKED|x      tid       0         0, 2, 3   held by tid (LOCKED is set first and cleared last)
     LOCKED|x      tid       n >= 1    1         held n times by tid
     any           any       any       -1        destroyed

   Until somebody has to queue for it, a mutex is unlocked by a plain store (sync/mutex_quiet.h).
   The owner and the count are written by the holder only, so they need no order of their own: the word's does. */

static inline bool is_plain(int kind) {
    return kind == PTHREAD_MUTEX_TIMED_NP || kind == PTHREAD_MUTEX_ADAPTIVE_NP;
}

/* ---- Lock */

/* One more time for a recursive mutex that the caller holds. */
static int enter_again(pthread_mutex_t *mutex) {
    if (mutex->__data.__count == UINT32_MAX)
        return EAGAIN;
    mutex->__data.__count++;
    dropin_count(DROPIN_COUNT_MUTEX);
    return 0;
}

static void own_first_time(pthread_mutex_t *mutex, int kind) {
    dropin_mutex_own(mutex);
    if (kind == PTHREAD_MUTEX_RECURSIVE_NP)
        mutex->__data.__count = 1;
    dropin_count(DROPIN_COUNT_MUTEX);
}

/* All that pthread_mutex_lock does not do itself: waiting, and the other kinds. */
static __attribute__((noinline)) int lock_slow(pthread_mutex_t *mutex) {
    int kind = dropin_mutex_kind(mutex);
    if (!is_plain(kind)) {
        if (kind == PTHREAD_MUTEX_RECURSIVE_NP) {
            if (dropin_mutex_is_mine(mutex))
                return enter_again(mutex);
        } else if (kind == PTHREAD_MUTEX_ERRORCHECK_NP) {
            if (dropin_mutex_is_mine(mutex))
                return EDEADLK;
        } else if (dropin_kind_is_foreign(kind)) {
            dropin_count(DROPIN_COUNT_GLIBC);
            return dropin_real()->mutex_lock(mutex);
        } else {
            return EINVAL;
        }
    }
    plc_mutex_lock_quiet(dropin_mutex_word(mutex), dropin_mutex_quiet(mutex));
    own_first_time(mutex, kind);
    DROPIN_PROBE(mutex_acquired, mutex);
    return 0;
}

/* Takes a free mutex of the normal kind, without an atomic operation if there is only one thread. */
static inline bool take_free(plc_mutex_t *word) {
    uint8_t free_state = 0;
    if (!dropin_is_single_threaded())
        return plc_cas_acquire(&word->state, &free_state, PLC_MUTEX_LOCKED_);
    if (plc_load_relaxed(&word->state) != 0) /* relaxed, here and below: one thread */
        return false;
    plc_store_relaxed(&word->state, (uint8_t)PLC_MUTEX_LOCKED_);
    return true;
}

int dropin_mutex_lock(pthread_mutex_t *mutex) {
    DROPIN_PROBE(mutex_entry, mutex);
    /* plc_mutex_lock's own first step, taken here so that the common way out makes no call and saves no register. */
    if (PLC_LIKELY(dropin_mutex_kind(mutex) == PTHREAD_MUTEX_TIMED_NP) &&
        PLC_LIKELY(take_free(dropin_mutex_word(mutex)))) {
        dropin_mutex_own(mutex);
        dropin_count(DROPIN_COUNT_MUTEX);
        DROPIN_PROBE(mutex_acquired, mutex);
        return 0;
    }
    return lock_slow(mutex);
}

int dropin_mutex_trylock(pthread_mutex_t *mutex) {
    int kind = dropin_mutex_kind(mutex);
    if (kind == PTHREAD_MUTEX_RECURSIVE_NP && dropin_mutex_is_mine(mutex))
        return enter_again(mutex);
    if (dropin_kind_is_foreign(kind)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->mutex_trylock(mutex);
    }
    if (PLC_UNLIKELY(kind < 0 || kind > PTHREAD_MUTEX_ADAPTIVE_NP))
        return EINVAL;
    /* An unlock by a store costs a look nothing, so there is no need to guess whether one is worth it (plc/detail/last_try.h). */
    if (plc_mutex_is_locked(dropin_mutex_word(mutex)) || !plc_mutex_try_lock(dropin_mutex_word(mutex)))
        return EBUSY;
    own_first_time(mutex, kind);
    return 0;
}

/* For our kinds; the clock is known. As in glibc, the time is looked at only if the mutex is not free. */
static int lock_until(pthread_mutex_t *mutex, int kind, clockid_t clock, const struct timespec *time) {
    if (kind == PTHREAD_MUTEX_RECURSIVE_NP && dropin_mutex_is_mine(mutex))
        return enter_again(mutex);
    if (kind == PTHREAD_MUTEX_ERRORCHECK_NP && dropin_mutex_is_mine(mutex))
        return EDEADLK;
    if (kind < 0 || kind > PTHREAD_MUTEX_ADAPTIVE_NP)
        return EINVAL;
    if (!plc_mutex_try_lock(dropin_mutex_word(mutex))) {
        if (!dropin_time_is_valid(time))
            return EINVAL;
        if (!plc_mutex_lock_quiet_until(dropin_mutex_word(mutex), dropin_mutex_quiet(mutex),
                                        dropin_deadline(clock, time)))
            return ETIMEDOUT;
    }
    own_first_time(mutex, kind);
    DROPIN_PROBE(mutex_timedlock_acquired, mutex);
    return 0;
}

int dropin_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict time) {
    DROPIN_PROBE2(mutex_timedlock_entry, mutex, time);
    int kind = dropin_mutex_kind(mutex);
    if (dropin_kind_is_foreign(kind)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->mutex_timedlock(mutex, time);
    }
    return lock_until(mutex, kind, CLOCK_REALTIME, time);
}

static int mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t clock, const struct timespec *restrict time) {
    DROPIN_PROBE3(mutex_clocklock_entry, mutex, clock, time);
    int kind = dropin_mutex_kind(mutex);
    if (dropin_kind_is_foreign(kind)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->mutex_clocklock(mutex, clock, time);
    }
    if (!dropin_clock_is_known(clock))
        return EINVAL;
    return lock_until(mutex, kind, clock, time);
}

/* ---- Unlock */

/* Always inlined, and the next one, too: gcc takes a probe for many instructions, and would call them. */
static inline __attribute__((always_inline)) void release(pthread_mutex_t *mutex) {
    plc_mutex_t *word = dropin_mutex_word(mutex);
    DROPIN_PROBE(mutex_release, mutex);
    dropin_mutex_disown(mutex);
    if (dropin_is_single_threaded() && plc_load_relaxed(&word->state) == PLC_MUTEX_LOCKED_)
        plc_store_relaxed(&word->state, (uint8_t)0); /* relaxed: one thread */
    else
        plc_mutex_unlock_quiet(word, dropin_mutex_quiet(mutex)); /* the last touch of the mutex */
}

/* A normal mutex may be unlocked by anybody. One that nobody holds stays as it is and is not complained about: programs
   that were never told by glibc must keep running. The owner answers that sooner than the word, which was just written
   by an atomic operation and is slow to read; glibc's own code sets it too. */
static inline __attribute__((always_inline)) int unlock_plain(pthread_mutex_t *mutex) {
    if (PLC_LIKELY(plc_load_relaxed(&mutex->__data.__owner) != 0) || plc_mutex_is_locked(dropin_mutex_word(mutex)))
        release(mutex);
    return 0;
}

static __attribute__((noinline)) int unlock_other_kind(pthread_mutex_t *mutex) {
    int kind = dropin_mutex_kind(mutex);
    if (kind == PTHREAD_MUTEX_ADAPTIVE_NP)
        return unlock_plain(mutex);
    if (dropin_kind_is_foreign(kind))
        return dropin_real()->mutex_unlock(mutex);
    if (kind < 0 || kind > PTHREAD_MUTEX_ADAPTIVE_NP)
        return EINVAL;
    if (!dropin_mutex_is_mine(mutex))
        return EPERM;
    if (kind == PTHREAD_MUTEX_RECURSIVE_NP && --mutex->__data.__count != 0)
        return 0;
    release(mutex);
    return 0;
}

static __attribute__((noinline)) int unlock_otherwise(pthread_mutex_t *mutex) {
    if (PLC_LIKELY(dropin_mutex_kind(mutex) == PTHREAD_MUTEX_TIMED_NP))
        return unlock_plain(mutex);
    return unlock_other_kind(mutex);
}

int dropin_mutex_unlock(pthread_mutex_t *mutex) {
    /* plc_mutex_unlock_quiet's own first step, which needs neither an atomic operation nor to know who else there is. */
    if (PLC_LIKELY(dropin_mutex_is_normal_and_quiet(mutex)) &&
        PLC_LIKELY(plc_load_relaxed(&mutex->__data.__owner) != 0)) {
        DROPIN_PROBE(mutex_release, mutex);
        dropin_mutex_disown(mutex);
        plc_store_release(&dropin_mutex_word(mutex)->state, (uint8_t)0); /* release [M1]; the last touch of the mutex */
        return 0;
    }
    return unlock_otherwise(mutex);
}

/* ---- Birth and death */

int dropin_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
    unsigned word = 0;
    if (attributes != NULL)
        memcpy(&word, attributes, sizeof word);
    if ((word & DROPIN_MUTEXATTR_FOREIGN) != 0)
        return dropin_real()->mutex_init(mutex, attributes);
    memset(mutex, 0, sizeof *mutex);
    mutex->__data.__kind = (int)(word & ~DROPIN_MUTEXATTR_FLAGS);
    DROPIN_PROBE(mutex_init, mutex);
    return 0;
}

int dropin_mutex_destroy(pthread_mutex_t *mutex) {
    int kind = dropin_mutex_kind(mutex);
    if (dropin_kind_is_foreign(kind))
        return dropin_real()->mutex_destroy(mutex);
    if (plc_mutex_is_locked(dropin_mutex_word(mutex)))
        return EBUSY;
    mutex->__data.__kind = DROPIN_KIND_DESTROYED;
    DROPIN_PROBE(mutex_destroy, mutex);
    return 0;
}

/* ---- What only glibc's kinds have */

static int mutex_consistent(pthread_mutex_t *mutex) {
    return dropin_kind_is_foreign(dropin_mutex_kind(mutex)) ? dropin_real()->mutex_consistent(mutex) : EINVAL;
}

static int mutex_getprioceiling(const pthread_mutex_t *restrict mutex, int *restrict ceiling) {
    if (!dropin_kind_is_foreign(dropin_mutex_kind(mutex)))
        return EINVAL;
    return dropin_real()->mutex_getprioceiling(mutex, ceiling);
}

static int mutex_setprioceiling(pthread_mutex_t *restrict mutex, int ceiling, int *restrict old_ceiling) {
    if (!dropin_kind_is_foreign(dropin_mutex_kind(mutex)))
        return EINVAL;
    return dropin_real()->mutex_setprioceiling(mutex, ceiling, old_ceiling);
}

DROPIN_EXPORT(pthread_mutex_init, dropin_mutex_init);
DROPIN_EXPORT(pthread_mutex_destroy, dropin_mutex_destroy);
DROPIN_EXPORT(pthread_mutex_lock, dropin_mutex_lock);
DROPIN_EXPORT(pthread_mutex_trylock, dropin_mutex_trylock);
DROPIN_EXPORT(pthread_mutex_timedlock, dropin_mutex_timedlock);
DROPIN_EXPORT(pthread_mutex_clocklock, mutex_clocklock);
DROPIN_EXPORT(pthread_mutex_unlock, dropin_mutex_unlock);
DROPIN_EXPORT(pthread_mutex_consistent, mutex_consistent);
DROPIN_EXPORT(pthread_mutex_getprioceiling, mutex_getprioceiling);
DROPIN_EXPORT(pthread_mutex_setprioceiling, mutex_setprioceiling);
DROPIN_EXPORT(__pthread_mutex_init, dropin_mutex_init);
DROPIN_EXPORT(__pthread_mutex_destroy, dropin_mutex_destroy);
DROPIN_EXPORT(__pthread_mutex_lock, dropin_mutex_lock);
DROPIN_EXPORT(__pthread_mutex_trylock, dropin_mutex_trylock);
DROPIN_EXPORT(__pthread_mutex_unlock, dropin_mutex_unlock);
DROPIN_EXPORT_STATIC(__pthread_mutex_timedlock, dropin_mutex_timedlock);
DROPIN_EXPORT_STATIC(__pthread_mutex_clocklock, mutex_clocklock);

/* <pthread.h> turns this older name into the newer one, so it is spelt for the assembler only. */
extern __typeof__(mutex_consistent) consistent_np __asm__("pthread_mutex_consistent_np")
    __attribute__((alias("mutex_consistent"), visibility("default")));
