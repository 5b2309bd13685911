/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A mutex that threads and tasks wait for: nobody is forgotten, whoever is cancelled, and nobody waits for a leaked task. */
#include "async.h"

static plc_mutex_t mutex;
static int counter;

/* ---- In every state in which nobody works on the queue: P is set exactly if an unlock has to look (M1) */

enum { ARRIVED = 1 }; /* the phase of an heir that is awake */

static void parked_is_right(void) {
    const struct plc_bucket *bucket = plc_bucket_locked(&mutex);
    const struct plc_waiter *first = NULL;
    bool a_task_sleeps = false;
    if (lot_is_locked(bucket))
        return;
    for (const struct plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next) {
        if (plc_waiter_matches(waiter, plc_lot_key(&mutex, PLC_WAITER_MUTEX)))
            first = first ? first : waiter;
        else
            a_task_sleeps |= waiter->state == PLC_WAITER_QUEUED;
    }
    bool must_look = first ? !(first->state == PLC_WAITER_SUMMONED && first->phase == ARRIVED) : a_task_sleeps;
    MC_ASSERT(((mutex.state & PLC_MUTEX_PARKED_) != 0) == must_look);
}

static void thread_counts(void) {
    plc_mutex_lock(&mutex);
    counter++;
    plc_mutex_unlock(&mutex);
}

static enum plc_poll poll_once(struct task *task) {
    const plc_waker_t waker = task_waker(task);
    return plc_mutex_lock_async(&mutex, &task->waiter, &waker);
}

static void count_and_unlock(void) {
    counter++;
    plc_mutex_unlock_async(&mutex);
}

static void task_counts(struct task *task) {
    while (poll_once(task) == PLC_POLL_PENDING)
        task_sleep(task);
    count_and_unlock();
    task_ends(task);
}

static void free_again(void) {
    MC_ASSERT(mutex.state == 0);
    tasks_have_no_wakers();
    lot_must_be_empty();
}

static void all_counted(void) {
    MC_ASSERT(counter == mc_thread_count());
    free_again();
}

/* ---- Some threads, some tasks */

static void one_is_a_task(int self) {
    if (self == 0)
        task_counts(&tasks[self]);
    else
        thread_counts();
}

static void one_is_a_thread(int self) {
    if (self == 0)
        thread_counts();
    else
        task_counts(&tasks[self]);
}

static void all_are_tasks(int self) {
    task_counts(&tasks[self]);
}

/* ---- T0 has held the mutex since before the start; T1, a task, is queued before T2. Fair or not, both get it. */

static void held_from_the_start(void) {
    lot_setup();
    plc_mutex_lock(&mutex);
    counter++;
}

static void behind_a_task(int self) {
    if (self == 0)
        plc_mutex_unlock(&mutex);
    else if (self == 1)
        task_counts(&tasks[self]);
    else
        thread_counts();
}

static void unlocked_fairly(int self) {
    if (self == 0) {
        counter = 1; /* as it was: something to hand on, also to who takes the mutex without a look at the queue */
        plc_mutex_unlock_fair(&mutex);
    } else {
        behind_a_task(self);
    }
}

/* ---- A task that gives up, before it is woken, after, or just then; its memory is freed at once. */

static void give_up(struct task *task) {
    if (poll_once(task) == PLC_POLL_READY)
        count_and_unlock();
    else
        plc_async_cancel(&task->waiter);
    task_ends(task);
}

static void first_task_gives_up(int self) {
    if (self == 0)
        plc_mutex_unlock(&mutex);
    else if (self == 1)
        give_up(&tasks[self]);
    else
        task_counts(&tasks[self]);
}

static void task_before_thread_gives_up(int self) {
    if (self == 0)
        plc_mutex_unlock(&mutex);
    else if (self == 1)
        give_up(&tasks[self]);
    else
        thread_counts();
}

static void two_or_three(void) {
    MC_ASSERT(counter == 2 || counter == 3);
    free_again();
}

/* ---- A thread whose time runs out beside tasks */

static void thread_gives_up(int self) {
    if (self == 0) {
        plc_mutex_unlock(&mutex);
    } else if (self == 1) {
        if (plc_mutex_lock_until(&mutex, soon())) {
            counter++;
            plc_mutex_unlock(&mutex);
        }
    } else {
        task_counts(&tasks[self]);
    }
}

/* ---- A task that is leaked: polled once, and never again. The thread behind it, or before it, has the mutex all the same,
   and so has a task that comes after an unlock. */

