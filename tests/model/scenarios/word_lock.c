/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The word lock excludes, publishes, and forgets nobody in its queue. */
#include "word_lock/word_lock.h"

#include <plc/detail/atomic.h>

#include "mc.h"

static struct plc_word_lock lock;
static int counter, tries;

static void count_once(int self) {
    (void)self;
    plc_word_lock_lock(&lock);
    counter++;
    plc_word_lock_unlock(&lock);
}

static void count_twice(int self) {
    count_once(self);
    count_once(self);
}

static void first_one_tries(int self) {
    if (self) {
        count_once(self);
    } else if (plc_word_lock_try_lock(&lock)) {
        counter++;
        tries++;
        plc_word_lock_unlock(&lock);
    }
}

/* T0 gives back a lock that was taken before the start, and works on the queue in which T1 waits; T2 takes the lock
   meanwhile, and keeps it until T3 has come, which joins the queue. */
static uint8_t arrived;

static void held_from_the_start(void) {
    plc_word_lock_lock(&lock);
}

static void push_while_unlocking(int self) {
    if (self == 0) {
        plc_word_lock_unlock(&lock);
    } else if (self == 1) {
        count_once(self);
    } else if (self == 3) {
        plc_store_relaxed(&arrived, 1);
        count_once(self);
    } else if (plc_word_lock_try_lock(&lock)) {
        counter++;
        tries++;
        while (!plc_load_relaxed(&arrived))
            mc_yield();
        plc_word_lock_unlock(&lock);
    }
}

/* Everybody had the lock, and it is free again: no flag, no queue. */
static void all_counted(int expected) {
    MC_ASSERT(counter == expected);
    MC_ASSERT(lock.word == 0);
}

static void two(void) {
    all_counted(2);
}

static void three(void) {
    all_counted(3);
}

static void four(void) {
    all_counted(4);
}

static void one_and_tries(void) {
    all_counted(1 + tries);
}

static void two_and_tries(void) {
    all_counted(2 + tries);
}

static void two_waiters_and_tries(void) {
    all_counted(2 + tries);
}

MC_SCENARIOS({.name = "word_lock: two threads", .threads = 2, .thread = count_once, .finish = two},
             {.name = "word_lock: two threads, weak and spurious failures",
              .threads = 2,
              .thread = count_once,
              .finish = two,
              .weak_failures = 2,
              .spurious = 2},
             {.name = "word_lock: two threads, twice each",
              .threads = 2,
              .thread = count_twice,
              .finish = four,
              .preemptions = 5,
              .stale = 2},
             {.name = "word_lock: a try", .threads = 2, .thread = first_one_tries, .finish = one_and_tries},
             {.name = "word_lock: a try among three",
              .threads = 3,
              .thread = first_one_tries,
              .finish = two_and_tries,
              .preemptions = 3,
              .stale = 1},
             {.name = "word_lock: three threads",
              .threads = 3,
              .thread = count_once,
              .finish = three,
              .preemptions = 3,
              .stale = 1},
             {.name = "word_lock: four threads",
              .threads = 4,
              .thread = count_once,
              .finish = four,
              .preemptions = 2,
              .stale = 1},
             {.name = "word_lock: a push while an unlocker works on the queue",
              .threads = 4,
              .setup = held_from_the_start,
              .thread = push_while_unlocking,
              .finish = two_waiters_and_tries,
              .preemptions = 2});
