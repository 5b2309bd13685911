/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a park calls back, and when: before the sleep, around it, and when time has run out; and a park within one. */
#include "lot.h"

static char key, inner_key;
static uint8_t guard; /* a lock, given up before the sleep */
static bool ready;
static int begins, ends, statuses[2], time_outs;
static uint32_t inner_parked;

/* ---- before_sleep gives another lock up when nobody can miss the sleeper any more: a condvar in miniature. */

static void unlock_guard(void *context) {
    (void)context;
    mc_unlock(&guard);
}

static const struct plc_park_ops unlocking = {.before_sleep = unlock_guard};

static void wait_or_tell(int self) {
    mc_lock(&guard);
    if (self) {
        ready = true;
        mc_unlock(&guard);
        plc_unpark_one(&key, NULL, NULL);
    } else if (ready) {
        mc_unlock(&guard);
    } else {
        plc_park(&key, &unlocking, NULL, 0, PLC_NO_DEADLINE);
    }
}

/* ---- wait_begin and wait_end come in pairs, around sleeps only, with no bucket locked. */

static void begin(void *context) {
    (void)context;
    MC_ASSERT(begins == ends);
    begins++;
    plc_bucket_unlock(plc_bucket_lock(&key));
}

static void end(void *context) {
    (void)context;
    ends++;
    MC_ASSERT(begins == ends);
}

static void count_time_out(void *context, const void *at, bool was_last) {
    (void)context;
    MC_ASSERT(at == &key && was_last);
    time_outs++;
}

static const struct plc_park_ops with_hooks = {.wait_begin = begin, .wait_end = end, .timed_out = count_time_out};

static void wait_with_hooks(int self) {
    if (self == 0)
        statuses[0] = (int)plc_park(&key, &with_hooks, NULL, 0, soon()).status;
    else
        statuses[1] = (int)plc_unpark_one(&key, NULL, NULL).unparked;
}

static void hooks_in_pairs(void) {
    MC_ASSERT(begins == ends);
    MC_ASSERT((statuses[0] == PLC_PARK_UNPARKED) == (statuses[1] == 1));
    MC_ASSERT(time_outs == (statuses[0] == PLC_PARK_TIMED_OUT));
    lot_must_be_empty();
}

/* ---- A park inside of before_sleep: the thread's node is queued already, the inner one lies on the stack. */

static bool count_in(void *context) {
    (void)context;
    plc_store_relaxed(&inner_parked, 1);
    return true;
}

static const struct plc_park_ops inner = {.validate = count_in};

static void park_inside(void *context) {
    (void)context;
    MC_ASSERT(plc_park(&inner_key, &inner, NULL, 0, PLC_NO_DEADLINE).status == PLC_PARK_UNPARKED);
}

static const struct plc_park_ops outer = {.before_sleep = park_inside};

/* Whoever is in the inner park is queued twice; either wake may come first. */
static void park_within_a_park(int self) {
    if (self == 0) {
        MC_ASSERT(plc_park(&key, &outer, NULL, 0, PLC_NO_DEADLINE).status == PLC_PARK_UNPARKED);
        return;
    }
    while (!plc_load_relaxed(&inner_parked))
        mc_yield();
    const char *const first = mc_choose(2) ? &key : &inner_key;
    MC_ASSERT(plc_unpark_one(first, NULL, NULL).unparked == 1);
    MC_ASSERT(plc_unpark_one(first == &key ? &inner_key : &key, NULL, NULL).unparked == 1);
}

/* ---- Who queues in front is woken first, if it is still there; and a requeue may wake just one. */

static uint32_t parked;

static bool count_parked(void *context) {
    (void)context;
    plc_fetch_add_relaxed(&parked, 1);
    return true;
}

static void in_front_already(void *context, const void *at, bool was_last) {
    (void)context;
    MC_ASSERT(at == &key && !was_last);
    time_outs++;
}

static const struct plc_park_ops behind = {.validate = count_parked};
static const struct plc_park_ops in_front = {.timed_out = in_front_already, .flags = PLC_PARK_AT_FRONT};

static enum plc_requeue_op wake_one(void *context) {
    (void)context;
    return PLC_REQUEUE_WAKE_ONE;
}

/* T1 queues in front of T0, leaves when its time is up, and wakes the one that is left. */
static void front_leaves_first(int self) {
    if (self == 0) {
        MC_ASSERT(plc_park(&key, &behind, NULL, 0, PLC_NO_DEADLINE).status == PLC_PARK_UNPARKED);
        return;
    }
    while (!plc_load_relaxed(&parked))
        mc_yield();
    MC_ASSERT(plc_park(&key, &in_front, NULL, 0, soon()).status == PLC_PARK_TIMED_OUT);
    struct plc_unpark_result result = plc_unpark_requeue(&key, &inner_key, wake_one, NULL, NULL);
    MC_ASSERT(result.unparked == 1 && result.requeued == 0 && !result.have_more);
}

static void front_left(void) {
    MC_ASSERT(time_outs == 1);
    lot_must_be_empty();
}

#define TWO .threads = 2, .setup = lot_setup
MC_SCENARIOS({.name = "lot: in front of another" ON,
              TWO,
              .thread = front_leaves_first,
              .finish = front_left,
              .preemptions = 3,
              .stale = 1},
             {.name = "lot: before_sleep gives a lock up" ON, TWO, .thread = wait_or_tell, .finish = lot_must_be_empty},
             {.name = "lot: hooks around sleeps" ON,
              TWO,
              .thread = wait_with_hooks,
              .finish = hooks_in_pairs,
              .spurious = 1,
              .preemptions = 4,
              .stale = 1},
             {.name = "lot: a park within a park" ON,
              TWO,
              .thread = park_within_a_park,
              .finish = lot_must_be_empty,
              .preemptions = 4,
              .stale = 1});
