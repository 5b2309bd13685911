/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A waiter that is about to be moved to its mutex's queue, while a third thread takes that mutex and lets go of it. */
#include <plc/condvar.h>
#include <plc/mutex.h>

#include "processors.h"

static plc_mutex_t mutex;
static plc_condvar_t condvars[16], *condvar;
static bool ready;
static int sections;

/* In another bucket than the mutex, if there are two. */
static void setup(void) {
    one_processor_setup();
    const struct plc_bucket_table *table = plc_current_table();
    const struct plc_bucket *taken = plc_bucket_of(table, &mutex);
    condvar = condvars;
    while (plc_bucket_table_size() > 1 && plc_bucket_of(table, condvar) == taken)
        condvar++;
    MC_ASSERT(condvar < condvars + sizeof condvars / sizeof condvars[0]);
}

/* The mutex's bucket is locked meanwhile, as it is for another lock in it. */
static void section(void) {
    plc_mutex_lock(&mutex);
    sections++;
    if (plc_bucket_table_size() > 1)
        plc_bucket_unlock(plc_bucket_lock(&mutex));
    plc_mutex_unlock(&mutex);
}

/* T0 waits, T1 notifies when it has let go of the mutex, T2 has it now and then. */
static void notified_beside_a_holder(int self) {
    if (self == 2) {
        section();
        return;
    }
    plc_mutex_lock(&mutex);
    if (self == 1)
        ready = true;
    while (!ready)
        plc_condvar_wait(condvar, &mutex);
    plc_mutex_unlock(&mutex);
    if (self == 1)
        plc_condvar_notify_one(condvar);
}

static void all_at_rest(void) {
    MC_ASSERT(sections == 1 && ready);
    MC_ASSERT(mutex.state == 0 && condvar->state == 0);
    lot_must_be_empty();
}

#ifdef IDEAL
#define BOUND 3
#else
#define BOUND 2
#endif
MC_SCENARIOS({.name = "condvar: notified while a third has the mutex" ON,
              .threads = 3,
              .setup = setup,
              .thread = notified_beside_a_holder,
              .finish = all_at_rest,
              .preemptions = BOUND,
              .stale = 1});
