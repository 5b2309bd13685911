/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_rwlock_*: private ones on plc_rwlock_t, in which readers may recurse and writers do not starve. */
#include "deadlines.h"
#include "layout.h"
#include "probes.h"
#include "real.h"
#include "statistics.h"
#include "thread.h"

#include <plc/detail/patient_read.h>

#include <errno.h>
#include <string.h>

/* The default kind is read as plc/detail/patient_read.h describes: readers may recurse, writers do not starve. The kind
   "prefer writer, nonrecursive" always queues behind the writer, as in glibc.

   __cur_writer is the writer's tid from after the word was taken until before it is given back. Only the writer stores
   it; others compare it with their own tid, or hold a read lock, which the writer's stores happen before or after. So it
   is relaxed everywhere. */
PLC_STATIC_ASSERT(sizeof(plc_rwlock_t) <= offsetof(pthread_rwlock_t, __data.__wrphase_futex),
                  "our word fits before the fields that we keep");

static plc_rwlock_t *word_of(pthread_rwlock_t *rwlock) {
    return (plc_rwlock_t *)(void *)rwlock;
}

static inline bool is_foreign(const pthread_rwlock_t *rwlock) {
    return PLC_UNLIKELY(rwlock->__data.__shared != 0);
}

static inline bool is_mine_to_write(const pthread_rwlock_t *rwlock) {
    int writer = plc_load_relaxed(&rwlock->__data.__cur_writer); /* relaxed: see the head */
    return PLC_UNLIKELY(writer != 0) && writer == dropin_tid();
}

static bool never_reads_through(const pthread_rwlock_t *rwlock) {
    return rwlock->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
}

static inline int now_reading(pthread_rwlock_t *rwlock) {
    dropin_thread.read_locks++;
    dropin_count(DROPIN_COUNT_RWLOCK);
    DROPIN_PROBE(rdlock_acquire_read, rwlock);
    return 0;
}

static inline int now_writing(pthread_rwlock_t *rwlock) {
    plc_store_relaxed(&rwlock->__data.__cur_writer, dropin_tid());
    dropin_count(DROPIN_COUNT_RWLOCK);
    DROPIN_PROBE(wrlock_acquire_write, rwlock);
    return 0;
}

/* ---- Reading */

static __attribute__((noinline)) int read_slow(pthread_rwlock_t *rwlock, plc_deadline_t deadline) {
    plc_rwlock_t *word = word_of(rwlock);
    bool taken;
    if (is_mine_to_write(rwlock))
        return EDEADLK;
    if (never_reads_through(rwlock))
        taken = plc_rwlock_read_lock_until(word, deadline);
    else
        taken = plc_rwlock_read_as_pthread_(word, dropin_thread.read_locks, deadline);
    return taken ? now_reading(rwlock) : ETIMEDOUT;
}

static int rdlock(pthread_rwlock_t *rwlock) {
    DROPIN_PROBE(rdlock_entry, rwlock);
    if (is_foreign(rwlock)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->rwlock_rdlock(rwlock);
    }
    if (PLC_LIKELY(plc_rwlock_try_read_lock(word_of(rwlock))))
        return now_reading(rwlock);
    return read_slow(rwlock, PLC_NO_DEADLINE);
}

/* A try reads through for the default kind: a program may try in a loop while the reader inside waits for it. */
static int tryrdlock(pthread_rwlock_t *rwlock) {
    if (is_foreign(rwlock)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->rwlock_tryrdlock(rwlock);
    }
    bool taken = never_reads_through(rwlock) ? plc_rwlock_try_read_lock(word_of(rwlock))
                                             : plc_rwlock_try_recursive_read_lock(word_of(rwlock));
    return taken ? now_reading(rwlock) : EBUSY;
}

/* As in glibc, the clock and the time are looked at before the lock. */
static int read_until(pthread_rwlock_t *rwlock, clockid_t clock, const struct timespec *time) {
    DROPIN_PROBE(rdlock_entry, rwlock);
    if (!dropin_clock_is_known(clock) || !dropin_time_is_valid(time))
        return EINVAL;
    if (PLC_LIKELY(plc_rwlock_try_read_lock(word_of(rwlock))))
        return now_reading(rwlock);
    return read_slow(rwlock, dropin_deadline(clock, time));
}

static int timedrdlock(pthread_rwlock_t *restrict rwlock, const struct timespec *restrict time) {
    if (is_foreign(rwlock)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->rwlock_timedrdlock(rwlock, time);
    }
    return read_until(rwlock, CLOCK_REALTIME, time);
}

static int clockrdlock(pthread_rwlock_t *restrict rwlock, clockid_t clock, const struct timespec *restrict time) {
    if (is_foreign(rwlock)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->rwlock_clockrdlock(rwlock, clock, time);
    }
    return read_until(rwlock, clock, time);
}

/* ---- Writing */

