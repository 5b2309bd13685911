/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The drop-in's own functions, under the hidden names that they have in libplc_pthread_debug.so. */
#ifndef PLC_OBSERVE_PLAIN_H
#define PLC_OBSERVE_PLAIN_H

#include <pthread.h>
#include <time.h>

/* mutex.c, cond.c and rwlock.c are compiled with DROPIN_RENAMED, which turns every DROPIN_EXPORT(name) into such an
   alias. */
#pragma GCC visibility push(hidden)

int dropin_plain_pthread_mutex_init(pthread_mutex_t *, const pthread_mutexattr_t *);
int dropin_plain_pthread_mutex_destroy(pthread_mutex_t *);
int dropin_plain_pthread_mutex_lock(pthread_mutex_t *);
int dropin_plain_pthread_mutex_trylock(pthread_mutex_t *);
int dropin_plain_pthread_mutex_timedlock(pthread_mutex_t *, const struct timespec *);
int dropin_plain_pthread_mutex_clocklock(pthread_mutex_t *, clockid_t, const struct timespec *);
int dropin_plain_pthread_mutex_unlock(pthread_mutex_t *);
int dropin_plain_pthread_mutex_consistent(pthread_mutex_t *);
int dropin_plain_pthread_mutex_getprioceiling(const pthread_mutex_t *, int *);
int dropin_plain_pthread_mutex_setprioceiling(pthread_mutex_t *, int, int *);

int dropin_plain_pthread_cond_init(pthread_cond_t *, const pthread_condattr_t *);
int dropin_plain_pthread_cond_destroy(pthread_cond_t *);
int dropin_plain_pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *);
int dropin_plain_pthread_cond_timedwait(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
int dropin_plain_pthread_cond_clockwait(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
int dropin_plain_pthread_cond_signal(pthread_cond_t *);
int dropin_plain_pthread_cond_broadcast(pthread_cond_t *);

int dropin_plain_pthread_rwlock_init(pthread_rwlock_t *, const pthread_rwlockattr_t *);
int dropin_plain_pthread_rwlock_destroy(pthread_rwlock_t *);
int dropin_plain_pthread_rwlock_rdlock(pthread_rwlock_t *);
int dropin_plain_pthread_rwlock_wrlock(pthread_rwlock_t *);
int dropin_plain_pthread_rwlock_tryrdlock(pthread_rwlock_t *);
int dropin_plain_pthread_rwlock_trywrlock(pthread_rwlock_t *);
int dropin_plain_pthread_rwlock_timedrdlock(pthread_rwlock_t *, const struct timespec *);
int dropin_plain_pthread_rwlock_timedwrlock(pthread_rwlock_t *, const struct timespec *);
int dropin_plain_pthread_rwlock_clockrdlock(pthread_rwlock_t *, clockid_t, const struct timespec *);
int dropin_plain_pthread_rwlock_clockwrlock(pthread_rwlock_t *, clockid_t, const struct timespec *);
int dropin_plain_pthread_rwlock_unlock(pthread_rwlock_t *);

#pragma GCC visibility pop

#endif
