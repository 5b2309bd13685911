/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The drop-in's cond under its internal names, for C11's. */
#ifndef PLC_DROPIN_COND_H
#define PLC_DROPIN_COND_H

#include <pthread.h>
#include <time.h>

int dropin_cond_init(pthread_cond_t *restrict cond, const pthread_condattr_t *restrict attributes);
int dropin_cond_destroy(pthread_cond_t *cond);
int dropin_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex);
int dropin_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                          const struct timespec *restrict time);
int dropin_cond_signal(pthread_cond_t *cond);
int dropin_cond_broadcast(pthread_cond_t *cond);

#endif
