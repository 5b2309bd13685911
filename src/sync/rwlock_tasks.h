/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Cancelling a task's wait for a reader-writer lock; what the lock itself needs to know of tasks is in sync/rwlock.h. */
#ifndef PLC_RWLOCK_TASKS_H
#define PLC_RWLOCK_TASKS_H

#include "parking_lot/tasks.h"

/* With no bucket locked: the task no longer waits for its lock; its wake is passed on. */
void plc_rwlock_forget_task_(struct plc_waiter *task);

#endif
