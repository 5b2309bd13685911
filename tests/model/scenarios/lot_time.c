/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Waits that end by time, while somebody unparks or requeues the waiter. */
#include "lot.h"

/* In two buckets, if there are two. */
static char keys[128];
static const char *key, *other_key;
static int unparked, requeued, timed_out, called_back, was_last_seen;
static const void *left_key;

static void setup(void) {
    lot_setup();
    key = lot_key_in_bucket(keys, 0);
    other_key = lot_key_in_bucket(key + 1, 1);
}

static void note_time_out(void *context, const void *at, bool was_last) {
    (void)context;
    called_back++;
    was_last_seen += was_last;
    left_key = at;
}

static const struct plc_park_ops timed = {.timed_out = note_time_out};

static void wait_a_while(void) {
    struct plc_park_result result = plc_park(key, &timed, NULL, 0, soon());
    if (result.status == PLC_PARK_TIMED_OUT)
        timed_out++;
    else
        MC_ASSERT(result.token == 5);
}

static uintptr_t five(void *context, struct plc_unpark_result result) {
    (void)context;
    (void)result;
    return 5;
}

static void time_out_vs_unpark(int self) {
    if (self == 0)
        wait_a_while();
    else
        unparked = (int)plc_unpark_one(key, five, NULL).unparked;
}

/* Exactly one of them took the waiter out of the queue, and the callback ran if it was the waiter. */
static void one_won(void) {
    MC_ASSERT(unparked + timed_out == 1);
    MC_ASSERT(called_back == timed_out && was_last_seen == timed_out);
    lot_must_be_empty();
}

/* T0 and T1 wait a while each; T2 wakes one of them at most. */
static void two_wait(int self) {
    if (self < 2) {
        struct plc_park_result result = plc_park(key, &timed, NULL, 0, soon());
        mc_lock(&timed_out);
        timed_out += result.status == PLC_PARK_TIMED_OUT;
        mc_unlock(&timed_out);
    } else {
        unparked = (int)plc_unpark_one(key, five, NULL).unparked;
    }
}

static void all_accounted_for(void) {
    MC_ASSERT(unparked + timed_out == 2);
    MC_ASSERT(called_back == timed_out);
    lot_must_be_empty();
}

static enum plc_requeue_op move_one(void *context) {
    (void)context;
    return PLC_REQUEUE_ONE;
}

/* The waiter may time out in either queue, and must find itself in the right one. */
static void time_out_vs_requeue(int self) {
    if (self == 0) {
        wait_a_while();
    } else if (self == 1) {
        requeued = (int)plc_unpark_requeue(key, other_key, move_one, NULL, NULL).requeued;
    } else {
        unparked = (int)plc_unpark_one(other_key, five, NULL).unparked;
    }
}

static void left_the_right_queue(void) {
    MC_ASSERT(unparked + timed_out == 1);
    if (timed_out)
        MC_ASSERT(left_key == (requeued ? other_key : key));
    lot_must_be_empty();
}

/* The node of a thread is used again right after a time-out. */
static void wait_again(int self) {
    if (self == 0) {
        wait_a_while();
        wait_a_while();
    } else {
        unparked = (int)plc_unpark_one(key, five, NULL).unparked;
    }
}

static void two_waits_ended(void) {
    MC_ASSERT(unparked + timed_out == 2);
    lot_must_be_empty();
}

#ifdef IDEAL
#define BOUND 0
#else
#define BOUND 2
#endif
MC_SCENARIOS({.name = "lot: time-out racing unpark" ON,
              .threads = 2,
              .setup = setup,
              .thread = time_out_vs_unpark,
              .finish = one_won,
              .spurious = 1},
             {.name = "lot: two timed waiters, one unpark" ON,
              .threads = 3,
              .setup = setup,
              .thread = two_wait,
              .finish = all_accounted_for,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "lot: time-out racing requeue and unpark" ON,
              .threads = 3,
              .setup = setup,
              .thread = time_out_vs_requeue,
              .finish = left_the_right_queue,
              .preemptions = BOUND,
              .stale = 1},
             {.name = "lot: a second wait after a time-out" ON,
              .threads = 2,
              .setup = setup,
              .thread = wait_again,
              .finish = two_waits_ended,
              .preemptions = BOUND ? 3 : 0,
              .stale = 1});
