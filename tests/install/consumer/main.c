/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A user's C program: every lock from several threads, with data to check. With RACY it makes one deliberate mistake,
   for ThreadSanitizer to find. */
#include <plc/plc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    THREADS = 4,
    ROUNDS = 2000,
};

static plc_mutex_t mutex;
static plc_mutex_t mistaken_for_each_other[2];
static plc_rwlock_t rwlock;
static plc_condvar_t turn_changed;
static plc_once_t once;

static size_t by_mutex, by_timed_mutex, by_rwlock, by_upgrade, initialised, turn;
static size_t unguarded;

static bool initialise(void *argument) {
    (void)argument;
    ++initialised;
    return true;
}

static void count_with_mutex(void) {
    plc_mutex_lock(&mutex);
    ++by_mutex;
    plc_mutex_bump(&mutex);
    plc_mutex_unlock(&mutex);

    if (!plc_mutex_lock_until(&mutex, PLC_NO_DEADLINE))
        abort();
    ++by_timed_mutex;
    if (by_timed_mutex % 2 == 0)
        plc_mutex_unlock(&mutex);
    else
        plc_mutex_unlock_fair(&mutex);
}

static void count_with_rwlock(void) {
    plc_rwlock_write_lock(&rwlock);
    ++by_rwlock;
    plc_rwlock_write_unlock(&rwlock);

    plc_rwlock_read_lock(&rwlock);
    if (by_rwlock == 0)
        abort();
    plc_rwlock_read_unlock(&rwlock);

    plc_rwlock_upgradable_lock(&rwlock);
    size_t before = by_upgrade;
    plc_rwlock_upgrade(&rwlock);
    by_upgrade = before + 1;
    plc_rwlock_downgrade(&rwlock);
    if (by_upgrade <= before)
        abort();
    plc_rwlock_read_unlock(&rwlock);
}

/* Threads take turns, so that every wait of theirs blocks. */
static void take_turn(size_t self) {
    plc_mutex_lock(&mutex);
    while (turn % THREADS != self)
        plc_condvar_wait(&turn_changed, &mutex);
    ++turn;
    plc_condvar_notify_all(&turn_changed);
    plc_mutex_unlock(&mutex);
}

/* Everything right, but for RACY: each thread takes another lock than the next one. Nothing else orders the threads
   before this, and these locks are used for nothing else, so that no luck in scheduling hides the mistake. */
static void make_one_mistake(size_t self) {
#ifdef RACY
    plc_mutex_t *lock = &mistaken_for_each_other[self % 2];
#else
    plc_mutex_t *lock = &mistaken_for_each_other[0];
    (void)self;
#endif
    plc_mutex_lock(lock);
    ++unguarded;
    plc_mutex_unlock(lock);
}

static void *work(void *argument) {
    size_t self = (size_t)(uintptr_t)argument;
    make_one_mistake(self);
    for (size_t round = 0; round < ROUNDS; ++round) {
        if (!plc_once_call(&once, initialise, NULL) || initialised != 1)
            abort();
        count_with_mutex();
        count_with_rwlock();
    }
    for (size_t round = 0; round < ROUNDS / 10; ++round)
        take_turn(self);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; ++i)
        if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) != 0)
            abort();
    for (size_t i = 0; i < THREADS; ++i)
        pthread_join(threads[i], NULL);

    const size_t all = (size_t)THREADS * ROUNDS;
    bool right = by_mutex == all && by_timed_mutex == all && by_rwlock == all && by_upgrade == all && turn == all / 10;
    printf("mutex %zu, timed %zu, rwlock %zu, upgrade %zu, turns %zu: %s\n", by_mutex, by_timed_mutex, by_rwlock,
           by_upgrade, turn, right ? "right" : "WRONG");
    return right ? 0 : 1;
}
