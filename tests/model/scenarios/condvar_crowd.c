/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A broadcast beside a held mutex: its waiters are left to the unlock, beside others who want the mutex or run out of time. */
#include <plc/condvar.h>
#include <plc/mutex.h>

#include "lot.h"

static plc_mutex_t mutex;
static plc_condvar_t condvars[16], *condvar;
static bool ready;
static int sections, waits_ended, notified, timed_out, found;

/* In another bucket than the mutex, if there are two. */
static void setup(void) {
    lot_setup();
    const struct plc_bucket_table *table = plc_current_table();
    const struct plc_bucket *taken = plc_bucket_of(table, &mutex);
    condvar = condvars;
    while (plc_bucket_table_size() > 1 && plc_bucket_of(table, condvar) == taken)
        condvar++;
    MC_ASSERT(condvar < condvars + sizeof condvars / sizeof condvars[0]);
}

static void wait_until_ready(void) {
    plc_mutex_lock(&mutex);
    while (!ready)
        plc_condvar_wait(condvar, &mutex);
    waits_ended++;
    plc_mutex_unlock(&mutex);
}

static void broadcast(void) {
    plc_mutex_lock(&mutex);
    ready = true;
    found = (int)plc_condvar_notify_all(condvar);
    plc_mutex_unlock(&mutex);
}

/* T0 waits, T1 broadcasts, T2 wants the mutex: it may be queued before T0 or behind it, or take the mutex in between. */
static void beside_a_locker(int self) {
    if (self == 0) {
        wait_until_ready();
    } else if (self == 1) {
        broadcast();
    } else {
        plc_mutex_lock(&mutex);
        sections++;
        plc_mutex_unlock(&mutex);
    }
}

static void all_at_rest(void) {
    MC_ASSERT(mutex.state == 0 && condvar->state == 0);
    lot_must_be_empty();
}

static void waited_and_locked(void) {
    MC_ASSERT(waits_ended == 1 && sections == 1 && ready);
    all_at_rest();
}

/* The broadcast does not own the mutex: somebody else does, or nobody. */
static void broadcast_without_the_mutex(void) {
    plc_mutex_lock(&mutex);
    ready = true;
    plc_mutex_unlock(&mutex);
    found = (int)plc_condvar_notify_all(condvar);
}

static void beside_a_holder(int self) {
    if (self == 0) {
        wait_until_ready();
    } else if (self == 1) {
        broadcast_without_the_mutex();
    } else {
        plc_mutex_lock(&mutex);
        sections++;
        plc_mutex_unlock_fair(&mutex);
    }
}

/* The mutex's bucket is locked, as it is for another lock in it; and when it no longer is, the mutex may be free. */
static void beside_a_bucket_section(int self) {
    if (self < 2) {
        beside_a_holder(self);
    } else {
        plc_mutex_lock(&mutex);
        sections++;
        plc_bucket_unlock(plc_bucket_lock(&mutex));
        plc_mutex_unlock(&mutex);
    }
}

/* T0's time runs out before the broadcast, or in the condvar's queue, or in the mutex's. */
static void beside_a_time_out(int self) {
    if (self == 0) {
        plc_mutex_lock(&mutex);
        if (plc_condvar_wait_until(condvar, &mutex, soon()))
            notified++;
        else
            timed_out++;
        plc_mutex_unlock(&mutex);
    } else {
        broadcast();
    }
}

static void told_the_truth(void) {
    MC_ASSERT(notified == found && notified + timed_out == 1);
    all_at_rest();
}

#ifdef IDEAL
#define BOUND 2
#else
#define BOUND 1
#endif
#define THREE .threads = 3, .setup = setup, .preemptions = BOUND, .stale = 1
MC_SCENARIOS({.name = "condvar: a broadcast racing a time-out" ON,
              .threads = 2,
              .setup = setup,
              .thread = beside_a_time_out,
              .finish = told_the_truth,
              .preemptions = 4,
              .stale = 1},
             {.name = "condvar: a broadcast beside one who locks the mutex" ON,
              THREE,
              .thread = beside_a_locker,
              .finish = waited_and_locked},
             {.name = "condvar: a broadcast without the mutex, which another has" ON,
              THREE,
              .thread = beside_a_holder,
              .finish = waited_and_locked},
             {.name = "condvar: a broadcast while somebody has the mutex's bucket" ON,
              THREE,
              .thread = beside_a_bucket_section,
              .finish = waited_and_locked});
