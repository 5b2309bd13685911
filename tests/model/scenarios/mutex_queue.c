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

/* ---- P, whenever the bucket is unlocked: somebody is queued, and does not look for himself. */

#ifndef IDEAL /* which locks nobody can look at */
enum { HEIR_HAS_ARRIVED = 1 };

static void p_is_right(void) {
    const struct plc_bucket *bucket = plc_current_table()->buckets;
    const struct plc_waiter *first = bucket->head;
    if (bucket->lock.word & 1)
        return;
    bool heir_is_awake = first && first->state == PLC_WAITER_SUMMONED && first->phase == HEIR_HAS_ARRIVED;
    MC_ASSERT(((mutex.state & PLC_MUTEX_PARKED_) != 0) == (first && !heir_is_awake));
}
#endif

#ifdef IDEAL
#define BOUND 3
#define P_IS_RIGHT NULL
#else
#define BOUND 2
#define P_IS_RIGHT p_is_right
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
             {.name = "mutex: the heir is beaten, and may give up" ON,
              THREE,
              .setup = lot_setup,
              .thread = heir_is_beaten,
              .finish = three_and_successes,
              .invariant = P_IS_RIGHT},
             {.name = "mutex: taken again before the heir comes" ON,
              THREE,
              .setup = held_from_the_start,
              .thread = taken_again,
              .finish = three_counted,
              .invariant = P_IS_RIGHT},
             {.name = "mutex: a fair unlock among four sections" ON,
              THREE,
              .setup = lot_setup,
              .thread = handed_over_late,
              .finish = four_counted,
              .invariant = P_IS_RIGHT});
