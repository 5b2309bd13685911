/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Locks that look, pause and yield before they queue: the same promises, and a spin that ends. */
#include <plc/mutex.h>
#include <plc/once.h>
#include <plc/rwlock.h>

#include "lot.h"

static plc_mutex_t mutex;
static plc_rwlock_t rwlock;
static plc_once_t once;
static int counter;

static void lock(int self) {
    (void)self;
    plc_mutex_lock(&mutex);
    counter++;
    plc_mutex_unlock(&mutex);
}

static void write(int self) {
    (void)self;
    plc_rwlock_write_lock(&rwlock);
    counter++;
    plc_rwlock_write_unlock(&rwlock);
}

static void read_or_write(int self) {
    if (self == 0) {
        write(0);
    } else {
        plc_rwlock_read_lock(&rwlock);
        MC_ASSERT(counter <= 1);
        plc_rwlock_read_unlock(&rwlock);
    }
}

/* Each of its exchanges may fail: it stands aside, and gets in all the same. */
static void read(int self) {
    (void)self;
    plc_rwlock_read_lock(&rwlock);
    MC_ASSERT(plc_rwlock_is_locked(&rwlock));
    plc_rwlock_read_unlock(&rwlock);
}

static bool count(void *unused) {
    (void)unused;
    counter++;
    return true;
}

static void call(int self) {
    (void)self;
    MC_ASSERT(plc_once_call(&once, count, NULL));
    MC_ASSERT(counter == 1);
}

/* A thread that has handed the mutex over does not spin for it, and its heir does. */
static void hand_over_and_lock(int self) {
    lock(self);
    if (self == 0) {
        plc_mutex_lock(&mutex);
        plc_mutex_unlock_fair(&mutex);
        lock(self);
    }
}

static void at_rest(void) {
    MC_ASSERT(mutex.state == 0 && rwlock.state == 0);
    lot_must_be_empty();
}

#define TWO .threads = 2, .setup = lot_setup, .finish = at_rest
#define BOUND(n) .preemptions = (n), .stale = 1
MC_SCENARIOS({.name = "spinning: a mutex" ON, TWO, .thread = lock},
             {.name = "spinning: two writers" ON, TWO, .thread = write, BOUND(4)},
             {.name = "spinning: a reader and a writer" ON, TWO, .thread = read_or_write, BOUND(4)},
             {.name = "spinning: readers that meet" ON, TWO, .thread = read, .weak_failures = 4},
             {.name = "spinning: a once" ON, TWO, .thread = call, BOUND(4)},
             {.name = "spinning: a hand-over" ON, TWO, .thread = hand_over_and_lock, BOUND(3)});
