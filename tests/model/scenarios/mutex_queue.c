/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The mutex's queue: the heir, those behind it, strangers at its address, and a mark with no queue behind it. */
#include <plc/mutex.h>

#include "lot.h"

static plc_mutex_t mutex;
static int counter, successes;

static void free_again(void) {
    MC_ASSERT(mutex.state == 0);
    lot_must_be_empty();
}

static void count_once(void) {
    plc_mutex_lock(&mutex);
    counter++;
    plc_mutex_unlock(&mutex);
}

static void count_or_give_up(void) {
    if (plc_mutex_lock_until(&mutex, soon())) {
        counter++;
        successes++;
        plc_mutex_unlock(&mutex);
    }
}

/* ---- A user's key may be the address of a mutex: it is another key. */

static void stranger(int self) {
    if (self == 2)
        MC_ASSERT(!plc_unpark_one(&mutex, NULL, NULL).unparked);
    else
        count_once();
}

static void two_counted(void) {
    MC_ASSERT(counter == 2);
    free_again();
}

/* ---- The child of a fork finds P set, and nobody in the queue. The first that is slow twice puts it right. */

static void parked_and_forgotten(void) {
    lot_setup();
    mutex.state = PLC_MUTEX_PARKED_;
}

static void count_twice(int self) {
    count_once();
    if (self == 0)
        count_once();
}

static void three_counted(void) {
    MC_ASSERT(counter == 3);
    free_again();
}

/* ---- T0 comes back while the heir is on its way, or naps; the heir may give up; another is queued behind it. */

static void heir_is_beaten(int self) {
    if (self == 0) {
        count_once();
        count_once();
    } else if (self == 1) {
        count_or_give_up();
    } else {
        count_once();
    }
}

static void three_and_successes(void) {
    MC_ASSERT(counter == 3 + successes);
    free_again();
}

/* ---- T0 has held the mutex since before the start, and takes it again while the heir is on its way. */

static void held_from_the_start(void) {
    lot_setup();
    plc_mutex_lock(&mutex);
}

static void taken_again(int self) {
    if (self == 0)
        plc_mutex_unlock(&mutex);
    count_once();
}

/* ---- T0 hands over fairly to a heir that may be beaten, or asleep, with another behind it. */

static void handed_over_late(int self) {
    if (self == 0) {
        count_once();
        plc_mutex_lock(&mutex);
        counter++;
        plc_mutex_unlock_fair(&mutex);
    } else {
        count_once();
    }
}

static void four_counted(void) {
    MC_ASSERT(counter == 4);
    free_again();
}

/* ---- T1 is beaten until it claims the mutex, or an unlock finds it stuck. Whoever comes from then on comes after it. */

static bool has_been_served;

static void claimed_by_the_first(int self) {
    if (self == 0) {
        plc_mutex_unlock(&mutex);
        count_once();
        count_once();
    } else if (self == 1) {
        plc_mutex_lock(&mutex);
        has_been_served = true;
        counter++;
        plc_mutex_unlock(&mutex);
    } else if (plc_load_relaxed(&mutex.state) & PLC_MUTEX_CLAIMED_) { /* relaxed: the lock orders the rest */
        plc_mutex_lock(&mutex);
        MC_ASSERT(has_been_served);
        plc_mutex_unlock(&mutex);
    }
}

/* T1 is stuck on its way while T0 goes in and out; the unlock that finds it so may come too late, for T2 has the mutex. */
static void stuck_and_forestalled(int self) {
    if (self == 0) {
        plc_mutex_unlock(&mutex);
        count_once();
        count_once();
    } else {
        count_once();
    }
}

/* T1 claims the mutex, and then its time runs out. */
static void claims_and_gives_up(int self) {
    if (self == 0) {
        plc_mutex_unlock(&mutex);
        count_once();
    } else if (plc_mutex_lock_until(&mutex, plc_deadline_after_ns(25))) {
        counter++;
        successes++;
        plc_mutex_unlock(&mutex);
    }
}

static void one_and_successes(void) {
    MC_ASSERT(counter == 1 + successes);
    free_again();
}

/* The child of a fork finds C set, and nobody in the queue: whoever locks it puts it right. */
static void claimed_and_forgotten(void) {
    lot_setup();
    mutex.state = PLC_MUTEX_CLAIMED_ | PLC_MUTEX_PARKED_;
}

/* ---- P and C, whenever the bucket is unlocked: somebody is queued, and does not look for himself; and claims the mutex. */

enum { HEIR_HAS_ARRIVED = 1, WANTS = 2, LONG_AGO = 1 };

static void marks_are_right(void) {
    const struct plc_bucket *bucket = plc_bucket_locked(&mutex);
    const struct plc_waiter *first = bucket->head;
    if (lot_is_locked(bucket))
        return;
    bool heir = first && first->state == PLC_WAITER_SUMMONED;
    bool heir_is_awake = heir && first->phase == HEIR_HAS_ARRIVED;
    bool heir_is_stuck = heir && first->phase == 0 && first->summoned_at == LONG_AGO;
    MC_ASSERT(((mutex.state & PLC_MUTEX_PARKED_) != 0) == (first && !heir_is_awake));
    MC_ASSERT(((mutex.state & PLC_MUTEX_CLAIMED_) != 0) == (first && (first->phase == WANTS || heir_is_stuck)));
}

#ifdef IDEAL
#define BOUND 3
#else
#define BOUND 2
#endif
#define THREE .threads = 3, .preemptions = BOUND, .stale = 1
MC_SCENARIOS({.name = "mutex: an unpark of a user's key at its address" ON,
              THREE,
              .setup = lot_setup,
              .thread = stranger,
              .finish = two_counted},
             {.name = "mutex: parked, and nobody is queued" ON,
              .threads = 2,
              .setup = parked_and_forgotten,
              .thread = count_twice,
              .finish = three_counted,
              .preemptions = BOUND + 1,
              .stale = 1},
             {.name = "mutex: claimed, and nobody is queued" ON,
              .threads = 2,
              .setup = claimed_and_forgotten,
              .thread = count_twice,
              .finish = three_counted,
              .preemptions = BOUND + 1,
              .stale = 1},
             {.name = "mutex: the heir is beaten, and may give up" ON,
              THREE,
              .setup = lot_setup,
              .thread = heir_is_beaten,
              .finish = three_and_successes,
              .invariant = marks_are_right},
             {.name = "mutex: taken again before the heir comes" ON,
              THREE,
              .setup = held_from_the_start,
              .thread = taken_again,
              .finish = three_counted,
              .invariant = marks_are_right},
             {.name = "mutex: a fair unlock among four sections" ON,
              THREE,
              .setup = lot_setup,
              .thread = handed_over_late,
              .finish = four_counted,
              .invariant = marks_are_right},
             {.name = "mutex: a stuck heir is forestalled" ON,
              .threads = 3,
              .preemptions = 2,
              .stale = 1,
              .executions = 150000,
              .setup = held_from_the_start,
              .thread = stuck_and_forestalled,
              .finish = four_counted,
              .invariant = marks_are_right,
              .clock_jumps = 1},
             {.name = "mutex: who claims it gives up" ON,
              .threads = 2,
              .setup = held_from_the_start,
              .thread = claims_and_gives_up,
              .finish = one_and_successes,
              .preemptions = BOUND + 1,
              .stale = 1},
             {.name = "mutex: nobody comes between a claim and its hand-over" ON,
              THREE,
              .setup = held_from_the_start,
              .thread = claimed_by_the_first,
              .finish = three_counted,
              .invariant = marks_are_right});
