/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One thread parks, another unparks it: before, while and after it goes to sleep, or just as its time runs out. */
#include "mc.h"
#include "thread_parker/thread_parker.h"

/* The queue lock of thread_parker.h is an ideal one, and the queue a flag. */
static struct plc_thread_parker parker;
static char queue_lock;
static bool queued;
static int data, waits, wakes, time_outs;

static void enqueue(void) {
    mc_lock(&queue_lock);
    plc_thread_parker_prepare_park(&parker, false);
    queued = true;
    mc_unlock(&queue_lock);
}

/* Takes the owner out of the queue, if it is there, and wakes it. */
static bool take_out_and_wake(void) {
    mc_lock(&queue_lock);
    bool found = queued;
    queued = false;
    if (found)
        plc_thread_parker_unpark_lock(&parker);
    mc_unlock(&queue_lock);
    if (found) {
        data++;
        plc_thread_parker_unpark(&parker);
    }
    return found;
}

static void wake_until_found(void) {
    while (!take_out_and_wake())
        mc_yield();
}

static void setup(void) {
    plc_thread_parker_init(&parker);
}

/* Whoever comes back from park sees what the waker wrote, and may destroy the parker at once. */
static void wait_once(int self) {
    if (self == 1) {
        wake_until_found();
        return;
    }
    enqueue();
    plc_thread_parker_park(&parker, NULL);
    MC_ASSERT(data == 1);
    plc_thread_parker_destroy(&parker);
    mc_lifetime_end(&parker, sizeof parker);
}

static void wait_twice(int self) {
    for (int i = 1; i <= 2; i++) {
        if (self == 1) {
            wake_until_found();
        } else {
            enqueue();
            plc_thread_parker_park(&parker, NULL);
            MC_ASSERT(data == i);
        }
    }
}

static void all_waits_were_woken(void) {
    MC_ASSERT(!queued);
}

/* An owner whose time runs out leaves the queue, unless the waker was faster; then the wake is on its way. */
static void timed_owner(void) {
    enqueue();
    waits++;
    if (!plc_thread_parker_park_until(&parker, plc_deadline_after_ns(10), NULL)) {
        mc_lock(&queue_lock);
        bool left = queued;
        queued = false;
        if (left)
            MC_ASSERT(plc_thread_parker_timed_out(&parker));
        mc_unlock(&queue_lock);
        time_outs += left;
        if (!left)
            plc_thread_parker_park(&parker, NULL);
    }
    plc_thread_parker_destroy(&parker);
    mc_lifetime_end(&parker, sizeof parker);
}

static void time_out_races_unpark(int self) {
    if (self == 0)
        timed_owner();
    else
        wakes = take_out_and_wake();
}

/* Either the waker found the owner, or the owner timed out; never both, unless the waker came too early. */
static void one_of_them_won(void) {
    MC_ASSERT(wakes + time_outs == 1);
    MC_OUTCOME(wakes, time_outs);
}

/* After a time-out the parker is good for another wait. */
static void wait_after_time_out(int self) {
    if (self == 1) {
        wake_until_found();
        return;
    }
    enqueue();
    if (!plc_thread_parker_park_until(&parker, plc_deadline_after_ns(10), NULL)) {
        mc_lock(&queue_lock);
        bool left = queued;
        queued = false;
        mc_unlock(&queue_lock);
        if (left)
            enqueue();
        plc_thread_parker_park(&parker, NULL);
    }
    MC_ASSERT(data == 1);
}

MC_SCENARIOS({.name = "parker: unpark before, while and after sleeping",
              .threads = 2,
              .setup = setup,
              .thread = wait_once,
              .finish = all_waits_were_woken},
             {.name = "parker: spurious returns and EINTR",
              .threads = 2,
              .setup = setup,
              .thread = wait_once,
              .finish = all_waits_were_woken,
              .spurious = 3},
             {.name = "parker: two waits; the first wake comes late",
              .threads = 2,
              .setup = setup,
              .thread = wait_twice,
              .finish = all_waits_were_woken,
              .spurious = 1},
             {.name = "parker: time-out racing unpark, exactly one wins",
              .threads = 2,
              .setup = setup,
              .thread = time_out_races_unpark,
              .finish = one_of_them_won,
              .spurious = 1,
              .clock_jumps = 1,
              .outcomes = "01 10"},
             {.name = "parker: another wait after a time-out",
              .threads = 2,
              .setup = setup,
              .thread = wait_after_time_out,
              .spurious = 1});
