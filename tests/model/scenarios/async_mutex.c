/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A mutex that threads and tasks wait for: nobody is forgotten, whoever is cancelled, and nobody waits for a leaked task. */
#include "async.h"
#include "parking_lot/tasks.h"
#include "platform/tuning.h"

static plc_mutex_t mutex;
static int counter;

/* ---- In every state in which nobody works on the queue: P is set exactly if an unlock has to look (M1), and C if somebody
   claims the mutex (I6) */

enum { ARRIVED = 1, WANTS = 2 }; /* the phases of an heir that is awake, and of one that is to be handed the mutex */
enum { LONG_AGO = 1 };           /* when one was summoned that is stuck, and to be handed the mutex */
enum { TASK_WANTS = 1, TASK_RESERVED = 2 };

static bool thread_claims(const struct plc_waiter *first) {
    if (first->state == PLC_WAITER_SUMMONED)
        return !first->phase && first->summoned_at == LONG_AGO;
    return first->phase == WANTS;
}

static void marks_are_right(void) {
    const struct plc_bucket *bucket = plc_bucket_locked(&mutex);
    const struct plc_waiter *first = NULL;
    bool a_task_sleeps = false;
    int claims = 0, reserved = 0;
    if (lot_is_locked(bucket))
        return;
    for (const struct plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next) {
        if (plc_waiter_matches(waiter, plc_lot_key(&mutex, PLC_WAITER_MUTEX)))
            first = first ? first : waiter;
        else {
            a_task_sleeps |= waiter->state == PLC_WAITER_QUEUED;
            claims += waiter->phase == TASK_WANTS;
            reserved += waiter->phase == TASK_RESERVED;
        }
    }
    claims += first && thread_claims(first);
    MC_ASSERT(reserved <= 1); /* M4 */
    MC_ASSERT(((mutex.state & PLC_MUTEX_CLAIMED_) != 0) == (claims + reserved > 0));
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

/* ---- A task that was beaten for a slice: T0 holds the mutex, T1's task claims it. */

static int64_t start;
static bool task_had_it;

static void claimed_from_the_start(void) {
    held_from_the_start();
    MC_ASSERT(poll_once(&tasks[1]) == PLC_POLL_PENDING);
    plc_task_of(&tasks[1].waiter)->phase = TASK_WANTS;
    mutex.state |= PLC_MUTEX_CLAIMED_;
    start = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
}

static void claimant(void) {
    while (poll_once(&tasks[1]) == PLC_POLL_PENDING)
        task_sleep(&tasks[1]);
    task_had_it = true;
    count_and_unlock();
    task_ends(&tasks[1]);
}

/* Whoever can wait comes before it only once its time is over. */
static void comes_after(void) {
    MC_ASSERT(task_had_it || plc_os_now_ns(PLC_CLOCK_MONOTONIC) >= start + PLC_MUTEX_RESERVE_NS);
    counter++;
}

static void thread_comes(int self) {
    if (self == 0) {
        plc_mutex_unlock(&mutex);
    } else if (self == 1) {
        claimant();
    } else {
        plc_mutex_lock(&mutex);
        comes_after();
        plc_mutex_unlock(&mutex);
    }
}

static void thread_comes_to_fair_unlock(int self) {
    if (self == 0)
        plc_mutex_unlock_fair(&mutex);
    else
        thread_comes(self);
}

/* Another task, which is kept out, comes again and again meanwhile. */
static void poll_until_ready(struct task *task) {
    while (poll_once(task) == PLC_POLL_PENDING) {
        task_sleep(task);
        mc_yield();
    }
}

static void task_comes(int self) {
    if (self < 2) {
        thread_comes(self);
        return;
    }
    poll_until_ready(&tasks[self]);
    comes_after();
    plc_mutex_unlock_async(&mutex);
    task_ends(&tasks[self]);
}

/* Who only tries takes it all the same; then it is reserved once more. */
static void try_comes(int self) {
    if (self < 2) {
        thread_comes(self);
    } else if (plc_mutex_try_lock(&mutex)) {
        count_and_unlock();
    }
}

/* A claimant that is never polled: the others have the mutex all the same. */
static void claimant_is_leaked(int self) {
    if (self == 0)
        plc_mutex_unlock(&mutex);
    else
        thread_counts();
}

static void forgotten_at_last(void) {
    MC_ASSERT(!(mutex.state & PLC_MUTEX_LOCKED_));
    plc_async_cancel(&tasks[1].waiter);
    MC_ASSERT(counter == 3);
    free_again();
}

/* One that is polled once and then no more: it has the mutex, or claims it still, or is late. */
static void claimant_is_leaked_later(int self) {
    if (self == 1) {
        if (poll_once(&tasks[1]) == PLC_POLL_READY)
            count_and_unlock();
    } else if (self == 0) {
        plc_mutex_unlock(&mutex);
    } else {
        thread_counts();
        thread_counts();
    }
}

static void three_or_four(void) {
    MC_ASSERT(!(mutex.state & PLC_MUTEX_LOCKED_));
    plc_async_cancel(&tasks[1].waiter);
    MC_ASSERT(counter == 3 || counter == 4);
    free_again();
}

/* One that gives up: before it is woken, after, or just then. T2 is a thread, or a task that comes when it is woken. */
static void claimant_gives_up(void) {
    plc_async_cancel(&tasks[1].waiter);
    task_ends(&tasks[1]);
}

static void claimant_gives_up_before_a_thread(int self) {
    if (self == 0)
        plc_mutex_unlock(&mutex);
    else if (self == 1)
        claimant_gives_up();
    else
        thread_counts();
}

static void claimant_gives_up_before_a_task(int self) {
    if (self == 0) {
        plc_mutex_unlock(&mutex);
    } else if (self == 1) {
        claimant_gives_up();
    } else {
        poll_until_ready(&tasks[self]);
        count_and_unlock();
        task_ends(&tasks[self]);
    }
}

/* A thread that waits for the mutex until its time runs out, which may be before the reservation's. */
static void thread_comes_for_a_while(int self) {
    if (self < 2)
        thread_comes(self);
    else if (plc_mutex_lock_until(&mutex, soon()))
        count_and_unlock();
}

/* It is woken and beaten, and so much later beaten again that it claims the mutex. T0 does all of it: its own time-outs make
   the clock go on. */
static void beaten_once_more(void) {
    plc_mutex_unlock(&mutex);
    plc_mutex_lock(&mutex);
    MC_ASSERT(poll_once(&tasks[1]) == PLC_POLL_PENDING);
}

static void beaten_for_a_slice(int self) {
    (void)self;
    MC_ASSERT(poll_once(&tasks[1]) == PLC_POLL_PENDING);
    beaten_once_more();
    MC_ASSERT(!plc_mutex_lock_until(&mutex, soon()));
    MC_ASSERT(!(mutex.state & PLC_MUTEX_CLAIMED_));
    beaten_once_more();
    MC_ASSERT(mutex.state & PLC_MUTEX_CLAIMED_);
    MC_ASSERT(poll_once(&tasks[1]) == PLC_POLL_PENDING); /* for no reason; it claims it still */
    plc_mutex_unlock(&mutex);
    MC_ASSERT(mutex.state == PLC_MUTEX_CLAIMED_);
    plc_mutex_lock(&mutex); /* after a millisecond, in vain: the task does not come */
    MC_ASSERT(poll_once(&tasks[1]) == PLC_POLL_PENDING);
    MC_ASSERT(!(mutex.state & PLC_MUTEX_CLAIMED_));
    MC_ASSERT(!plc_mutex_lock_until(&mutex, soon()));
    beaten_once_more();
    MC_ASSERT(!(mutex.state & PLC_MUTEX_CLAIMED_)); /* it was late: the next slice is twice as long */
    plc_mutex_unlock(&mutex);
    MC_ASSERT(poll_once(&tasks[1]) == PLC_POLL_READY);
    count_and_unlock();
    task_ends(&tasks[1]);
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

#define TWO .threads = 2, .setup = lot_setup, .invariant = marks_are_right
#define THREE .threads = 3, .setup = lot_setup, .invariant = marks_are_right
#define CLAIMED(title, body, end)                                                                                      \
    {                                                                                                                  \
        .name = "async mutex: " title ON, .threads = 3, .setup = claimed_from_the_start, .invariant = marks_are_right, \
        .thread = (body), .finish = (end), BOUND(2)                                                                    \
    }
#define HELD .threads = 3, .setup = held_from_the_start, .invariant = marks_are_right
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
     .invariant = marks_are_right,
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
     .invariant = marks_are_right,
     .thread = polled_again,
     .finish = two_counted,
     BOUND(4)},
    CLAIMED("a thread comes to a claimed mutex", thread_comes, all_counted),
    CLAIMED("a thread comes to a claimed mutex that is unlocked fairly", thread_comes_to_fair_unlock, all_counted),
    CLAIMED("a thread comes to a claimed mutex for a while", thread_comes_for_a_while, two_or_three),
    CLAIMED("a task comes to a claimed mutex", task_comes, all_counted),
    CLAIMED("a try comes to a claimed mutex", try_comes, two_or_three),
    CLAIMED("a leaked task claims it", claimant_is_leaked, forgotten_at_last),
    CLAIMED("a leaked task claimed it", claimant_is_leaked_later, three_or_four),
    CLAIMED("a claim is given up, and a thread", claimant_gives_up_before_a_thread, two_counted),
    CLAIMED("a claim is given up, and a task", claimant_gives_up_before_a_task, two_counted),
    {.name = "async mutex: beaten for a slice" ON,
     .threads = 1,
     .setup = held_from_the_start,
     .invariant = marks_are_right,
     .thread = beaten_for_a_slice,
     .finish = two_counted},
    {.name = "async mutex: freed by its last user" ON, THREE, .thread = last_one_frees, .finish = was_freed, BOUND(2)});
