/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The order of a queue: first in, first out; filters; moving waiters to another key, in both directions at once. */
#include "lot.h"

/* With one bucket all keys share a queue; with two the keys below lie in different ones. */
static char keys[64];
static uint32_t parked, woken;
static int order[MC_MAX_THREADS], moved[2], counts[MC_MAX_THREADS];
static uint8_t flag;

static char *key_in_bucket(size_t bucket) {
    const struct plc_bucket_table *table = plc_current_table();
    for (size_t i = 0; i < sizeof keys; i++) {
        if (plc_bucket_of(table, &keys[i]) == &table->buckets[bucket % plc_bucket_table_size()])
            return &keys[i == 0 && bucket ? 1 : i];
    }
    mc_fail(MC_ASSERTION, "no key for this bucket", __FILE__, __LINE__);
    return NULL;
}

static char *key_a, *key_b;

static void setup(void) {
    lot_setup();
    key_a = key_in_bucket(0);
    key_b = key_in_bucket(1);
    if (key_b == key_a)
        key_b = key_a + 1;
}

/* Counts itself under the bucket lock, so that the others know that it is about to be queued, and in which order. */
static bool count_in(void *context) {
    order[*(int *)context] = (int)plc_fetch_add_relaxed(&parked, 1);
    return true;
}

static const struct plc_park_ops counted = {.validate = count_in};

static void park_counted(int self, const char *key) {
    struct plc_park_result result = plc_park(key, &counted, &self, (uintptr_t)self, PLC_NO_DEADLINE);
    counts[self] = (int)result.token;
}

static void wait_until_parked(uint32_t number) {
    while (plc_load_relaxed(&parked) < number)
        mc_yield();
}

static uintptr_t next_number(void *context, struct plc_unpark_result result) {
    (void)context;
    (void)result;
    return ++woken;
}

static void wake_one(const char *key) {
    MC_ASSERT(plc_unpark_one(key, next_number, NULL).unparked == 1);
}

/* Two park, in either order; they are woken in that order. */
static void first_in_first_out(int self) {
    if (self < 2) {
        park_counted(self, key_a);
    } else {
        wait_until_parked(2);
        wake_one(key_a);
        wake_one(key_a);
    }
}

static void in_order(void) {
    for (int i = 0; i < 2; i++)
        MC_ASSERT(counts[i] == order[i] + 1);
    lot_must_be_empty();
}

static enum plc_filter_op only_thread_one(void *context, uintptr_t park_token) {
    (void)context;
    return park_token == 1 ? PLC_FILTER_UNPARK : PLC_FILTER_SKIP;
}

static void filter_takes_one(int self) {
    if (self < 2) {
        park_counted(self, key_a);
    } else {
        wait_until_parked(2);
        struct plc_unpark_result result = plc_unpark_filter(key_a, only_thread_one, next_number, NULL);
        MC_ASSERT(result.unparked == 1 && result.have_more);
        wake_one(key_a);
    }
}

static void the_chosen_first(void) {
    MC_ASSERT(counts[1] == 1 && counts[0] == 2);
    lot_must_be_empty();
}

static enum plc_requeue_op wake_one_move_rest(void *context) {
    (void)context;
    return PLC_REQUEUE_WAKE_ONE_MOVE_REST;
}

static uintptr_t number_woken(void *context, enum plc_requeue_op op, struct plc_unpark_result result) {
    (void)context;
    (void)op;
    (void)result;
    return ++woken;
}

static void broadcast(int self) {
    if (self < 2) {
        park_counted(self, key_a);
    } else {
        wait_until_parked(2);
        struct plc_unpark_result result = plc_unpark_requeue(key_a, key_b, wake_one_move_rest, number_woken, NULL);
        MC_ASSERT(result.unparked == 1 && result.requeued == 1 && !result.have_more);
        MC_ASSERT(plc_unpark_one(key_a, NULL, NULL).unparked == 0);
        wake_one(key_b);
    }
}

static enum plc_requeue_op move_all(void *context) {
    (void)context;
    return PLC_REQUEUE_ALL;
}

static enum plc_requeue_op wake_all(void *context) {
    (void)context;
    return PLC_REQUEUE_WAKE_ALL;
}

