/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who walks past a stranger wishes for a larger table; the next thread that parks makes it, and may find no memory. */
#include "lot.h"

static char key, other_key;
static uint32_t parked;
static bool grown;

static bool count_in(void *context) {
    (void)context;
    plc_store_relaxed(&parked, 1);
    return true;
}

static const struct plc_park_ops counted = {.validate = count_in};

/* T0 parks; T1 passes it in vain, parks itself for a while, and finds T0 in whatever table there is by then. */
static void wish_and_park(int self) {
    if (self == 0) {
        MC_ASSERT(plc_park(&key, &counted, NULL, 0, PLC_NO_DEADLINE).status == PLC_PARK_UNPARKED);
        return;
    }
    while (!plc_load_relaxed(&parked))
        mc_yield();
    MC_ASSERT(!plc_unpark_one(&other_key, NULL, NULL).unparked);
    MC_ASSERT(plc_park(&other_key, &no_ops, NULL, 0, soon()).status == PLC_PARK_TIMED_OUT);
    grown = plc_bucket_table_size() > 1;
    MC_ASSERT(plc_unpark_one(&key, NULL, NULL).unparked == 1);
}

static void grown_if_there_was_memory(void) {
    MC_OUTCOME(grown);
    lot_must_be_empty();
}

/* Each wish in vain makes the next one count for less; the largest table has no use for any. */
static void largest_table(void) {
    lot_setup();
    for (int i = 0; i < 100; i++) {
        plc_bucket_table_wish_to_grow();
        plc_bucket_table_prepare();
    }
}

static void prepare(int self) {
    (void)self;
    plc_bucket_table_wish_to_grow();
    plc_bucket_table_prepare();
}

static void still_one_bucket(void) {
    MC_ASSERT(plc_bucket_table_size() == 1); /* nobody waits: no load */
    lot_must_be_empty();
}

MC_SCENARIOS({.name = "growth: a stranger is passed" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = wish_and_park,
              .finish = grown_if_there_was_memory,
              .page_failures = 1,
              .outcomes = "0 1",
              .preemptions = 4,
              .stale = 1},
             {.name = "growth: wishes without load" ON,
              .threads = 2,
              .setup = largest_table,
              .thread = prepare,
              .finish = still_one_bucket,
              .preemptions = 4,
              .stale = 1});
