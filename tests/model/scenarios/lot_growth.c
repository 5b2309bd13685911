/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table grows, from one bucket or two, while others park, unpark and requeue. */
#include "lot.h"

static char key, other_key;
static uint32_t parked;
static int woken, requeued, timed_out;

static void setup(void) {
    lot_setup();
    plc_bucket_table_wish_to_grow();
}

static bool count_in(void *context) {
    (void)context;
    plc_fetch_add_relaxed(&parked, 1);
    return true;
}

static const struct plc_park_ops counted = {.validate = count_in};

static void unpark_until_woken(const char *at) {
    while (!plc_unpark_one(at, NULL, NULL).unparked)
        mc_yield();
    woken++;
}

/* T0 parks, which may grow the table at that time; T1 does nothing but consider growth; T2 unparks T0. */
static void growth_vs_park_and_unpark(int self) {
    if (self == 0)
        plc_park(&key, &counted, NULL, 0, PLC_NO_DEADLINE);
    else if (self == 1)
        plc_bucket_table_prepare();
    else
        unpark_until_woken(&key);
}

static void somebody_was_woken(void) {
    MC_ASSERT(woken == 1);
    lot_must_be_empty();
}

static enum plc_requeue_op move_one(void *context) {
    (void)context;
    return PLC_REQUEUE_ONE;
}

static void growth_vs_requeue(int self) {
    if (self == 0) {
        plc_park(&key, &counted, NULL, 0, PLC_NO_DEADLINE);
    } else if (self == 1) {
        plc_bucket_table_prepare();
    } else {
        while (plc_load_relaxed(&parked) == 0)
            mc_yield();
        requeued = (int)plc_unpark_requeue(&key, &other_key, move_one, NULL, NULL).requeued;
        MC_ASSERT(requeued == 1);
        unpark_until_woken(&other_key);
    }
}

/* The waiter leaves by time-out out of a table that it was moved to. */
static void growth_vs_time_out(int self) {
    if (self == 0)
        timed_out = plc_park(&key, &counted, NULL, 0, soon()).status == PLC_PARK_TIMED_OUT;
    else if (self == 1)
        plc_bucket_table_prepare();
    else
        woken = (int)plc_unpark_one(&key, NULL, NULL).unparked;
}

static void left_or_woken(void) {
    MC_ASSERT(woken + timed_out == 1);
    lot_must_be_empty();
}

/* Both may see the wish, one after the other may act on it. */
static void two_growths(int self) {
    (void)self;
    plc_bucket_table_prepare();
    plc_bucket_table_wish_to_grow();
    plc_bucket_table_prepare();
}

/* ---- T0 is queued while T1 replaces the table, and T2 has just looked up a bucket of the old one, or two. */

static void wait_until_parked(void) {
    while (plc_load_relaxed(&parked) == 0)
        mc_yield();
}

static void grow_with_a_waiter(void) {
    wait_until_parked();
    plc_bucket_table_wish_to_grow();
    plc_bucket_table_wish_to_grow();
    plc_bucket_table_prepare();
    plc_bucket_table_prepare(); /* the second bucket, if there are two */
    unpark_until_woken(&key);
}

static void growth_vs_lookup(int self) {
    if (self == 0) {
        plc_park(&key, &counted, NULL, 0, PLC_NO_DEADLINE);
    } else if (self == 1) {
        grow_with_a_waiter();
    } else {
        wait_until_parked();
        MC_ASSERT(!plc_unpark_one(&other_key, NULL, NULL).unparked);
    }
}

static void growth_vs_pair(int self) {
    if (self == 0) {
        plc_park(&key, &counted, NULL, 0, PLC_NO_DEADLINE);
    } else if (self == 1) {
        grow_with_a_waiter();
    } else {
        wait_until_parked();
        MC_ASSERT(plc_unpark_requeue(&other_key, &key, move_one, NULL, NULL).requeued == 0);
    }
}

/* It grows, unless T1 reads an old count of waiters. */
static void may_have_grown(void) {
    MC_OUTCOME(plc_bucket_table_size() > PLC_FIRST_TABLE_SIZE);
    somebody_was_woken();
}

#ifdef IDEAL
#define BOUND 3
#else
#define BOUND 2
#endif
MC_SCENARIOS({.name = "growth: two at once" ON,
              .threads = 2,
              .setup = setup,
              .thread = two_growths,
              .finish = lot_must_be_empty,
              .preemptions = 4,
              .stale = 2},
             {.name = "growth: against a lookup" ON,
              .threads = 3,
              .setup = setup,
              .thread = growth_vs_lookup,
              .finish = may_have_grown,
              .outcomes = "0 1",
              .preemptions = 2,
              .stale = 1},
             {.name = "growth: against park and unpark" ON,
              .threads = 3,
              .setup = setup,
              .thread = growth_vs_park_and_unpark,
              .finish = somebody_was_woken,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "growth: there may be no memory" ON,
              .threads = 3,
              .setup = setup,
              .thread = growth_vs_park_and_unpark,
              .finish = somebody_was_woken,
              .page_failures = 1,
              .preemptions = 2,
              .stale = 1},
             {.name = "growth: against the locking of a pair" ON,
              .threads = 3,
              .setup = setup,
              .thread = growth_vs_pair,
              .finish = may_have_grown,
              .outcomes = "0 1",
              .preemptions = 2,
              .stale = 1},
             {.name = "growth: against requeue" ON,
              .threads = 3,
              .setup = setup,
              .thread = growth_vs_requeue,
              .finish = somebody_was_woken,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "growth: against a time-out" ON,
              .threads = 3,
              .setup = setup,
              .thread = growth_vs_time_out,
              .finish = left_or_woken,
              .preemptions = BOUND,
              .stale = 1});