static enum plc_requeue_op abort_it(void *context) {
    (void)context;
    return PLC_REQUEUE_ABORT;
}

/* A requeue may also wake everybody, or do nothing at all. */
static void requeue_wakes_all(int self) {
    if (self < 2) {
        park_counted(self, key_a);
        return;
    }
    wait_until_parked(2);
    struct plc_unpark_result result = plc_unpark_requeue(key_a, key_b, abort_it, number_woken, NULL);
    MC_ASSERT(result.unparked == 0 && result.requeued == 0 && woken == 0);
    result = plc_unpark_requeue(key_a, key_b, wake_all, number_woken, NULL);
    MC_ASSERT(result.unparked == 2 && result.requeued == 0 && !result.have_more);
}

static void both_woken(void) {
    MC_ASSERT(counts[0] == 1 && counts[1] == 1); /* one token for all */
    lot_must_be_empty();
}

/* T0 waits on a; T1 moves a to b, T2 moves b to a; whoever of them sees the flag last unparks both. */
static void opposite_directions(int self) {
    if (self == 0) {
        park_counted(0, key_a);
        return;
    }
    wait_until_parked(1);
    const char *from = self == 1 ? key_a : key_b, *to = self == 1 ? key_b : key_a;
    moved[self - 1] = (int)plc_unpark_requeue(from, to, move_all, NULL, NULL).requeued;
    if (plc_fetch_add_relaxed(&flag, 1) == 1)
        MC_ASSERT(plc_unpark_all(key_a, 3) + plc_unpark_all(key_b, 3) == 1);
}

static enum plc_notify_op move_it(void *context, struct plc_candidate candidate, bool both_locked) {
    (void)candidate;
    *(bool *)context = both_locked;
    return PLC_NOTIFY_MOVE;
}

static uintptr_t not_woken(void *context, struct plc_unpark_result result) {
    MC_ASSERT(result.unparked == 0 && !result.have_more);
    MC_ASSERT(result.requeued == *(bool *)context); /* whoever is moved is moved with both buckets locked */
    return 0;
}

static const struct plc_notify_ops notify_ops = {.choose = move_it, .conclude = not_woken};

/* The same by notifications: each holds one bucket and tries the other, and waits for it only once it has let go. */
static void opposite_notifications(int self) {
    if (self == 0) {
        park_counted(0, key_a);
        return;
    }
    wait_until_parked(1);
    struct plc_lot_key a = plc_lot_key(key_a, PLC_WAITER_USER), b = plc_lot_key(key_b, PLC_WAITER_USER);
    bool both_locked = false;
    moved[self - 1] = (int)plc_lot_notify_one(self == 1 ? a : b, self == 1 ? b : a, &notify_ops, &both_locked).requeued;
    if (plc_fetch_add_relaxed(&flag, 1) == 1)
        MC_ASSERT(plc_unpark_all(key_a, 3) + plc_unpark_all(key_b, 3) == 1);
}

static void found_in_the_end(void) {
    MC_ASSERT(counts[0] == 3);
    lot_must_be_empty();
}

#ifdef IDEAL
#define BOUND 0
#else
#define BOUND 2
#endif
MC_SCENARIOS({.name = "lot: first in, first out" ON,
              .threads = 3,
              .setup = setup,
              .thread = first_in_first_out,
              .executions = 150000,
              .finish = in_order,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "lot: a filter that skips" ON,
              .threads = 3,
              .setup = setup,
              .thread = filter_takes_one,
              .executions = 150000,
              .finish = the_chosen_first,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "lot: wake one and requeue the rest" ON,
              .threads = 3,
              .setup = setup,
              .thread = broadcast,
              .executions = 150000,
              .finish = in_order,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "lot: a requeue that wakes all" ON,
              .threads = 3,
              .setup = setup,
              .thread = requeue_wakes_all,
              .finish = both_woken,
              .preemptions = BOUND ? BOUND : 3,
              .stale = 1},
             {.name = "lot: notifications that move in opposite directions" ON,
              .threads = 3,
              .setup = setup,
              .thread = opposite_notifications,
              .finish = found_in_the_end,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "lot: requeue in opposite directions" ON,
              .threads = 3,
              .setup = setup,
              .thread = opposite_directions,
              .finish = found_in_the_end,
              .preemptions = BOUND,
              .stale = 1});
