/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The drop-in's mutex under its internal names, for the cond that must release and retake one. */
#ifndef PLC_DROPIN_MUTEX_H
#define PLC_DROPIN_MUTEX_H

#include "layout.h"
#include "statistics.h"
#include "thread.h"

/* pthread_mutex_lock and pthread_mutex_unlock for every kind, glibc's included. */
int dropin_mutex_lock(pthread_mutex_t *mutex);
int dropin_mutex_unlock(pthread_mutex_t *mutex);

/* The same for C11's. */
int dropin_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int dropin_mutex_destroy(pthread_mutex_t *mutex);
int dropin_mutex_trylock(pthread_mutex_t *mutex);
int dropin_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict time);

/* The owner is read by others only to compare it with their own tid, which nobody else stores: relaxed everywhere. */
static inline bool dropin_mutex_is_mine(const pthread_mutex_t *mutex) {
    return plc_load_relaxed(&mutex->__data.__owner) == dropin_tid();
}

/* Right after the word was taken. */
static inline void dropin_mutex_own(pthread_mutex_t *mutex) {
    plc_store_relaxed(&mutex->__data.__owner, dropin_tid());
}

/* Right before the word is given back: afterwards the memory may be gone. */
static inline void dropin_mutex_disown(pthread_mutex_t *mutex) {
    plc_store_relaxed(&mutex->__data.__owner, 0);
}

#endif
