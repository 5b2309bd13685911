/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The condition variable may be freed as soon as nobody is queued on it, and be used with another mutex. */
#include <plc/condvar.h>
#include <plc/mutex.h>

#include "lot.h"
#include "processors.h"
#include "sync/condvar.h"

static plc_mutex_t mutex, other;
static plc_condvar_t condvar;
static bool waiting, back, told;
static int ended, notified, found;

static void lock_when_waiting(void) {
    plc_mutex_lock(&mutex);
    while (!waiting) {
        plc_mutex_unlock(&mutex);
        mc_yield();
        plc_mutex_lock(&mutex);
    }
}

static void free_condvar(void) {
    mc_lifetime_end(&condvar, sizeof condvar);
}

static void mutexes_at_rest(void) {
    MC_ASSERT(mutex.state == 0 && other.state == 0);
    lot_must_be_empty();
}

/* ---- Freed by the notifier, when its call has returned, wherever the waiter is by then. */

static void wait_once(void) {
    plc_mutex_lock(&mutex);
    waiting = true;
    plc_condvar_wait(&condvar, &mutex);
    plc_mutex_unlock(&mutex);
}

static void wait_a_while(void) {
    plc_mutex_lock(&mutex);
    waiting = true;
    notified = plc_condvar_wait_until(&condvar, &mutex, soon());
    plc_mutex_unlock(&mutex);
}

/* There is one waiter: both forms find all there is. */
static int notify_by_choice(void) {
    return mc_choose(2) ? plc_condvar_notify_one(&condvar) : (int)plc_condvar_notify_all(&condvar);
}

static void notify_and_free(bool held) {
    lock_when_waiting();
    if (!held)
        plc_mutex_unlock(&mutex);
    found = notify_by_choice();
    free_condvar();
    if (held)
        plc_mutex_unlock(&mutex);
}

static void freed_after_notification(int self) {
    if (self == 0)
        wait_once();
    else
        notify_and_free(false);
}

static void freed_after_notification_under_lock(int self) {
    if (self == 0)
        wait_once();
    else
        notify_and_free(true);
}

/* If the waiter's time was up it has left, and the word that says so is all that orders its leaving before the end. */
static void freed_after_notification_or_time_out(int self) {
    if (self == 0)
        wait_a_while();
    else
        notify_and_free(false);
}

static void told_the_truth(void) {
    MC_ASSERT(found == notified);
    mutexes_at_rest();
}

/* ---- Freed by the waiter, when its wait has returned, while the notifier may still be in its call. */

static void freed_by_the_woken(int self) {
    if (self == 0) {
        wait_once();
        free_condvar();
    } else {
        lock_when_waiting();
        plc_mutex_unlock(&mutex);
        MC_ASSERT(notify_by_choice() == 1);
    }
}

/* ---- Used with one mutex and then with another. A notification which saw the first must not act on it. */

static void notify_somebody(void) {
#ifdef BROADCAST
    while (!plc_condvar_notify_all(&condvar))
        mc_yield();
#else
    while (!plc_condvar_notify_one(&condvar))
        mc_yield();
#endif
}

static void await(const bool *flag) {
    while (!plc_load_acquire(flag))
        mc_yield();
}

/* T2 holds the first mutex while T0 waits with the other, until T1 has notified somebody. */
static void mutexes_in_turn(int self) {
    if (self == 0) {
        wait_once();
        plc_store_release(&back, true);
        plc_mutex_lock(&other);
        plc_condvar_wait(&condvar, &other);
        ended++;
        plc_mutex_unlock(&other);
    } else if (self == 1) {
        notify_somebody();
        plc_store_release(&told, true);
    } else {
        notify_somebody();
        await(&back);
        plc_mutex_lock(&mutex);
        await(&told);
        plc_mutex_unlock(&mutex);
    }
}

static void waited_twice(void) {
    MC_ASSERT(ended == 1 && condvar.state == 0);
    mutexes_at_rest();
}

/* ---- Two mutexes at once where that degrades: T0 waits already; T2's notification finds it, whatever T1 makes of the
   word meanwhile. */

static void wait_degrading(plc_mutex_t *with) {
    const struct plc_condvar_request request = {.mutex = with, .deadline = PLC_NO_DEADLINE, .degrade = true};
    plc_mutex_lock(with);
    if (with == &mutex)
        waiting = true;
    MC_ASSERT(plc_condvar_wait_core_(&condvar, &request));
    plc_mutex_unlock(with);
}

static void degraded(int self) {
    if (self == 0) {
        wait_degrading(&mutex);
    } else if (self == 1) {
        wait_degrading(&other);
    } else {
        lock_when_waiting();
        plc_mutex_unlock(&mutex);
        MC_ASSERT(plc_condvar_notify_one(&condvar));
        notify_somebody();
    }
}

static void all_at_rest(void) {
    MC_ASSERT(condvar.state == 0);
    mutexes_at_rest();
}

#define TWO .threads = 2, .setup = lot_setup
#define THREE .threads = 3, .setup = lot_setup
#define TWO_ON_ONE .threads = 2, .setup = one_processor_setup
#define THREE_ON_ONE .threads = 3, .setup = one_processor_setup
MC_SCENARIOS({.name = "condvar: freed after a notification" ON,
              TWO,
              .thread = freed_after_notification,
              .finish = mutexes_at_rest,
              .preemptions = 3,
              .stale = 1},
             {.name = "condvar: freed after a notification under the lock" ON,
              TWO,
              .thread = freed_after_notification_under_lock,
              .finish = mutexes_at_rest,
              .preemptions = 3,
              .stale = 1},
             {.name = "condvar: freed after a notification under the lock, on one processor" ON,
              TWO_ON_ONE,
              .thread = freed_after_notification_under_lock,
              .finish = mutexes_at_rest,
              .preemptions = 3,
              .stale = 1},
             {.name = "condvar: freed after a notification or a time-out" ON,
              TWO,
              .thread = freed_after_notification_or_time_out,
              .finish = told_the_truth,
              .preemptions = 3,
              .stale = 1},
             {.name = "condvar: freed by the woken waiter" ON,
              TWO,
              .thread = freed_by_the_woken,
              .finish = mutexes_at_rest,
              .preemptions = 3,
              .stale = 1},
             {.name = "condvar: one mutex, then another" ON,
              THREE_ON_ONE,
              .thread = mutexes_in_turn,
              .finish = waited_twice,
              .preemptions = 1,
              .stale = 1},
             {.name = "condvar: two mutexes degrade" ON,
              THREE_ON_ONE,
              .thread = degraded,
              .finish = all_at_rest,
              .preemptions = 1,
              .stale = 1});
