/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thread parker for platforms that have nothing but POSIX threads. */
#ifndef PLC_THREAD_PARKER_TYPE_H
#define PLC_THREAD_PARKER_TYPE_H

#include <pthread.h>
#include <stdbool.h>

#include "thread_parker/one_by_one.h"

struct plc_thread_parker {
    pthread_mutex_t mutex;
    pthread_cond_t condition[2]; /* one per enum plc_clock: POSIX fixes a condition's clock when it is made */
    int sleeping_on;             /* the clock whose condition the owner waits on; guarded by mutex */
    bool signalled;              /* guarded by mutex */
};

#endif
