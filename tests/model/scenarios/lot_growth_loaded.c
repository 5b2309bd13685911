/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table grows while somebody is parked, whom others unpark or move, or whose time is up. */
#include "lot.h"

/* In two buckets, if there are two: the first one moves first. */
static char keys[128];
static const char *key, *other_key;
static uint32_t parked;
static int woken, timed_out;

static void setup(void) {
    lot_setup();
    key = lot_key_in_bucket(keys, 1);
    other_key = lot_key_in_bucket(key + 1, 0);
}

static bool count_in(void *context) {
    (void)context;
    plc_fetch_add_relaxed(&parked, 1);
    return true;
}

static const struct plc_park_ops counted = {.validate = count_in};

static void wait_until_parked(void) {
    while (plc_load_relaxed(&parked) == 0)
        mc_yield();
}

/* Wished for twice, as the first wish may have been considered when the waiter came. */
static void grow(void) {
    wait_until_parked();
    for (int i = 0; i < 3; i++)
        plc_bucket_table_wish_to_grow();
    plc_bucket_table_prepare();
    plc_bucket_table_prepare(); /* the second bucket, if there are two */
}

static void unpark_until_woken(const char *at) {
    while (!plc_unpark_one(at, NULL, NULL).unparked)
        mc_yield();
    woken++;
}

static enum plc_requeue_op move_one(void *context) {
    (void)context;
    return PLC_REQUEUE_ONE;
}

/* T0 is parked, T1 grows the table, T2 wakes T0. */
static void against_unpark(int self) {
    if (self == 0)
        plc_park(key, &counted, NULL, 0, PLC_NO_DEADLINE);
    else if (self == 1)
        grow();
    else
        unpark_until_woken(key);
}

static void against_requeue(int self) {
    if (self == 0) {
        plc_park(key, &counted, NULL, 0, PLC_NO_DEADLINE);
    } else if (self == 1) {
        grow();
    } else {
        wait_until_parked();
        MC_ASSERT(plc_unpark_requeue(key, other_key, move_one, NULL, NULL).requeued == 1);
        unpark_until_woken(other_key);
    }
}

static void somebody_was_woken(void) {
    MC_ASSERT(woken == 1);
    lot_must_be_empty();
}

static void against_time_out(int self) {
    if (self == 0)
        timed_out = plc_park(key, &counted, NULL, 0, soon()).status == PLC_PARK_TIMED_OUT;
    else
        grow();
}

static void ran_out_of_time(void) {
    MC_ASSERT(timed_out);
    lot_must_be_empty();
}

#ifdef IDEAL
#define BOUND 3
#else
#define BOUND 2
#endif
MC_SCENARIOS({.name = "growth: with a waiter, against an unpark" ON,
              .threads = 3,
              .setup = setup,
              .thread = against_unpark,
              .finish = somebody_was_woken,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "growth: with a waiter, against a requeue" ON,
              .threads = 3,
              .setup = setup,
              .thread = against_requeue,
              .finish = somebody_was_woken,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "growth: with a waiter whose time is up" ON,
              .threads = 2,
              .setup = setup,
              .thread = against_time_out,
              .finish = ran_out_of_time,
              .preemptions = BOUND,
              .stale = 1});
