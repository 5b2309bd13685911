/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The walk sees who is queued all the time, wherever the growth of the table has put it, and nobody who has gone. */
#include "debug/walk.h"
#include "lot.h"

static char key;
static uint32_t parked, walked;
static size_t seen, busy;

static bool count_in(void *context) {
    (void)context;
    plc_fetch_add_relaxed(&parked, 1);
    return true;
}

static const struct plc_park_ops counted = {.validate = count_in};

static void wait_for(const uint32_t *flag) {
    while (plc_load_relaxed(flag) == 0)
        mc_yield();
}

static bool see(void *context, const struct plc_seen_waiter *batch, size_t count) {
    (void)context;
    for (size_t i = 0; i < count; i++) {
        MC_ASSERT(batch[i].key.address == &key && batch[i].key.kind == PLC_WAITER_USER);
        MC_ASSERT(batch[i].thread_id == 1 && batch[i].park_token == 7 && batch[i].companions == 1);
    }
    seen += count;
    return true;
}

static void setup_growth(void) {
    lot_setup();
    plc_bucket_table_wish_to_grow();
}

static void park_here(void) {
    plc_park(&key, &counted, NULL, 7, PLC_NO_DEADLINE);
}

static void walk_once(void) {
    wait_for(&parked);
    busy = plc_walk(see, NULL);
    plc_store_relaxed(&walked, 1);
}

static void walk_while_it_grows(int self) {
    if (self == 0) {
        park_here();
    } else if (self == 1) {
        walk_once();
        while (!plc_unpark_one(&key, NULL, NULL).unparked)
            mc_yield();
    } else {
        wait_for(&parked);
        plc_bucket_table_wish_to_grow();
        plc_bucket_table_wish_to_grow();
        plc_bucket_table_prepare();
        plc_bucket_table_prepare();
    }
}

static void seen_or_busy(void) {
    MC_ASSERT(seen == 1 || (seen == 0 && busy > 0));
    lot_must_be_empty();
}

static void walk_while_it_leaves(int self) {
    if (self == 0) {
        park_here();
    } else if (self == 1) {
        walk_once();
    } else {
        while (!plc_unpark_one(&key, NULL, NULL).unparked)
            mc_yield();
    }
}

static void seen_at_most_once(void) {
    MC_ASSERT(seen <= 1);
    lot_must_be_empty();
}

MC_SCENARIOS({.name = "debug: a walk while the table grows" ON,
              .threads = 3,
              .preemptions = 2,
              .setup = setup_growth,
              .thread = walk_while_it_grows,
              .finish = seen_or_busy},
             {.name = "debug: a walk while a waiter leaves" ON,
              .threads = 3,
              .preemptions = 2,
              .setup = lot_setup,
              .thread = walk_while_it_leaves,
              .finish = seen_at_most_once});
