/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tasks in a mutex's queue: what those who work on the queue must know of them. */
#ifndef PLC_MUTEX_TASKS_H
#define PLC_MUTEX_TASKS_H

#include <plc/mutex.h>

#include "parking_lot/tasks.h"

/* ---- With the bucket of the mutex locked */

/* Does a task claim the mutex, or is it reserved for one? Then C is set. */
bool plc_mutex_tasks_claim_(const struct plc_bucket *bucket, const plc_mutex_t *mutex);

/* What those who come must know of it. */
enum plc_mutex_claim {
    PLC_MUTEX_UNCLAIMED,
    PLC_MUTEX_WANTED,   /* the next unlock reserves it */
    PLC_MUTEX_RESERVED, /* for a task that was woken, until a certain time */
    PLC_MUTEX_LAPSED,   /* that time was over: the reservation has just been made void */
};
enum plc_mutex_claim plc_mutex_claim_of_tasks_(const plc_mutex_t *mutex, struct plc_bucket *bucket, int64_t *until);

/* What an unlock does for the tasks that wait before the first thread, or behind nobody: if the mutex is free, and none of
   them is on its way, takes the waker of the first that sleeps, for the caller to wake once the bucket is unlocked. Returns
   whether there is any task, who keeps the mutex alive. */
bool plc_mutex_serve_tasks_(plc_mutex_t *mutex, struct plc_bucket *bucket, plc_waker_t *to_wake);

/* Polls for the mutex; while it is pending the task is used for `use`. */
enum plc_poll plc_mutex_poll_(plc_mutex_t *mutex, struct plc_waiter *task, const plc_waker_t *wanted,
                              enum plc_task_use use);

/* With no bucket locked: the task no longer waits for the mutex; its wake is passed on. */
void plc_mutex_forget_task_(plc_mutex_t *mutex, struct plc_waiter *task);

#endif
