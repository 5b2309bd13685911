/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The observed cond under its internal names, for C11's. */
#ifndef PLC_OBSERVED_COND_H
#define PLC_OBSERVED_COND_H

#include <pthread.h>
#include <time.h>

int observed_cond_init(pthread_cond_t *restrict cond, const pthread_condattr_t *restrict attributes);
int observed_cond_destroy(pthread_cond_t *cond);
int observed_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex);
int observed_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                            const struct timespec *restrict time);
int observed_cond_signal(pthread_cond_t *cond);
int observed_cond_broadcast(pthread_cond_t *cond);

#endif
