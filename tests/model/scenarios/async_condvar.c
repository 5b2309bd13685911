/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks that wait on a condition variable beside threads: every notification arrives, whoever gives up. */
#include <plc/condvar.h>

#include "async.h"
#include "parking_lot/queue.h"

static plc_mutex_t mutex;
static plc_condvar_t condvar;
static int tokens, taken;

/* ---- Unlocked, the word names the mutex exactly if somebody waits (condvar.md, I2) */

static void word_is_right(void) {
    const struct plc_bucket *bucket = plc_bucket_locked(&condvar);
    if (lot_is_locked(bucket))
        return;
    bool waits = plc_queue_contains(bucket->head, plc_lot_key(&condvar, PLC_WAITER_CONDVAR));
    MC_ASSERT((condvar.state == (uintptr_t)&mutex) == waits);
}

static void lock_as_task(struct task *task) {
    const plc_waker_t waker = task_waker(task);
    while (plc_mutex_lock_async(&mutex, &task->waiter, &waker) == PLC_POLL_PENDING)
        task_sleep(task);
}

static enum plc_poll wait_once(struct task *task) {
    const plc_waker_t waker = task_waker(task);
    return plc_condvar_wait_async(&condvar, &mutex, &task->waiter, &waker);
}

static void task_takes_a_token(struct task *task) {
    lock_as_task(task);
    while (tokens == 0) {
        while (wait_once(task) == PLC_POLL_PENDING)
            task_sleep(task);
    }
    tokens--;
    taken++;
    plc_mutex_unlock_async(&mutex);
    task_ends(task);
}

static void thread_takes_a_token(void) {
    plc_mutex_lock(&mutex);
    while (tokens == 0)
        plc_condvar_wait(&condvar, &mutex);
    tokens--;
    taken++;
    plc_mutex_unlock(&mutex);
}

static void give_tokens(int count) {
    plc_mutex_lock(&mutex);
    tokens += count;
    plc_mutex_unlock(&mutex);
}

static void nothing_is_left(void) {
    MC_ASSERT(mutex.state == 0 && condvar.state == 0);
    tasks_have_no_wakers();
    lot_must_be_empty();
}

static void all_taken(void) {
    MC_ASSERT(tokens == 0 && taken == mc_thread_count() - 1);
    nothing_is_left();
}

/* ---- One notification for one token each, or one for all */

static void notify_one(int self) {
    if (self != 0) {
        task_takes_a_token(&tasks[self]);
        return;
    }
    give_tokens(mc_thread_count() - 1);
    for (int i = 1; i < mc_thread_count(); i++)
        plc_condvar_notify_one(&condvar);
}

static void notify_one_while_held(int self) {
    if (self != 0) {
        task_takes_a_token(&tasks[self]);
        return;
    }
    plc_mutex_lock(&mutex);
    tokens = 1;
    plc_condvar_notify_one(&condvar);
    plc_mutex_unlock(&mutex);
}

static void notify_all(int self) {
    if (self == 0) {
        give_tokens(mc_thread_count() - 1);
        plc_condvar_notify_all(&condvar);
    } else if (self == 1) {
        task_takes_a_token(&tasks[self]);
    } else {
        thread_takes_a_token();
    }
}

static void notify_all_tasks(int self) {
    if (self == 0)
        notify_all(self);
    else
        task_takes_a_token(&tasks[self]);
}

/* ---- T1 begins to wait with a waker that nobody listens to, and then is polled with its own. */

static enum plc_poll wait_once_deaf(struct task *task) {
    const plc_waker_t waker = task_waker(&tasks[MC_MAX_THREADS - 1]);
    return plc_condvar_wait_async(&condvar, &mutex, &task->waiter, &waker);
}

static void polled_with_another_waker(int self) {
    struct task *task = &tasks[self];
    if (self == 0) {
        notify_one(self);
        return;
    }
    lock_as_task(task);
    while (tokens == 0) {
        enum plc_poll poll = wait_once_deaf(task);
        MC_ASSERT(poll == PLC_POLL_PENDING);
        while (wait_once(task) == PLC_POLL_PENDING)
            task_sleep(task);
    }
    tokens--;
    taken++;
    plc_mutex_unlock_async(&mutex);
    task_ends(task);
}

/* ---- The word is that of the parent of a fork, somebody of which waited with another mutex: the child has none of its waiters. */

