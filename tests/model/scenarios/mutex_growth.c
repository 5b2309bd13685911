/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table grows under a mutex's queue: its bucket has moved, the other one has not yet. */
#include <plc/mutex.h>

#include "lot.h"

static char room[128];
static plc_mutex_t *mutex; /* in the bucket that moves first */
static int counter, time_outs;

static void setup(void) {
    lot_setup();
    mutex = (plc_mutex_t *)(room + (lot_key_in_bucket(room, 0) - room));
}

/* Moves one bucket, if somebody waits: the table is still the old one then. */
static void grow_a_little(void) {
    for (int i = 0; i < 3; i++)
        plc_bucket_table_wish_to_grow();
    plc_bucket_table_prepare();
}

static void grow_while_holding(int self) {
    if (self == 0) {
        plc_mutex_lock(mutex);
        grow_a_little();
        counter++;
        plc_mutex_unlock(mutex);
    } else {
        plc_mutex_lock(mutex);
        counter++;
        plc_mutex_unlock(mutex);
    }
}

static void time_out_after_growth(int self) {
    if (self != 1) {
        grow_while_holding(self);
    } else if (plc_mutex_lock_until(mutex, soon())) {
        counter++;
        plc_mutex_unlock(mutex);
    } else {
        mc_lock(&time_outs);
        time_outs++;
        mc_unlock(&time_outs);
    }
}

static void all_had_it(void) {
    MC_ASSERT(counter + time_outs == mc_thread_count());
    MC_ASSERT(!plc_mutex_is_locked(mutex) && plc_load_relaxed(&mutex->state) == 0);
    lot_must_be_empty();
}

#define BOUND(n) .preemptions = (n), .stale = 1
MC_SCENARIOS({.name = "mutex: its bucket moves while one waits" ON,
              .threads = 2,
              .setup = setup,
              .thread = grow_while_holding,
              .finish = all_had_it,
              BOUND(4)},
             {.name = "mutex: its bucket moves while two wait" ON,
              .threads = 3,
              .setup = setup,
              .thread = grow_while_holding,
              .finish = all_had_it,
              BOUND(2)},
             {.name = "mutex: its bucket moves while one gives up" ON,
              .threads = 2,
              .setup = setup,
              .thread = time_out_after_growth,
              .finish = all_had_it,
              BOUND(4)},
             {.name = "mutex: its bucket moves while one of two gives up" ON,
              .threads = 3,
              .setup = setup,
              .thread = time_out_after_growth,
              .finish = all_had_it,
              BOUND(2)});
