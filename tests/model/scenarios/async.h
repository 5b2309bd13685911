/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the scenarios of tasks that wait for locks share: tasks that are threads of the model, and their wakers. */
#ifndef PLC_MODEL_ASYNC_H
#define PLC_MODEL_ASYNC_H

#include <plc/async.h>

#include "lot.h"
#include "platform/platform.h"

/* A task, run by the thread of its number. */
struct task {
    plc_async_waiter_t waiter;
    uint32_t woken;
    int references; /* wakers that there are; guarded by an ideal lock on the task */
};
static struct task tasks[MC_MAX_THREADS];

static void task_changes_references(struct task *task, int change) {
    mc_lock(task);
    task->references += change;
    MC_ASSERT(task->references >= 0);
    mc_unlock(task);
}

static plc_waker_t task_clone(void *data);

/* Orders nothing: what a task may see the lock itself has to publish. */
static void task_wake_by_ref(void *data) {
    struct task *task = data;
    if (!plc_exchange_relaxed(&task->woken, 1u))
        plc_os_futex_wake(&task->woken, 1);
}

static void task_drop(void *data) {
    task_changes_references(data, -1);
}

static void task_wake(void *data) {
    task_wake_by_ref(data);
    task_drop(data);
}

static const struct plc_waker_vtable task_vtable = {task_clone, task_wake, task_wake_by_ref, task_drop};

static plc_waker_t task_clone(void *data) {
    plc_waker_t waker = {&task_vtable, data};
    task_changes_references(data, 1);
    return waker;
}

/* A waker that the caller does not own. */
static inline plc_waker_t task_waker(struct task *task) {
    plc_waker_t waker = {&task_vtable, task};
    return waker;
}

/* Sleeps until woken: for ever, if a wake was lost. */
static inline void task_sleep(struct task *task) {
    while (!plc_exchange_relaxed(&task->woken, 0u))
        plc_os_futex_wait(&task->woken, 0, PLC_NO_DEADLINE);
}

/* Nobody has a waker of it, and its waiter is never touched again: it may be freed. */
static inline void task_ends(struct task *task) {
    mc_lifetime_end(&task->waiter, sizeof task->waiter);
}

static inline void tasks_have_no_wakers(void) {
    for (int i = 0; i < MC_MAX_THREADS; i++)
        MC_ASSERT(tasks[i].references == 0);
}

/* How far a scenario goes: further on ideal bucket locks, which take fewer steps. */
#ifdef IDEAL
#define BOUND(n) .preemptions = (n) + 1, .stale = 1
#else
#define BOUND(n) .preemptions = (n), .stale = 1
#endif

#endif
