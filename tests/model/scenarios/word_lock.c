/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The word lock excludes, publishes, and forgets nobody in its queue. */
#include "word_lock/word_lock.h"

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
              .stale = 1});
