/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads that sleep on one shared word: woken together by one call, or one without the other. */
#include "mc.h"
#include "thread_parker/thread_parker.h"

/* The queue lock of thread_parker.h is an ideal one, and the queue a flag for each owner. */
enum { OWNERS = 2 };
static struct plc_thread_parker parkers[OWNERS];
static char queue_lock;
static bool queued[OWNERS];
static int data, time_outs;

static uint32_t places[OWNERS];

static void setup(void) {
    for (int i = 0; i < OWNERS; i++) {
        plc_thread_parker_init(&parkers[i]);
        places[i] = (uint32_t)i + 1;
    }
}

/* Their places are a whole word apart: with one word they have one and the same bit. */
static void setup_one_bit(void) {
    setup();
    places[1] = places[0] + 32;
}

static void enqueue(int self) {
    mc_lock(&queue_lock);
    plc_thread_parker_sleep_at(&parkers[self], places[self]);
    plc_thread_parker_prepare_park(&parkers[self], false);
    queued[self] = true;
    mc_unlock(&queue_lock);
}

static void retire(int self) {
    MC_ASSERT(data == 1); /* what the waker wrote is there */
    plc_thread_parker_destroy(&parkers[self]);
    mc_lifetime_end(&parkers[self], sizeof parkers[self]);
}

static void wait_once(int self) {
    enqueue(self);
    plc_thread_parker_park(&parkers[self], NULL);
    retire(self);
}

static bool take_out(int owner) {
    mc_lock(&queue_lock);
    bool found = queued[owner];
    queued[owner] = false;
    if (found)
        plc_thread_parker_unpark_lock(&parkers[owner]);
    mc_unlock(&queue_lock);
    return found;
}

static void wait_until_taken_out(int owner) {
    while (!take_out(owner))
        mc_yield();
}

/* One waker lets both go and then wakes those who sleep. */
static void both_at_once(int self) {
    if (self < OWNERS) {
        wait_once(self);
        return;
    }
    struct plc_wake_batch batch = {0};
    wait_until_taken_out(0);
    wait_until_taken_out(1);
    data = 1;
    plc_thread_parker_unpark_with_others(&parkers[0], &batch);
    plc_thread_parker_unpark_with_others(&parkers[1], &batch);
    plc_wake_batch_finish(&batch);
}

/* Each is woken alone: the other one's wake changes the number under it, but is not its own. */
static void one_after_the_other(int self) {
    if (self < OWNERS) {
        wait_once(self);
        return;
    }
    wait_until_taken_out(0);
    data = 1;
    plc_thread_parker_unpark(&parkers[0]);
    wait_until_taken_out(1);
    plc_thread_parker_unpark(&parkers[1]);
}

/* The second owner's time may run out, also between its being let go and the wake that goes with it. */
static void one_may_time_out(int self) {
    if (self == 0) {
        wait_once(self);
    } else if (self == 1) {
        enqueue(1);
        if (!plc_thread_parker_park_until(&parkers[1], plc_deadline_after_ns(10), NULL)) {
            bool left = take_out(1);
            time_outs += left;
            if (!left)
                plc_thread_parker_park(&parkers[1], NULL);
        }
        plc_thread_parker_destroy(&parkers[1]);
        mc_lifetime_end(&parkers[1], sizeof parkers[1]);
    } else {
        struct plc_wake_batch batch = {0};
        wait_until_taken_out(0);
        data = 1;
        if (take_out(1))
            plc_thread_parker_unpark_with_others(&parkers[1], &batch);
        plc_thread_parker_unpark_with_others(&parkers[0], &batch);
        plc_wake_batch_finish(&batch);
    }
}

static void nobody_is_queued(void) {
    for (int i = 0; i < OWNERS; i++)
        MC_ASSERT(!queued[i] || time_outs);
}

/* Two waits of one owner: the wake of the first, which it has overtaken, may disturb the second. */
static void two_waits(int self) {
    if (self == 0) {
        for (int i = 0; i < 2; i++) {
            enqueue(0);
            plc_thread_parker_park(&parkers[0], NULL);
        }
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct plc_wake_batch batch = {0};
        wait_until_taken_out(0);
        plc_thread_parker_unpark_with_others(&parkers[0], &batch);
        plc_wake_batch_finish(&batch);
    }
}

MC_SCENARIOS(
    {.name = "company: two are woken at once",
     .threads = 3,
     .setup = setup,
     .thread = both_at_once,
     .finish = nobody_is_queued,
     .preemptions = 4,
     .stale = 2},
    {.name = "company: two are woken at once, spurious returns",
     .threads = 3,
     .setup = setup,
     .thread = both_at_once,
     .finish = nobody_is_queued,
     .spurious = 2,
     .preemptions = 2,
     .stale = 1},
    {.name = "company: one is woken after the other",
     .threads = 3,
     .setup = setup,
     .thread = one_after_the_other,
     .finish = nobody_is_queued,
     .preemptions = 4,
     .stale = 2},
    {.name = "company: two with the same bit",
     .threads = 3,
     .setup = setup_one_bit,
     .thread = one_after_the_other,
     .finish = nobody_is_queued,
     .preemptions = 4,
     .stale = 2},
    {.name = "company: one may run out of time",
     .threads = 3,
     .setup = setup,
     .thread = one_may_time_out,
     .preemptions = 3,
     .stale = 1},
    {.name = "company: two waits of one owner", .threads = 2, .setup = setup, .thread = two_waits, .spurious = 1});
