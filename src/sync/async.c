/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Cancelling a task's wait, whatever it waits for. */
#include "sync/condvar_tasks.h"
#include "sync/mutex_tasks.h"
#include "sync/rwlock_tasks.h"

void plc_async_cancel(plc_async_waiter_t *node) {
    struct plc_waiter *task = plc_task_of(node);
    /* relaxed: a lock's queue is never left for another */
    void *address = (void *)(uintptr_t)plc_load_relaxed(&task->address);
    switch ((enum plc_task_use)task->use) {
    case PLC_TASK_LOCKS_MUTEX:
        plc_mutex_forget_task_(address, task);
        break;
    case PLC_TASK_WAITS:
    case PLC_TASK_LOCKS_AGAIN:
        plc_condvar_forget_task_(task);
        break;
    case PLC_TASK_LOCKS_RWLOCK:
        plc_rwlock_forget_task_(task);
        break;
    case PLC_TASK_IDLE:
        break;
    }
    task->use = PLC_TASK_IDLE;
}
