/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The condition variable: no notification is lost, whoever holds the mutex and whoever runs out of time. */
#include <plc/condvar.h>
#include <plc/mutex.h>

#include "lot.h"
#include "processors.h"

static plc_mutex_t mutex;
static plc_condvar_t condvar;
static bool ready;
static int items, waits_ended, notified, timed_out, found, told, waiting, told_as[2];

static void all_at_rest(void) {
    MC_ASSERT(mutex.state == 0);
    MC_ASSERT(condvar.state == 0);
    lot_must_be_empty();
}

static void wait_until_ready(void) {
    plc_mutex_lock(&mutex);
    while (!ready)
        plc_condvar_wait(&condvar, &mutex);
    waits_ended++;
    plc_mutex_unlock(&mutex);
}

static void make_ready(void) {
    plc_mutex_lock(&mutex);
    ready = true;
    plc_mutex_unlock(&mutex);
}

/* T0 waits; T1 makes it ready and notifies when it has let go of the mutex. */
static void notify_after_unlock(int self) {
    if (self == 0) {
        wait_until_ready();
    } else {
        make_ready();
        plc_condvar_notify_one(&condvar);
    }
}

static void notify_under_lock(int self) {
    if (self == 0) {
        wait_until_ready();
    } else {
        plc_mutex_lock(&mutex);
        ready = true;
        plc_condvar_notify_one(&condvar);
        plc_mutex_unlock(&mutex);
    }
}

/* Two wait for one item each; the third produces two, and notifies once for each. */
static void one_each(int self) {
    if (self < 2) {
        plc_mutex_lock(&mutex);
        while (items == 0)
            plc_condvar_wait(&condvar, &mutex);
        items--;
        waits_ended++;
        plc_mutex_unlock(&mutex);
    } else {
        for (int i = 0; i < 2; i++) {
            plc_mutex_lock(&mutex);
            items++;
            plc_mutex_unlock(&mutex);
            found += plc_condvar_notify_one(&condvar);
        }
    }
}

static void one_each_under_lock(int self) {
    if (self < 2) {
        one_each(self);
    } else {
        for (int i = 0; i < 2; i++) {
            plc_mutex_lock(&mutex);
            items++;
            found += plc_condvar_notify_one(&condvar);
            plc_mutex_unlock(&mutex);
        }
    }
}

/* T0 has come first; the first of two notifications goes to T1 if that is awake and T0 sleeps. */
static void awake_first(int self) {
    if (self < 2) {
        plc_mutex_lock(&mutex);
        while (waiting < self) {
            plc_mutex_unlock(&mutex);
            mc_yield();
            plc_mutex_lock(&mutex);
        }
        waiting++;
        plc_condvar_wait(&condvar, &mutex);
        told_as[self] = told;
        waits_ended++;
        plc_mutex_unlock(&mutex);
    } else {
        for (int i = 0; i < 2; i++) {
            plc_mutex_lock(&mutex);
            while (waiting < 2 || waits_ended < i) {
                plc_mutex_unlock(&mutex);
                mc_yield();
                plc_mutex_lock(&mutex);
            }
            told = i;
            plc_mutex_unlock(&mutex);
            MC_ASSERT(plc_condvar_notify_one(&condvar));
        }
    }
}

static void all_notified(int self) {
    if (self < 2) {
        wait_until_ready();
    } else {
        make_ready();
        found = (int)plc_condvar_notify_all(&condvar);
    }
}

static void all_notified_under_lock(int self) {
    if (self < 2) {
        wait_until_ready();
    } else {
        plc_mutex_lock(&mutex);
        ready = true;
        found = (int)plc_condvar_notify_all(&condvar);
        plc_mutex_unlock(&mutex);
    }
}

/* Two waiters, and a third thread which takes the mutex while they are moved to its queue. */
static void one_woke(void) {
    MC_ASSERT(waits_ended == 1);
    all_at_rest();
}

static void two_woke(void) {
    MC_ASSERT(waits_ended == 2);
    MC_ASSERT(found <= 2);
    all_at_rest();
}

static void two_woke_in_either_order(void) {
    two_woke();
    MC_OUTCOME(told_as[0], told_as[1]);
}

/* A wait that ends by time or by notification, and says which; the notifier says whether it found somebody. */
static void timed_wait(void) {
    plc_mutex_lock(&mutex);
    if (plc_condvar_wait_until(&condvar, &mutex, soon()))
        notified++;
    else
        timed_out++;
    plc_mutex_unlock(&mutex);
}

static void time_out_vs_notify(int self) {
    if (self == 0)
        timed_wait();
    else
        found = plc_condvar_notify_one(&condvar);
}

static void time_out_vs_notify_under_lock(int self) {
    if (self == 0) {
        timed_wait();
    } else {
        plc_mutex_lock(&mutex);
        found = plc_condvar_notify_one(&condvar);
        plc_mutex_unlock(&mutex);
    }
}

/* A notification that found a waiter is not swallowed by its time-out. */
static void told_the_truth(void) {
    MC_ASSERT(notified == found);
    MC_ASSERT(notified + timed_out == 1);
    all_at_rest();
}

