/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread's locks in plain C, for processors that the other tests of the drop-in are not built for: it prints what serves them. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "threads.h"

enum { ROUNDS = 5000 };

/* ---- All kinds of mutex, the robust one of glibc's among them; what the kinds say about a second lock */

static pthread_mutex_t mutex;
static long count;

static void *use_mutex(void *number) {
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(pthread_mutex_lock(&mutex) == 0);
        count++;
        CHECK(pthread_mutex_unlock(&mutex) == 0);
    }
    return number;
}

static void use_kind(int type, int robust, int second_lock) {
    pthread_mutexattr_t attributes;
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_settype(&attributes, type) == 0);
    CHECK(pthread_mutexattr_setrobust(&attributes, robust) == 0);
    CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
    count = 0;
    run(use_mutex);
    CHECK(count == (long)THREADS * ROUNDS);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_trylock(&mutex) == (second_lock == 0 ? 0 : EBUSY));
    if (second_lock == EDEADLK)
        CHECK(pthread_mutex_lock(&mutex) == EDEADLK);
    CHECK(robust == PTHREAD_MUTEX_ROBUST || pthread_mutex_destroy(&mutex) == EBUSY);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    if (second_lock == 0)
        CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_destroy(&mutex) == 0);
}

/* ---- A rwlock and its rules; a cond by turns */

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t turn_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_cond = PTHREAD_COND_INITIALIZER;
static int turn, next_number;

static void *use_rwlock(void *number) {
    for (int i = 0; i < ROUNDS; i++) {
        CHECK((i % 8 ? pthread_rwlock_rdlock(&rwlock) : pthread_rwlock_wrlock(&rwlock)) == 0);
        count += i % 8 == 0;
        CHECK(pthread_rwlock_unlock(&rwlock) == 0);
    }
    return number;
}

static void *take_turns(void *number) {
    CHECK(pthread_mutex_lock(&turn_mutex) == 0);
    int mine = next_number++;
    for (int i = 0; i < 500; i++) {
        while (turn % THREADS != mine)
            CHECK(pthread_cond_wait(&turn_cond, &turn_mutex) == 0);
        turn++;
        CHECK(pthread_cond_broadcast(&turn_cond) == 0);
    }
    CHECK(pthread_mutex_unlock(&turn_mutex) == 0);
    return number;
}

static void use_rwlock_and_cond(void) {
    count = 0;
    run(use_rwlock);
    CHECK(count == (long)THREADS * ROUNDS / 8);
    CHECK(pthread_rwlock_wrlock(&rwlock) == 0);
    CHECK(pthread_rwlock_wrlock(&rwlock) == EDEADLK && pthread_rwlock_rdlock(&rwlock) == EDEADLK);
    CHECK(pthread_rwlock_unlock(&rwlock) == 0);
    run(take_turns);
    CHECK(turn == THREADS * 500);
    struct timespec past = {1, 0};
    CHECK(pthread_mutex_lock(&turn_mutex) == 0);
    CHECK(pthread_cond_timedwait(&turn_cond, &turn_mutex, &past) == ETIMEDOUT);
    CHECK(pthread_mutex_unlock(&turn_mutex) == 0);
}

/* ---- A handler that jumps out of the wait for a mutex, and one that stays within itself: where the stack pointer lies in a
   jmp_buf, and how it is disguised, is the processor's */

static sigjmp_buf outside;
static volatile sig_atomic_t within;

static void jump_within_then_out(int number) {
    sigjmp_buf here;
    (void)number;
    if (sigsetjmp(here, 1) == 0)
        siglongjmp(here, 1);
    if (++within % 2 == 0)
        siglongjmp(outside, 1);
}

static void *lock_in_vain(void *jumped) {
    if (sigsetjmp(outside, 1) == 0)
        (void)pthread_mutex_lock(&mutex);
    else
        __atomic_store_n((int *)jumped, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* libplc marks a mutex beside its word as long as nobody else has ever waited for it. */
static int has_first_waiter(void) {
    return *(volatile const unsigned char *)&mutex.__data.__spins == 1;
}

static void jump_out(void) {
    int jumped = 0;
    pthread_t thread;
    struct timespec moment = {0, 1000000};
    CHECK(signal(SIGUSR1, jump_within_then_out) != SIG_ERR);
    CHECK(pthread_mutex_init(&mutex, NULL) == 0 && pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_create(&thread, NULL, lock_in_vain, &jumped) == 0);
    while (__atomic_load_n(&mutex.__data.__lock, __ATOMIC_SEQ_CST) == 1 && !has_first_waiter())
        (void)nanosleep(&moment, NULL); /* until it is marked as waited for */
    while (!__atomic_load_n(&jumped, __ATOMIC_SEQ_CST)) {
        (void)pthread_kill(thread, SIGUSR1);
        (void)nanosleep(&moment, NULL);
    }
    CHECK(pthread_join(thread, NULL) == 0 && within % 2 == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
}

int main(void) {
    Dl_info info;
    use_kind(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, EBUSY);
    use_kind(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, 0);
    use_kind(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, EDEADLK);
    use_kind(PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_STALLED, EBUSY);
    use_kind(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, EBUSY);
    use_rwlock_and_cond();
    jump_out();
    CHECK(dladdr(dlsym(RTLD_DEFAULT, "pthread_mutex_lock"), &info) != 0);
    (void)printf("pthread's locks: good, by %s\n", info.dli_fname);
    return 0;
}
