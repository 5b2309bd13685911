/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  <pthread.h> with libplc's mutexes, conds, rwlocks and onces under pthread's names.
 *
 *  Include this in place of <pthread.h>, recompile, and link libplc: pthread_mutex_t, pthread_cond_t, pthread_rwlock_t,
 *  pthread_once_t, their initialisers and calls now mean the small types below; all else of <pthread.h> is as it was.
 *  The types differ in size from the C library's, so every source file that shares an object must include this header,
 *  and none may hand one to a library that was compiled without it. (libplc_pthread.so needs no recompiling and has no
 *  such limit: it keeps the C library's layout.)
 *
 *  Bytes on a 64-bit machine: mutex 16, cond 16, rwlock 16, once 1; glibc's are 40, 48, 56 and 4.
 *
 *  Differences from the C library's own:
 *  - Process-shared, robust and priority-aware attributes: init returns ENOTSUP. The kind of a rwlock is ignored.
 *  - pthread_cond_wait is no cancellation point, and ends only when signalled. It releases a recursive mutex entirely,
 *    however often that is held. Threads that wait on one cond at the same time use the same mutex.
 *  - Readers may lock recursively, as with glibc's default kind, but writers do not starve: see detail/patient_read.h.
 *  - Unlocking a mutex or rwlock that nobody holds aborts with a message, but for the kinds that return EPERM.
 *
 *  In C++ the standard library's headers that are made of pthread's types are included first, and keep using those. */
#ifndef PLC_PTHREAD_H
#define PLC_PTHREAD_H

/* A strict -std= hides most of <pthread.h>, which is what this header is about. */
#if defined(__STRICT_ANSI__) && !defined(_POSIX_C_SOURCE) && !defined(_XOPEN_SOURCE) && !defined(_GNU_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#ifdef __cplusplus
#include <condition_variable>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>
#endif

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include <plc/condvar.h>
#include <plc/detail/patient_read.h>
#include <plc/mutex.h>
#include <plc/once.h>

PLC_BEGIN_DECLS

/* One per thread, the same in every file that includes this header: its address names the thread. */
struct plc_pthread_thread_ {
    unsigned read_locks; /* how many rwlocks this thread holds for reading */
};
extern __thread struct plc_pthread_thread_ plc_pthread_self_ __attribute__((weak));
__thread struct plc_pthread_thread_ plc_pthread_self_ __attribute__((weak)) = {0};

enum plc_pthread_mutex_kind_ {
    PLC_PTHREAD_NORMAL_ = 0,
    PLC_PTHREAD_RECURSIVE_ = 1,
    PLC_PTHREAD_ERRORCHECK_ = 2,
};

/** pthread_mutex_t. Zeroed memory is a free one of the normal type. */
typedef struct plc_pthread_mutex {
    plc_mutex_t lock;
    uint8_t kind;
    uint32_t count;    /* how often a recursive one is held */
    const void *owner; /* its thread, for those of a kind that asks */
} plc_pthread_mutex_t;

/** pthread_cond_t. Zeroed memory is one that nobody waits for. */
typedef struct plc_pthread_cond {
    plc_condvar_t condvar;
    uint8_t is_monotonic;
} plc_pthread_cond_t;

/** pthread_rwlock_t. Zeroed memory is a free one. */
typedef struct plc_pthread_rwlock {
    plc_rwlock_t lock;
    const void *writer; /* its thread */
} plc_pthread_rwlock_t;

/* ---- Times */

static inline bool plc_pthread_is_time_(const struct timespec *time) {
    return time->tv_nsec >= 0 && time->tv_nsec < 1000000000L;
}

static inline bool plc_pthread_is_clock_(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

static inline plc_deadline_t plc_pthread_deadline_(clockid_t clock, const struct timespec *time) {
    return plc_deadline_at(clock == CLOCK_MONOTONIC ? PLC_CLOCK_MONOTONIC : PLC_CLOCK_REALTIME, (int64_t)time->tv_sec,
                           (long)time->tv_nsec);
}

/* ---- Mutex */

static inline bool plc_pthread_is_mine_(const plc_pthread_mutex_t *mutex) {
    /* relaxed: only the calling thread stores its own address */
    return plc_load_relaxed(&mutex->owner) == (const void *)&plc_pthread_self_;
}

static inline int plc_pthread_mutex_init(plc_pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
    const plc_pthread_mutex_t fresh = {PLC_MUTEX_INIT, 0, 0, NULL};
    int type = PTHREAD_MUTEX_DEFAULT, shared = 0, robust = 0, protocol = 0;
    if (attributes != NULL) {
        if (pthread_mutexattr_gettype(attributes, &type) != 0 ||
            pthread_mutexattr_getpshared(attributes, &shared) != 0 ||
            pthread_mutexattr_getrobust(attributes, &robust) != 0 ||
            pthread_mutexattr_getprotocol(attributes, &protocol) != 0)
            return EINVAL;
        if (shared != PTHREAD_PROCESS_PRIVATE || robust != PTHREAD_MUTEX_STALLED || protocol != PTHREAD_PRIO_NONE)
            return ENOTSUP;
    }
    *mutex = fresh;
    if (type == PTHREAD_MUTEX_RECURSIVE)
        mutex->kind = PLC_PTHREAD_RECURSIVE_;
    else if (type == PTHREAD_MUTEX_ERRORCHECK)
        mutex->kind = PLC_PTHREAD_ERRORCHECK_;
    return 0;
}

static inline int plc_pthread_mutex_destroy(plc_pthread_mutex_t *mutex) {
    return plc_mutex_is_locked(&mutex->lock) ? EBUSY : 0;
}

/* For a kind with an owner: 0 if the caller may lock it, else what to return; *entered: it had it, and has it once more. */
static inline int plc_pthread_enter_(plc_pthread_mutex_t *mutex, bool *entered) {
    *entered = false;
    if (!plc_pthread_is_mine_(mutex))
        return 0;
    if (mutex->kind == PLC_PTHREAD_ERRORCHECK_)
        return EDEADLK;
    if (mutex->count == UINT32_MAX)
        return EAGAIN;
    mutex->count++;
    *entered = true;
    return 0;
}

static inline void plc_pthread_own_(plc_pthread_mutex_t *mutex) {
    mutex->count = 1;
    plc_store_relaxed(&mutex->owner, (const void *)&plc_pthread_self_); /* relaxed: see plc_pthread_is_mine_ */
}

static inline int plc_pthread_mutex_lock(plc_pthread_mutex_t *mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool entered;
    int error;
    if (PLC_LIKELY(mutex->kind == PLC_PTHREAD_NORMAL_)) {
        plc_mutex_lock(&mutex->lock);
        return 0;
    }
    error = plc_pthread_enter_(mutex, &entered);
    if (error == 0 && !entered) {
        plc_mutex_lock(&mutex->lock);
        plc_pthread_own_(mutex);
    }
    return error;
}

static inline int plc_pthread_mutex_trylock(plc_pthread_mutex_t *mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool entered = false;
    int error = mutex->kind == PLC_PTHREAD_RECURSIVE_ ? plc_pthread_enter_(mutex, &entered) : 0;
    if (error != 0 || entered)
        return error;
    if (!plc_mutex_try_lock(&mutex->lock))
        return EBUSY;
    if (mutex->kind != PLC_PTHREAD_NORMAL_)
        plc_pthread_own_(mutex);
    return 0;
}

static inline int plc_pthread_mutex_clocklock(plc_pthread_mutex_t *mutex, clockid_t clock,
                                              const struct timespec *time) PLC_NO_THREAD_SAFETY_ANALYSIS {
    bool entered = false;
    int error = 0;
    if (!plc_pthread_is_clock_(clock))
        return EINVAL;
    if (mutex->kind != PLC_PTHREAD_NORMAL_)
        error = plc_pthread_enter_(mutex, &entered);
    if (error != 0 || entered)
        return error;
    if (!plc_mutex_try_lock(&mutex->lock)) {
        if (!plc_pthread_is_time_(time))
            return EINVAL;
        if (!plc_mutex_lock_until(&mutex->lock, plc_pthread_deadline_(clock, time)))
            return ETIMEDOUT;
    }
    if (mutex->kind != PLC_PTHREAD_NORMAL_)
        plc_pthread_own_(mutex);
    return 0;
}

static inline int plc_pthread_mutex_timedlock(plc_pthread_mutex_t *mutex, const struct timespec *time) {
    return plc_pthread_mutex_clocklock(mutex, CLOCK_REALTIME, time);
}

static inline int plc_pthread_mutex_unlock(plc_pthread_mutex_t *mutex) PLC_NO_THREAD_SAFETY_ANALYSIS {
    if (PLC_UNLIKELY(mutex->kind != PLC_PTHREAD_NORMAL_)) {
        if (!plc_pthread_is_mine_(mutex))
            return EPERM;
        if (--mutex->count != 0)
            return 0;
        plc_store_relaxed(&mutex->owner, (const void *)NULL); /* relaxed: see plc_pthread_is_mine_ */
    }
    plc_mutex_unlock(&mutex->lock);
    return 0;
}

/* ---- Cond */

static inline int plc_pthread_cond_init(plc_pthread_cond_t *cond, const pthread_condattr_t *attributes) {
    const plc_pthread_cond_t fresh = {PLC_CONDVAR_INIT, 0};
    int shared = PTHREAD_PROCESS_PRIVATE;
    clockid_t clock = CLOCK_REALTIME;
    if (attributes != NULL &&
        (pthread_condattr_getpshared(attributes, &shared) != 0 || pthread_condattr_getclock(attributes, &clock) != 0))
        return EINVAL;
    if (shared != PTHREAD_PROCESS_PRIVATE)
        return ENOTSUP;
    *cond = fresh;
    cond->is_monotonic = clock == CLOCK_MONOTONIC;
    return 0;
}

static inline int plc_pthread_cond_destroy(plc_pthread_cond_t *cond) {
    (void)cond;
    return 0;
}

static inline int plc_pthread_wait_(plc_pthread_cond_t *cond, plc_pthread_mutex_t *mutex,
                                    plc_deadline_t deadline) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint32_t count = mutex->count;
    bool notified;
    if (mutex->kind != PLC_PTHREAD_NORMAL_) {
        if (!plc_pthread_is_mine_(mutex))
            return EPERM;
        plc_store_relaxed(&mutex->owner, (const void *)NULL); /* relaxed: see plc_pthread_is_mine_ */
    }
    notified = plc_condvar_wait_until(&cond->condvar, &mutex->lock, deadline);
    if (mutex->kind != PLC_PTHREAD_NORMAL_) {
        plc_pthread_own_(mutex);
        mutex->count = count;
    }
    return notified ? 0 : ETIMEDOUT;
}

static inline int plc_pthread_cond_wait(plc_pthread_cond_t *cond, plc_pthread_mutex_t *mutex) {
    return plc_pthread_wait_(cond, mutex, PLC_NO_DEADLINE);
}

static inline int plc_pthread_cond_clockwait(plc_pthread_cond_t *cond, plc_pthread_mutex_t *mutex, clockid_t clock,
                                             const struct timespec *time) {
    if (!plc_pthread_is_time_(time) || !plc_pthread_is_clock_(clock))
        return EINVAL;
    return plc_pthread_wait_(cond, mutex, plc_pthread_deadline_(clock, time));
}

static inline int plc_pthread_cond_timedwait(plc_pthread_cond_t *cond, plc_pthread_mutex_t *mutex,
                                             const struct timespec *time) {
    return plc_pthread_cond_clockwait(cond, mutex, cond->is_monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, time);
}

static inline int plc_pthread_cond_signal(plc_pthread_cond_t *cond) {
    (void)plc_condvar_notify_one(&cond->condvar);
    return 0;
}

static inline int plc_pthread_cond_broadcast(plc_pthread_cond_t *cond) {
    (void)plc_condvar_notify_all(&cond->condvar);
    return 0;
}

/* ---- Rwlock */

static inline int plc_pthread_rwlock_init(plc_pthread_rwlock_t *rwlock, const pthread_rwlockattr_t *attributes) {
    const plc_pthread_rwlock_t fresh = {PLC_RWLOCK_INIT, NULL};
    int shared = PTHREAD_PROCESS_PRIVATE;
    if (attributes != NULL && pthread_rwlockattr_getpshared(attributes, &shared) != 0)
        return EINVAL;
    if (shared != PTHREAD_PROCESS_PRIVATE)
        return ENOTSUP;
    *rwlock = fresh;
    return 0;
}

static inline int plc_pthread_rwlock_destroy(plc_pthread_rwlock_t *rwlock) {
    return plc_rwlock_is_locked(&rwlock->lock) ? EBUSY : 0;
}

static inline bool plc_pthread_writes_(const plc_pthread_rwlock_t *rwlock) {
    /* relaxed: only the calling thread stores its own address */
    return plc_load_relaxed(&rwlock->writer) == (const void *)&plc_pthread_self_;
}

static inline int plc_pthread_read_(plc_pthread_rwlock_t *rwlock,
                                    plc_deadline_t deadline) PLC_NO_THREAD_SAFETY_ANALYSIS {
    if (PLC_UNLIKELY(!plc_rwlock_try_read_lock(&rwlock->lock))) {
        if (plc_pthread_writes_(rwlock))
            return EDEADLK;
        if (!plc_rwlock_read_as_pthread_(&rwlock->lock, plc_pthread_self_.read_locks, deadline))
            return ETIMEDOUT;
    }
    plc_pthread_self_.read_locks++;
    return 0;
}

static inline int plc_pthread_write_(plc_pthread_rwlock_t *rwlock,
                                     plc_deadline_t deadline) PLC_NO_THREAD_SAFETY_ANALYSIS {
    if (plc_pthread_writes_(rwlock))
        return EDEADLK;
    if (!plc_rwlock_write_lock_until(&rwlock->lock, deadline))
        return ETIMEDOUT;
    plc_store_relaxed(&rwlock->writer, (const void *)&plc_pthread_self_); /* relaxed: see plc_pthread_writes_ */
    return 0;
}

static inline int plc_pthread_rwlock_rdlock(plc_pthread_rwlock_t *rwlock) {
    return plc_pthread_read_(rwlock, PLC_NO_DEADLINE);
}

static inline int plc_pthread_rwlock_wrlock(plc_pthread_rwlock_t *rwlock) {
    return plc_pthread_write_(rwlock, PLC_NO_DEADLINE);
}

static inline int plc_pthread_rwlock_tryrdlock(plc_pthread_rwlock_t *rwlock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    if (!plc_rwlock_try_recursive_read_lock(&rwlock->lock))
        return EBUSY;
    plc_pthread_self_.read_locks++;
    return 0;
}

static inline int plc_pthread_rwlock_trywrlock(plc_pthread_rwlock_t *rwlock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    if (!plc_rwlock_try_write_lock(&rwlock->lock))
        return EBUSY;
    plc_store_relaxed(&rwlock->writer, (const void *)&plc_pthread_self_); /* relaxed: see plc_pthread_writes_ */
    return 0;
}

static inline int plc_pthread_rwlock_clockrdlock(plc_pthread_rwlock_t *rwlock, clockid_t clock,
                                                 const struct timespec *time) {
    if (!plc_pthread_is_clock_(clock) || !plc_pthread_is_time_(time))
        return EINVAL;
    return plc_pthread_read_(rwlock, plc_pthread_deadline_(clock, time));
}

static inline int plc_pthread_rwlock_clockwrlock(plc_pthread_rwlock_t *rwlock, clockid_t clock,
                                                 const struct timespec *time) {
    if (!plc_pthread_is_clock_(clock) || !plc_pthread_is_time_(time))
        return EINVAL;
    return plc_pthread_write_(rwlock, plc_pthread_deadline_(clock, time));
}

static inline int plc_pthread_rwlock_timedrdlock(plc_pthread_rwlock_t *rwlock, const struct timespec *time) {
    return plc_pthread_rwlock_clockrdlock(rwlock, CLOCK_REALTIME, time);
}

static inline int plc_pthread_rwlock_timedwrlock(plc_pthread_rwlock_t *rwlock, const struct timespec *time) {
    return plc_pthread_rwlock_clockwrlock(rwlock, CLOCK_REALTIME, time);
}

static inline int plc_pthread_rwlock_unlock(plc_pthread_rwlock_t *rwlock) PLC_NO_THREAD_SAFETY_ANALYSIS {
    /* relaxed: whoever reads sees that there is no writer, and the writer its own store */
    if (plc_load_relaxed(&rwlock->writer) != NULL) {
        plc_store_relaxed(&rwlock->writer, (const void *)NULL);
        plc_rwlock_write_unlock(&rwlock->lock);
    } else {
        if (plc_pthread_self_.read_locks != 0)
            plc_pthread_self_.read_locks--;
        plc_rwlock_read_unlock(&rwlock->lock);
    }
    return 0;
}

/* ---- Once */

struct plc_pthread_routine_ {
    void (*call)(void);
};

static inline bool plc_pthread_run_(void *argument) {
    ((const struct plc_pthread_routine_ *)argument)->call();
    return true;
}

static inline int plc_pthread_once(plc_once_t *once, void (*routine)(void)) {
    struct plc_pthread_routine_ argument = {routine};
    (void)plc_once_call(once, plc_pthread_run_, &argument);
    return 0;
}

PLC_END_DECLS

/* ---- The names */

#define pthread_mutex_t plc_pthread_mutex_t
#define pthread_mutex_init plc_pthread_mutex_init
#define pthread_mutex_destroy plc_pthread_mutex_destroy
#define pthread_mutex_lock plc_pthread_mutex_lock
#define pthread_mutex_trylock plc_pthread_mutex_trylock
#define pthread_mutex_timedlock plc_pthread_mutex_timedlock
#define pthread_mutex_clocklock plc_pthread_mutex_clocklock
#define pthread_mutex_unlock plc_pthread_mutex_unlock
#undef PTHREAD_MUTEX_INITIALIZER
#undef PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP
#undef PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP
#undef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define PTHREAD_MUTEX_INITIALIZER                                                                                      \
    { PLC_MUTEX_INIT, PLC_PTHREAD_NORMAL_, 0, NULL }
#define PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP                                                                         \
    { PLC_MUTEX_INIT, PLC_PTHREAD_RECURSIVE_, 0, NULL }
#define PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP                                                                        \
    { PLC_MUTEX_INIT, PLC_PTHREAD_ERRORCHECK_, 0, NULL }
#define PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP PTHREAD_MUTEX_INITIALIZER

#define pthread_cond_t plc_pthread_cond_t
#define pthread_cond_init plc_pthread_cond_init
#define pthread_cond_destroy plc_pthread_cond_destroy
#define pthread_cond_wait plc_pthread_cond_wait
#define pthread_cond_timedwait plc_pthread_cond_timedwait
#define pthread_cond_clockwait plc_pthread_cond_clockwait
#define pthread_cond_signal plc_pthread_cond_signal
#define pthread_cond_broadcast plc_pthread_cond_broadcast
#undef PTHREAD_COND_INITIALIZER
#define PTHREAD_COND_INITIALIZER                                                                                       \
    { PLC_CONDVAR_INIT, 0 }

#define pthread_rwlock_t plc_pthread_rwlock_t
#define pthread_rwlock_init plc_pthread_rwlock_init
#define pthread_rwlock_destroy plc_pthread_rwlock_destroy
#define pthread_rwlock_rdlock plc_pthread_rwlock_rdlock
#define pthread_rwlock_wrlock plc_pthread_rwlock_wrlock
#define pthread_rwlock_tryrdlock plc_pthread_rwlock_tryrdlock
#define pthread_rwlock_trywrlock plc_pthread_rwlock_trywrlock
#define pthread_rwlock_timedrdlock plc_pthread_rwlock_timedrdlock
#define pthread_rwlock_timedwrlock plc_pthread_rwlock_timedwrlock
#define pthread_rwlock_clockrdlock plc_pthread_rwlock_clockrdlock
#define pthread_rwlock_clockwrlock plc_pthread_rwlock_clockwrlock
#define pthread_rwlock_unlock plc_pthread_rwlock_unlock
#undef PTHREAD_RWLOCK_INITIALIZER
#undef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#define PTHREAD_RWLOCK_INITIALIZER                                                                                     \
    { PLC_RWLOCK_INIT, NULL }
#define PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP PTHREAD_RWLOCK_INITIALIZER

#define pthread_once_t plc_once_t
#define pthread_once plc_pthread_once
#undef PTHREAD_ONCE_INIT
#define PTHREAD_ONCE_INIT PLC_ONCE_INIT

#endif