/* T0 waits for a while, T1 for ever; one notification. If T0 reports a time-out, T1 has had it, or gets it from T2. */
static void not_swallowed(int self) {
    if (self == 0) {
        timed_wait();
    } else if (self == 1) {
        wait_until_ready();
    } else {
        make_ready();
        plc_condvar_notify_one(&condvar);
        plc_mutex_lock(&mutex);
        bool somebody_else_had_it = notified > 0;
        plc_mutex_unlock(&mutex);
        (void)somebody_else_had_it;
        plc_condvar_notify_one(&condvar);
    }
}

/* The waiter frees the condvar as soon as it is told; the notifier must not touch it any more. */
static void freed_by_the_waiter(int self) {
    if (self == 0) {
        wait_until_ready();
        plc_mutex_lock(&mutex); /* the notifier has left the critical section in which it notified */
        plc_mutex_unlock(&mutex);
        mc_lifetime_end(&condvar, sizeof condvar);
    } else {
        plc_mutex_lock(&mutex);
        ready = true;
        plc_condvar_notify_all(&condvar);
        plc_mutex_unlock(&mutex);
    }
}

/* ---- Another lock than ours */

static char other_lock;

static void lock_other(void *lock) {
    mc_lock(lock);
}

static void unlock_other(void *lock) {
    mc_unlock(lock);
}

static const struct plc_lock_ops other_ops = {.lock = lock_other, .unlock = unlock_other};

static void any_lock(int self) {
    if (self < 2) {
        mc_lock(&other_lock);
        while (!ready)
            plc_condvar_wait_any(&condvar, &other_ops, &other_lock);
        waits_ended++;
        mc_unlock(&other_lock);
    } else {
        mc_lock(&other_lock);
        ready = true;
        mc_unlock(&other_lock);
        told = (int)plc_condvar_notify_all(&condvar);
    }
}

#ifdef IDEAL
#define BOUND(n) .preemptions = 0
#define BOUND3(n) .preemptions = (n), .stale = 1
#define ALL .executions = 1100000 /* to the end */
#else
#define BOUND(n) .preemptions = (n), .stale = 1
#define BOUND3(n) .preemptions = (n)-1, .stale = 1
#define ALL .executions = 0
#endif
#ifdef BROADCAST
#define ALL_IF_MOVED ALL
#else
#define ALL_IF_MOVED .executions = 0 /* condvar_crowd.c has the same with less beside it */
#endif
#define TWO .threads = 2, .setup = lot_setup
#define THREE .threads = 3, .setup = lot_setup
#define TWO_ON_ONE .threads = 2, .setup = one_processor_setup
#define THREE_ON_ONE .threads = 3, .setup = one_processor_setup
MC_SCENARIOS(
    {.name = "condvar: notify after unlock" ON, TWO, .thread = notify_after_unlock, .finish = one_woke, BOUND(4)},
    {.name = "condvar: notify under the lock" ON, TWO, .thread = notify_under_lock, .finish = one_woke, BOUND(4)},
    {.name = "condvar: notify under the lock, on one processor" ON,
     TWO_ON_ONE,
     .thread = notify_under_lock,
     .finish = one_woke,
     BOUND(4)},
    {.name = "condvar: one notification for each of two" ON, THREE, .thread = one_each, .finish = two_woke, BOUND3(3)},
    {.name = "condvar: one notification under the lock for each of two, on one processor" ON,
     THREE_ON_ONE,
     .thread = one_each_under_lock,
     .finish = two_woke,
     BOUND3(3)},
    {.name = "condvar: one that is awake first, but not for long" ON,
     THREE,
     .thread = awake_first,
     .finish = two_woke_in_either_order,
     .clock_jumps = 1,
     .outcomes = "01 10",
     BOUND3(3)},
    {.name = "condvar: time-out racing notify" ON,
     TWO,
     .thread = time_out_vs_notify,
     .finish = told_the_truth,
     BOUND(4)},
    {.name = "condvar: time-out racing notify under the lock" ON,
     TWO,
     .thread = time_out_vs_notify_under_lock,
     .finish = told_the_truth,
     BOUND(4)},
    {.name = "condvar: time-out racing notify under the lock, on one processor" ON,
     TWO_ON_ONE,
     .thread = time_out_vs_notify_under_lock,
     .finish = told_the_truth,
     BOUND(4)},
    {.name = "condvar: a time-out does not swallow a notification" ON,
     THREE,
     .thread = not_swallowed,
     .finish = one_woke,
     BOUND3(3)},
    {.name = "condvar: freed by the waiter" ON,
     TWO,
     .thread = freed_by_the_waiter,
     .finish = lot_must_be_empty,
     BOUND(4)},
    {.name = "condvar: with another lock" ON, THREE, .thread = any_lock, .finish = two_woke, BOUND3(3)},
    /* The longest come last. */
    {.name = "condvar: notify_all after unlock" ON, THREE, .thread = all_notified, .finish = two_woke, BOUND3(3), ALL},
    {.name = "condvar: notify_all under the lock" ON,
     THREE,
     .thread = all_notified_under_lock,
     .finish = two_woke,
     BOUND3(3),
     ALL_IF_MOVED});