static plc_mutex_t mutex_of_the_parent;

static void forked_while_somebody_waited(void) {
    lot_setup();
    condvar.state = (uintptr_t)&mutex_of_the_parent;
}

/* ---- T1 gives up: before it is notified, after, or while it waits for the mutex. T2 gets the token in any case. */

static void one_gives_up(int self) {
    if (self == 0) {
        plc_mutex_lock(&mutex);
        tokens++;
        plc_condvar_notify_one(&condvar);
        plc_mutex_unlock(&mutex);
    } else {
        lock_as_task(&tasks[1]);
        if (tokens > 0) {
            plc_mutex_unlock_async(&mutex);
        } else {
            bool ready = wait_once(&tasks[1]) == PLC_POLL_READY;
            MC_ASSERT(!ready);
            if (wait_once(&tasks[1]) == PLC_POLL_READY)
                plc_mutex_unlock_async(&mutex), plc_condvar_notify_one(&condvar);
            else
                plc_async_cancel(&tasks[1].waiter);
        }
        task_ends(&tasks[1]);
    }
}

static void before_a_task(int self) {
    if (self == 2)
        task_takes_a_token(&tasks[self]);
    else
        one_gives_up(self);
}

static void before_a_thread(int self) {
    if (self == 2)
        thread_takes_a_token();
    else
        one_gives_up(self);
}

static void one_taken(void) {
    MC_ASSERT(tokens == 0 && taken == 1);
    nothing_is_left();
}

/* ---- The notifier frees the condvar as soon as notify_all has returned, though tasks have not come yet. */

static int waiting;

static void freed_after_notify_all(int self) {
    if (self != 0) {
        lock_as_task(&tasks[self]);
        waiting++;
        while (wait_once(&tasks[self]) == PLC_POLL_PENDING)
            task_sleep(&tasks[self]);
        plc_mutex_unlock_async(&mutex);
        task_ends(&tasks[self]);
        return;
    }
    for (bool all_wait = false; !all_wait;) {
        plc_mutex_lock(&mutex);
        all_wait = waiting == mc_thread_count() - 1;
        plc_mutex_unlock(&mutex);
        if (!all_wait)
            mc_yield();
    }
    plc_condvar_notify_all(&condvar);
    mc_lifetime_end(&condvar, sizeof condvar);
}

static void waiters_are_gone(void) {
    MC_ASSERT(mutex.state == 0);
    tasks_have_no_wakers();
    lot_must_be_empty();
}

#define TWO .threads = 2, .setup = lot_setup, .invariant = word_is_right
#define THREE .threads = 3, .setup = lot_setup, .invariant = word_is_right
MC_SCENARIOS({.name = "async condvar: notified" ON, TWO, .thread = notify_one, .finish = all_taken, BOUND(3)},
             {.name = "async condvar: notified while the mutex is held" ON,
              TWO,
              .thread = notify_one_while_held,
              .finish = all_taken,
              BOUND(3)},
             {.name = "async condvar: polled with another waker" ON,
              TWO,
              .thread = polled_with_another_waker,
              .finish = all_taken,
              BOUND(3)},
             {.name = "async condvar: after a fork beside a waiter with another mutex" ON,
              .threads = 2,
              .setup = forked_while_somebody_waited,
              .invariant = word_is_right,
              .thread = notify_one,
              .finish = all_taken,
              BOUND(3)},
             {.name = "async condvar: two tasks, two notifications" ON,
              THREE,
              .thread = notify_one,
              .finish = all_taken,
              BOUND(1)},
             {.name = "async condvar: a task and a thread, all are notified" ON,
              THREE,
              .thread = notify_all,
              .finish = all_taken,
              BOUND(1)},
             {.name = "async condvar: two tasks, all are notified" ON,
              THREE,
              .thread = notify_all_tasks,
              .finish = all_taken,
              BOUND(1)},
             {.name = "async condvar: one gives up beside a task" ON,
              THREE,
              .thread = before_a_task,
              .finish = one_taken,
              BOUND(1)},
             {.name = "async condvar: one gives up beside a thread" ON,
              THREE,
              .thread = before_a_thread,
              .finish = one_taken,
              BOUND(1)},
             {.name = "async condvar: freed after all were notified" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = freed_after_notify_all,
              .finish = waiters_are_gone,
              BOUND(1)});
