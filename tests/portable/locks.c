/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* libplc's locks in plain C, for C libraries and processors that the other tests are not built for: threads use each, and count. */
#include <plc/condvar.h>
#include <plc/mutex.h>
#include <plc/once.h>
#include <plc/parker.h>
#include <plc/parking_lot.h>
#include <plc/rwlock.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "threads.h"

enum { ROUNDS = 20000, TURNS = 2000, ONCES = 200 };

/* ---- Mutex: lock, try, wait until, hand over */

static plc_mutex_t mutex = PLC_MUTEX_INIT;
static long in_mutex;
static long given_up;

static void *use_mutex(void *number) {
    for (int i = 0; i < ROUNDS; i++) {
        errno = EILSEQ;
        if (i % 8 == 3 && !plc_mutex_try_lock(&mutex)) {
            __atomic_fetch_add(&given_up, 1, __ATOMIC_RELAXED);
            continue;
        }
        if (i % 8 == 5 && !plc_mutex_lock_until(&mutex, plc_deadline_after_ns(1000))) {
            __atomic_fetch_add(&given_up, 1, __ATOMIC_RELAXED);
            continue;
        }
        if (i % 8 != 3 && i % 8 != 5)
            plc_mutex_lock(&mutex);
        in_mutex++;
        if (i % 64 == 0)
            plc_mutex_unlock_fair(&mutex);
        else
            plc_mutex_unlock(&mutex);
        CHECK(errno == EILSEQ);
    }
    return number;
}

/* ---- Rwlock: the two halves are always equal */

static plc_rwlock_t rwlock = PLC_RWLOCK_INIT;
static long halves[2];

static void *use_rwlock(void *number) {
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 8 == 0) {
            plc_rwlock_write_lock(&rwlock);
            halves[0]++;
            halves[1]++;
            plc_rwlock_write_unlock(&rwlock);
        } else {
            plc_rwlock_read_lock(&rwlock);
            CHECK(halves[0] == halves[1]);
            plc_rwlock_read_unlock(&rwlock);
        }
    }
    return number;
}

/* ---- Condvar: everybody waits for its turn */

static plc_condvar_t condvar = PLC_CONDVAR_INIT;
static int next_number;
static int turn;

static void *take_turns(void *number) {
    plc_mutex_lock(&mutex);
    const int mine = next_number++;
    for (int i = 0; i < TURNS; i++) {
        while (turn % THREADS != mine)
            plc_condvar_wait(&condvar, &mutex);
        turn++;
        plc_condvar_notify_all(&condvar);
    }
    plc_mutex_unlock(&mutex);
    return number;
}

/* ---- Once */

static plc_once_t onces[ONCES];
static int initialised[ONCES];

static bool initialise(void *argument) {
    ++*(int *)argument;
    return true;
}

static void *call_onces(void *number) {
    for (int i = 0; i < ONCES; i++) {
        CHECK(plc_once_call(&onces[i], initialise, &initialised[i]));
        CHECK(initialised[i] == 1);
    }
    return number;
}

/* ---- The lot: a semaphore made of it loses no post */

static long posts;
static char key;

static bool nothing_posted(void *context) {
    (void)context;
    return __atomic_load_n(&posts, __ATOMIC_SEQ_CST) == 0;
}

static bool take_post(void) {
    long seen = __atomic_load_n(&posts, __ATOMIC_SEQ_CST);
    while (seen > 0) {
        if (__atomic_compare_exchange_n(&posts, &seen, seen - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return true;
    }
    return false;
}

static void *post_and_take(void *number) {
    static const struct plc_park_ops ops = {.validate = nothing_posted};
    for (int i = 0; i < ROUNDS / 4; i++) {
        __atomic_fetch_add(&posts, 1, __ATOMIC_SEQ_CST);
        plc_unpark_one(&key, NULL, NULL);
        while (!take_post())
            (void)plc_park(&key, &ops, NULL, 0, PLC_NO_DEADLINE);
    }
    return number;
}

int main(void) {
    run(use_mutex);
    CHECK(in_mutex + given_up == (long)THREADS * ROUNDS);
    run(use_rwlock);
    CHECK(halves[0] == (long)THREADS * ROUNDS / 8);
    run(take_turns);
    CHECK(turn == THREADS * TURNS);
    run(call_onces);
    run(post_and_take);
    CHECK(posts == 0);
    CHECK(!plc_mutex_is_locked(&mutex));
    (void)puts("locks: good");
    return 0;
}
