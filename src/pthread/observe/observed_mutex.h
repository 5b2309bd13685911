/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The observed mutex under its internal names, for C11's and for the cond. */
#ifndef PLC_OBSERVED_MUTEX_H
#define PLC_OBSERVED_MUTEX_H

#include <plc/detail/config.h>

#include <pthread.h>
#include <time.h>

int observed_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int observed_mutex_destroy(pthread_mutex_t *mutex);
int observed_mutex_lock(pthread_mutex_t *mutex);
int observed_mutex_trylock(pthread_mutex_t *mutex);
int observed_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict time);
int observed_mutex_unlock(pthread_mutex_t *mutex);

/* Would unlocking it now make it free? Not for the inner levels of a recursive one, nor if the caller may not unlock
   it. */
bool observed_mutex_gives_up(pthread_mutex_t *mutex);

#endif