static int wrlock(pthread_rwlock_t *rwlock) {
    DROPIN_PROBE(wrlock_entry, rwlock);
    if (is_foreign(rwlock)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->rwlock_wrlock(rwlock);
    }
    if (is_mine_to_write(rwlock))
        return EDEADLK;
    plc_rwlock_write_lock(word_of(rwlock));
    return now_writing(rwlock);
}

static int trywrlock(pthread_rwlock_t *rwlock) {
    if (is_foreign(rwlock)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->rwlock_trywrlock(rwlock);
    }
    return plc_rwlock_try_write_lock(word_of(rwlock)) ? now_writing(rwlock) : EBUSY;
}

static int write_until(pthread_rwlock_t *rwlock, clockid_t clock, const struct timespec *time) {
    DROPIN_PROBE(wrlock_entry, rwlock);
    if (!dropin_clock_is_known(clock) || !dropin_time_is_valid(time))
        return EINVAL;
    if (is_mine_to_write(rwlock))
        return EDEADLK;
    if (!plc_rwlock_write_lock_until(word_of(rwlock), dropin_deadline(clock, time)))
        return ETIMEDOUT;
    return now_writing(rwlock);
}

static int timedwrlock(pthread_rwlock_t *restrict rwlock, const struct timespec *restrict time) {
    if (is_foreign(rwlock)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->rwlock_timedwrlock(rwlock, time);
    }
    return write_until(rwlock, CLOCK_REALTIME, time);
}

static int clockwrlock(pthread_rwlock_t *restrict rwlock, clockid_t clock, const struct timespec *restrict time) {
    if (is_foreign(rwlock)) {
        dropin_count(DROPIN_COUNT_GLIBC);
        return dropin_real()->rwlock_clockwrlock(rwlock, clock, time);
    }
    return write_until(rwlock, clock, time);
}

/* ---- Unlocking */

/* Written or read? While there is a writer nobody reads, so that any writer at all answers it: the child of a fork may
   give up what its parent's thread, of another tid, had locked. */
static int unlock(pthread_rwlock_t *rwlock) {
    DROPIN_PROBE(rwlock_unlock, rwlock);
    if (is_foreign(rwlock))
        return dropin_real()->rwlock_unlock(rwlock);
    if (plc_load_relaxed(&rwlock->__data.__cur_writer) != 0) { /* relaxed: see the head */
        plc_store_relaxed(&rwlock->__data.__cur_writer, 0);
        plc_rwlock_write_unlock(word_of(rwlock)); /* the last touch of the rwlock */
        return 0;
    }
    if (PLC_UNLIKELY(!plc_rwlock_is_locked(word_of(rwlock))))
        return EPERM;
    if (PLC_LIKELY(dropin_thread.read_locks != 0))
        dropin_thread.read_locks--;
    plc_rwlock_read_unlock(word_of(rwlock)); /* the last touch of the rwlock */
    return 0;
}

/* ---- Birth and death */

static int init(pthread_rwlock_t *restrict rwlock, const pthread_rwlockattr_t *restrict attributes) {
    struct dropin_rwlockattr words = {0, 0};
    if (attributes != NULL)
        memcpy(&words, attributes, sizeof words);
    if (words.shared != PTHREAD_PROCESS_PRIVATE)
        return dropin_real()->rwlock_init(rwlock, attributes);
    memset(rwlock, 0, sizeof *rwlock);
    rwlock->__data.__flags = (__typeof__(rwlock->__data.__flags))words.kind;
    return 0;
}

static int destroy(pthread_rwlock_t *rwlock) {
    DROPIN_PROBE(rwlock_destroy, rwlock);
    return is_foreign(rwlock) ? dropin_real()->rwlock_destroy(rwlock) : 0;
}

DROPIN_EXPORT(pthread_rwlock_init, init);
DROPIN_EXPORT(pthread_rwlock_destroy, destroy);
DROPIN_EXPORT(pthread_rwlock_rdlock, rdlock);
DROPIN_EXPORT(pthread_rwlock_wrlock, wrlock);
DROPIN_EXPORT(pthread_rwlock_tryrdlock, tryrdlock);
DROPIN_EXPORT(pthread_rwlock_trywrlock, trywrlock);
DROPIN_EXPORT(pthread_rwlock_timedrdlock, timedrdlock);
DROPIN_EXPORT(pthread_rwlock_timedwrlock, timedwrlock);
DROPIN_EXPORT(pthread_rwlock_clockrdlock, clockrdlock);
DROPIN_EXPORT(pthread_rwlock_clockwrlock, clockwrlock);
DROPIN_EXPORT(pthread_rwlock_unlock, unlock);
DROPIN_EXPORT(__pthread_rwlock_init, init);
DROPIN_EXPORT(__pthread_rwlock_destroy, destroy);
DROPIN_EXPORT(__pthread_rwlock_rdlock, rdlock);
DROPIN_EXPORT(__pthread_rwlock_wrlock, wrlock);
DROPIN_EXPORT(__pthread_rwlock_tryrdlock, tryrdlock);
DROPIN_EXPORT(__pthread_rwlock_trywrlock, trywrlock);
DROPIN_EXPORT(__pthread_rwlock_unlock, unlock);
