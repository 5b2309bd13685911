/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Three threads and a mutex that is unlocked by a store until somebody queues for it, among them late and impatient ones. */
#include "mutex_quiet.h"

static void three(void) {
    MC_ASSERT(counter == 3);
    free_again();
}

static void one_tries(int self) {
    if (self) {
        count_once(self);
    } else if (plc_mutex_try_lock(&lock.mutex)) {
        counter++;
        successes++;
        give_back();
    }
}

static void two_give_up(int self) {
    if (self == 2)
        count_once(self);
    else
        one_gives_up(0);
}

static void one_and_successes(void) {
    MC_ASSERT(counter == 1 + successes);
    free_again();
}

/* T2 only uses the mutex, and may have to queue for it at any moment. */
static void notify_beside_another(int self) {
    if (self == 2)
        count_once(self);
    else
        notify_under_lock(self);
}

static void two(void) {
    MC_ASSERT(counter == 2);
    free_again();
}

/* ---- An unlock that comes to the bucket late: of another mutex, which was at this address before */

static void late_unlock(int self) {
    if (self)
        count_once(self);
    else
        plc_mutex_wake_next_(&lock.mutex);
}

#define THREE .threads = 3, .setup = lot_setup, .invariant = quiet_is_right, .stale = 1
MC_SCENARIOS({.name = "quiet mutex: a late unlock of the one before it" ON,
              THREE,
              .thread = late_unlock,
              .finish = two,
              .preemptions = 3},
             {.name = "quiet mutex: three threads" ON, THREE, .thread = count_once, .finish = three, .preemptions = 3},
             {.name = "quiet mutex: a try among three" ON,
              THREE,
              .thread = one_tries,
              .finish = others_and_successes,
              .preemptions = 2},
             {.name = "quiet mutex: one of three gives up" ON,
              THREE,
              .thread = one_gives_up,
              .finish = others_and_successes,
              TIME_PASSES,
              .preemptions = 2},
             {.name = "quiet mutex: two of three give up" ON,
              THREE,
              .thread = two_give_up,
              .finish = one_and_successes,
              TIME_PASSES,
              .preemptions = 2},
             {.name = "quiet mutex: freed by its last user" ON,
              THREE,
              .thread = last_one_frees,
              .finish = was_freed,
              .preemptions = 2},
             {.name = "quiet mutex: a waiter is notified beside another thread" ON,
              THREE,
              .thread = notify_beside_another,
              .finish = three,
              .preemptions = 2});
