/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Two threads and a mutex that is unlocked by a store until somebody queues for it: no store wipes P out, no waiter is forgotten. */
#include "mutex_quiet.h"

static plc_mutex_t other;
static int others;

static void count_twice(int self) {
    count_once(self);
    count_once(self);
}

/* A thread's waiter keeps what it was last woken with. */
static void count_after_another_mutex(int self) {
    plc_mutex_lock(&other);
    others++;
    plc_mutex_unlock(&other);
    count_once(self);
}

static void two(void) {
    MC_ASSERT(counter == 2);
    free_again();
}

static void four(void) {
    MC_ASSERT(counter == 4);
    free_again();
}

static void notify_after_unlock(int self) {
    if (self == 0) {
        wait_until_ready();
    } else {
        take();
        ready = true;
        counter++;
        give_back();
        plc_condvar_notify_one(&condvar);
    }
}

/* ---- The child of a fork: nobody is queued there, and ASKED may be left from the parent */

static void fork_while_held(int self) {
    if (self) {
        count_once(self);
        return;
    }
    take();
    mc_fork(true);
    lot_must_be_empty();
    give_back();
    take();
    MC_ASSERT(lock.mutex.state == PLC_MUTEX_LOCKED_);
    give_back();
}

#ifdef IDEAL
#define BOUND(n) .preemptions = 0
#else
#define BOUND(n) .preemptions = (n), .stale = 1
#endif
#define TWO .threads = 2, .setup = lot_setup, .invariant = quiet_is_right
MC_SCENARIOS({.name = "quiet mutex: two threads" ON, TWO, .thread = count_once, .finish = two, BOUND(4)},
             {.name = "quiet mutex: two threads, weak and spurious failures, clock jumps" ON,
              TWO,
              .thread = count_once,
              .finish = two,
              .weak_failures = 1,
              .spurious = 1,
              .clock_jumps = 1,
              .preemptions = 3,
              .stale = 1},
             {.name = "quiet mutex: one of two gives up" ON,
              TWO,
              .thread = one_gives_up,
              .finish = others_and_successes,
              TIME_PASSES,
              BOUND(4)},
             {.name = "quiet mutex: freed by its last user, two threads" ON,
              TWO,
              .thread = last_one_frees,
              .finish = was_freed,
              BOUND(4)},
             {.name = "quiet mutex: after a wait for another mutex" ON,
              TWO,
              .thread = count_after_another_mutex,
              .finish = two,
              .preemptions = 3,
              .stale = 1},
             {.name = "quiet mutex: forked while held" ON,
              TWO,
              .thread = fork_while_held,
              .finish = free_again,
              .preemptions = 3,
              .stale = 1},
             {.name = "quiet mutex: a waiter is notified under the lock" ON,
              TWO,
              .thread = notify_under_lock,
              .finish = two,
              .preemptions = 3,
              .stale = 1},
             {.name = "quiet mutex: a waiter is notified after the unlock" ON,
              TWO,
              .thread = notify_after_unlock,
              .finish = two,
              .preemptions = 3,
              .stale = 1},
             {.name = "quiet mutex: two threads, twice each" ON,
              TWO,
              .thread = count_twice,
              .finish = four,
              .preemptions = 3,
              .stale = 1});
