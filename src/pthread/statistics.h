/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Counts of the operations that libplc served, in libplc_pthread_stats.so; nothing at all in libplc_pthread.so. */
#ifndef PLC_DROPIN_STATISTICS_H
#define PLC_DROPIN_STATISTICS_H

#include <plc/detail/config.h>

enum dropin_counter {
    DROPIN_COUNT_MUTEX,  /* a mutex was taken, in whatever way */
    DROPIN_COUNT_RWLOCK, /* a rwlock was taken, in whatever way */
    DROPIN_COUNT_WAIT,   /* a wait on a cond began */
    DROPIN_COUNT_WAKE,   /* signal or broadcast */
    DROPIN_COUNT_ONCE,   /* pthread_once */
    DROPIN_COUNT_GLIBC,  /* an operation on an object that is glibc's to serve */
    DROPIN_COUNTERS
};

#ifdef DROPIN_STATISTICS
void dropin_count(enum dropin_counter counter);
void dropin_statistics_start(void);
void dropin_statistics_after_fork(void);
#else
static inline void dropin_count(enum dropin_counter counter) {
    (void)counter;
}
static inline void dropin_statistics_start(void) {}
static inline void dropin_statistics_after_fork(void) {}
#endif

#endif
