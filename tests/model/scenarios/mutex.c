/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The mutex excludes and publishes, loses no waiter, hands over, times out, and may be freed by its next owner. */
#include <plc/mutex.h>

#include "lot.h"

static plc_mutex_t mutex;
static int counter, successes;

/* ---- In every state in which nobody works on the queue: docs/design/mutex.md, I1 to I3 and I6 */

enum { ARRIVED = 1, WANTS = 2 }; /* the phases of an heir that is awake, and of one that is to be handed the mutex */
enum { LONG_AGO = 1 };           /* when one was summoned that is stuck, and to be handed the mutex */

static void queue_is_right(void) {
    const struct plc_bucket *bucket = plc_bucket_locked(&mutex);
    const struct plc_waiter *first = NULL;
    if (lot_is_locked(bucket))
        return;
    for (const struct plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next) {
        if (!plc_waiter_matches(waiter, plc_lot_key(&mutex, PLC_WAITER_MUTEX)))
            continue;
        if (first)
            MC_ASSERT(waiter->state == PLC_WAITER_QUEUED); /* I3: the heir is the first */
        else
            first = waiter;
    }
    if (mutex.state & PLC_MUTEX_PARKED_)
        MC_ASSERT(first); /* I1 */
    else if (first)
        MC_ASSERT(first->state == PLC_WAITER_SUMMONED && first->phase == ARRIVED); /* I2 */
    bool is_stuck = first && first->state == PLC_WAITER_SUMMONED && !first->phase && first->summoned_at == LONG_AGO;
    MC_ASSERT(((mutex.state & PLC_MUTEX_CLAIMED_) != 0) == (is_stuck || (first && first->phase == WANTS))); /* I6 */
}

static void count_once(int self) {
    (void)self;
    plc_mutex_lock(&mutex);
    counter++;
    plc_mutex_unlock(&mutex);
}

static void count_twice(int self) {
    count_once(self);
    count_once(self);
}

static void free_again(void) {
    MC_ASSERT(mutex.state == 0);
    lot_must_be_empty();
}

static void two(void) {
    MC_ASSERT(counter == 2);
    free_again();
}

static void three(void) {
    MC_ASSERT(counter == 3);
    free_again();
}

static void four(void) {
    MC_ASSERT(counter == 4);
    free_again();
}

/* T0 only tries, and never waits; the others lock. */
static void one_tries(int self) {
    if (self) {
        count_once(self);
    } else if (plc_mutex_try_lock(&mutex)) {
        counter++;
        successes++;
        plc_mutex_unlock(&mutex);
    }
}

static void others_and_tries(void) {
    MC_ASSERT(counter == mc_thread_count() - 1 + successes);
    free_again();
}

static void hand_over(int self) {
    plc_mutex_lock(&mutex);
    counter++;
    if (self == 0)
        plc_mutex_unlock_fair(&mutex);
    else
        plc_mutex_unlock(&mutex);
}

/* A fair unlock that finds nobody: the waiter for which P was set has given up meanwhile, and comes back at once. */
static void fair_to_one_that_gives_up(int self) {
    if (self == 0) {
        plc_mutex_lock(&mutex);
        MC_ASSERT(plc_mutex_is_locked(&mutex));
        counter++;
        plc_mutex_unlock_fair(&mutex);
    } else {
        if (!plc_mutex_lock_until(&mutex, soon()))
            plc_mutex_lock(&mutex);
        counter++;
        plc_mutex_unlock(&mutex);
    }
}

static void bump(int self) {
    plc_mutex_lock(&mutex);
    counter++;
    if (self == 0)
        plc_mutex_bump(&mutex);
    plc_mutex_unlock(&mutex);
}

/* T0 waits a while only. If it had the lock it counted; nobody else is left behind in either case. */
static void one_gives_up(int self) {
    if (self) {
        count_once(self);
    } else if (plc_mutex_lock_until(&mutex, soon())) {
        counter++;
        successes++;
        plc_mutex_unlock(&mutex);
    }
}

static void two_give_up(int self) {
    if (self == 2) {
        count_once(self);
    } else if (plc_mutex_lock_until(&mutex, soon())) {
        counter++;
        successes++;
        plc_mutex_unlock(&mutex);
    }
}

static void one_and_successes(void) {
    MC_ASSERT(counter == 1 + successes);
    free_again();
}

/* ---- Freed by its next owner */

static int users;
static bool gone;

/* Everybody has a right to the mutex until it has unlocked it; the last to lock frees it. */
static void last_one_frees(int self) {
    (void)self;
    plc_mutex_lock(&mutex);
    bool last = ++users == mc_thread_count();
    plc_mutex_unlock(&mutex);
    if (last) {
        gone = true;
        mc_lifetime_end(&mutex, sizeof mutex);
    }
}

static void was_freed(void) {
    MC_ASSERT(gone);
    lot_must_be_empty();
}

#ifdef IDEAL
#define BOUND(n) .preemptions = 0
#else
#define BOUND(n) .preemptions = (n), .stale = 1
#endif
#define TWO .threads = 2, .setup = lot_setup, .invariant = queue_is_right
#define THREE .threads = 3, .setup = lot_setup, .invariant = queue_is_right
MC_SCENARIOS(
    {.name = "mutex: two threads" ON, TWO, .thread = count_once, .finish = two},
    {.name = "mutex: two threads, weak and spurious failures, clock jumps" ON,
     TWO,
     .thread = count_once,
     .finish = two,
     .weak_failures = 1,
     .spurious = 1,
     .clock_jumps = 1},
    {.name = "mutex: two threads, twice each" ON, TWO, .thread = count_twice, .finish = four, BOUND(4)},
    {.name = "mutex: three threads" ON, THREE, .thread = count_once, .finish = three, BOUND(3)},
    {.name = "mutex: three threads, a clock jump" ON,
     THREE,
     .thread = count_once,
     .finish = three,
     .preemptions = 3,
     .stale = 1,
     .clock_jumps = 1,
     .executions = 150000},
    {.name = "mutex: four threads" ON,
     .threads = 4,
     .setup = lot_setup,
     .invariant = queue_is_right,
     .thread = count_once,
     .finish = four,
     .preemptions = 2,
     .stale = 1,
     .executions = 150000},
    {.name = "mutex: a try among three" ON, THREE, .thread = one_tries, .finish = others_and_tries, BOUND(3)},
    {.name = "mutex: fair hand-over" ON, THREE, .thread = hand_over, .finish = three, BOUND(3)},
    {.name = "mutex: fair hand-over to one that gives up" ON,
     TWO,
     .thread = fair_to_one_that_gives_up,
     .finish = two,
     BOUND(4)},
    {.name = "mutex: bump" ON, THREE, .thread = bump, .finish = three, BOUND(2)},
    {.name = "mutex: one of two gives up" ON, TWO, .thread = one_gives_up, .finish = others_and_tries, BOUND(5)},
    {.name = "mutex: one of three gives up" ON, THREE, .thread = one_gives_up, .finish = others_and_tries, BOUND(2)},
    {.name = "mutex: two of three give up" ON,
     THREE,
     .thread = two_give_up,
     .finish = one_and_successes,
     .executions = 100000,
     BOUND(2)},
    {.name = "mutex: freed by its last user, two threads" ON, TWO, .thread = last_one_frees, .finish = was_freed},
    {.name = "mutex: freed by its last user" ON, THREE, .thread = last_one_frees, .finish = was_freed, BOUND(3)});
