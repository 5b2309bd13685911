/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Process-shared conds, which are glibc's, together with mutexes of either side. */
#ifndef PLC_DROPIN_COND_SHARED_H
#define PLC_DROPIN_COND_SHARED_H

#include <plc/detail/config.h>

#include <pthread.h>
#include <time.h>

/* When a wait on a cond ends at the latest, in pthread's terms; time is null for never. */
struct dropin_cond_limit {
    const struct timespec *time;
    bool has_clock; /* false: the clock is the cond's own */
    clockid_t clock;
};

/* pthread_cond_wait and its timed forms for a process-shared cond; errors as glibc's. */
int dropin_cond_shared_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct dropin_cond_limit *limit);
int dropin_cond_shared_signal(pthread_cond_t *cond);
int dropin_cond_shared_broadcast(pthread_cond_t *cond);

/* In the child of a fork. */
void dropin_cond_shared_after_fork(void);

#endif
