/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Two keys in one bucket: a waiter of one does not count for the other, and what runs before a sleep may use both. */
#include "lot.h"

static char key, other_key;
static uint8_t event;
static bool timed_out, was_last_seen;

static void note_time_out(void *context, const void *at, bool was_last) {
    (void)context;
    (void)at;
    was_last_seen = was_last;
}

static const struct plc_park_ops timed = {.timed_out = note_time_out};

static bool has_not_happened(void *context) {
    (void)context;
    return plc_load_relaxed(&event) == 0;
}

static const struct plc_park_ops unless_it_happened = {.validate = has_not_happened};

static void let_it_happen(const char *at) {
    plc_store_relaxed(&event, 1);
    plc_unpark_one(at, NULL, NULL);
}

/* T0 waits a while on one key, T1 on the other until T2 comes. */
static void time_out_beside_a_stranger(int self) {
    if (self == 0)
        timed_out = plc_park(&key, &timed, NULL, 0, soon()).status == PLC_PARK_TIMED_OUT;
    else if (self == 1)
        plc_park(&other_key, &unless_it_happened, NULL, 0, PLC_NO_DEADLINE);
    else
        let_it_happen(&other_key);
}

static void was_the_last_of_its_key(void) {
    MC_ASSERT(timed_out && was_last_seen);
    lot_must_be_empty();
}

/* As a condvar's wait unlocks its mutex, whose waiters are in this bucket too. */
static void wake_another(void *context) {
    (void)context;
    let_it_happen(&other_key);
}

static const struct plc_park_ops waking = {.before_sleep = wake_another};

static void waking_before_the_sleep(int self) {
    if (self == 0)
        plc_park(&key, &waking, NULL, 0, soon());
    else
        plc_park(&other_key, &unless_it_happened, NULL, 0, PLC_NO_DEADLINE);
}

#ifdef IDEAL
#define BOUND 0
#else
#define BOUND 2
#endif
MC_SCENARIOS({.name = "lot: time-out beside a waiter of another key" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = time_out_beside_a_stranger,
              .finish = was_the_last_of_its_key,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "lot: waking another before the sleep" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = waking_before_the_sleep,
              .finish = lot_must_be_empty,
              .preemptions = BOUND ? 3 : 0,
              .stale = 1});