static void leaked_task(int self) {
    if (self == 0) {
        plc_mutex_unlock(&mutex);
    } else if (self == 1) {
        if (poll_once(&tasks[self]) == PLC_POLL_READY)
            count_and_unlock();
    } else {
        thread_counts();
    }
}

/* What is left may be forgotten only now. */
static void leaked_and_gone(void) {
    MC_ASSERT(!(mutex.state & PLC_MUTEX_LOCKED_));
    plc_async_cancel(&tasks[1].waiter);
    two_or_three();
}

/* ---- A poll for no reason, with the same waker, and with another one. */

static struct task other;

static void polled_again(int self) {
    if (self == 0) {
        plc_mutex_unlock(&mutex);
        return;
    }
    const plc_waker_t waker = task_waker(&other);
    bool ready = poll_once(&tasks[1]) == PLC_POLL_READY || poll_once(&tasks[1]) == PLC_POLL_READY;
    while (!ready) {
        ready = plc_mutex_lock_async(&mutex, &tasks[1].waiter, &waker) == PLC_POLL_READY;
        if (!ready)
            task_sleep(&other);
    }
    count_and_unlock();
    task_ends(&tasks[1]);
}

static void two_counted(void) {
    MC_ASSERT(counter == 2);
    MC_ASSERT(other.references == 0);
    free_again();
}

/* ---- Freed by its last user, a task or a thread */

static int users;

static void last_one_frees(int self) {
    if (self == 0) {
        plc_mutex_lock(&mutex);
    } else {
        while (poll_once(&tasks[self]) == PLC_POLL_PENDING)
            task_sleep(&tasks[self]);
        task_ends(&tasks[self]);
    }
    bool last = ++users == mc_thread_count();
    if (self == 0)
        plc_mutex_unlock(&mutex);
    else
        plc_mutex_unlock_async(&mutex);
    if (last)
        mc_lifetime_end(&mutex, sizeof mutex);
}

static void was_freed(void) {
    tasks_have_no_wakers();
    lot_must_be_empty();
}

#define TWO .threads = 2, .setup = lot_setup, .invariant = parked_is_right
#define THREE .threads = 3, .setup = lot_setup, .invariant = parked_is_right
#define HELD .threads = 3, .setup = held_from_the_start, .invariant = parked_is_right
MC_SCENARIOS(
    {.name = "async mutex: a thread and a task" ON, TWO, .thread = one_is_a_task, .finish = all_counted, BOUND(4)},
    {.name = "async mutex: two tasks" ON, TWO, .thread = all_are_tasks, .finish = all_counted, BOUND(4)},
    {.name = "async mutex: two threads and a task" ON, THREE, .thread = one_is_a_task, .finish = all_counted, BOUND(2)},
    {.name = "async mutex: a thread and two tasks" ON,
     THREE,
     .thread = one_is_a_thread,
     .finish = all_counted,
     BOUND(2)},
    {.name = "async mutex: three tasks" ON, THREE, .thread = all_are_tasks, .finish = all_counted, BOUND(2)},
    {.name = "async mutex: a thread behind a task" ON, HELD, .thread = behind_a_task, .finish = all_counted, BOUND(2)},
    {.name = "async mutex: unlocked fairly, a task alone" ON,
     .threads = 2,
     .setup = held_from_the_start,
     .invariant = parked_is_right,
     .thread = unlocked_fairly,
     .finish = all_counted,
     BOUND(4)},
    {.name = "async mutex: unlocked fairly" ON, HELD, .thread = unlocked_fairly, .finish = all_counted, BOUND(2)},
    {.name = "async mutex: a task before a task gives up" ON,
     HELD,
     .thread = first_task_gives_up,
     .finish = two_or_three,
     BOUND(2)},
    {.name = "async mutex: a task before a thread gives up" ON,
     HELD,
     .thread = task_before_thread_gives_up,
     .finish = two_or_three,
     BOUND(2)},
    {.name = "async mutex: a thread before a task gives up" ON,
     HELD,
     .thread = thread_gives_up,
     .finish = two_or_three,
     BOUND(2)},
    {.name = "async mutex: a leaked task, and a thread" ON,
     HELD,
     .thread = leaked_task,
     .finish = leaked_and_gone,
     BOUND(2)},
    {.name = "async mutex: polled for no reason" ON,
     .threads = 2,
     .setup = held_from_the_start,
     .invariant = parked_is_right,
     .thread = polled_again,
     .finish = two_counted,
     BOUND(4)},
    {.name = "async mutex: freed by its last user" ON, THREE, .thread = last_one_frees, .finish = was_freed, BOUND(2)});
