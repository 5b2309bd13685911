/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What tasks that wait on a condition variable need of it, and cancelling such a wait. */
#ifndef PLC_CONDVAR_TASKS_H
#define PLC_CONDVAR_TASKS_H

#include <plc/condvar.h>

#include "parking_lot/tasks.h"

/* With the bucket of the condvar locked: makes its word right for somebody who is about to be queued, with this mutex. False:
   the word names another lock, or did; to be settled with the bucket unlocked, and tried again. */
bool plc_condvar_enter_(plc_condvar_t *condvar, plc_mutex_t *mutex);
void plc_condvar_settle_(plc_condvar_t *condvar, plc_mutex_t *mutex);

/* With the bucket locked: the last waiter has left the queue; the caller's last access to the condvar. */
void plc_condvar_set_empty_(plc_condvar_t *condvar);

/* With no bucket locked, and if somebody waits: wakes the first, in the stead of one that was notified and does not want it. */
void plc_condvar_pass_on_(plc_condvar_t *condvar);

/* The task, which is used for PLC_TASK_WAITS or PLC_TASK_LOCKS_AGAIN, waits no longer. */
void plc_condvar_forget_task_(struct plc_waiter *task);

#endif
