/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads that wait for each other, for certain. */
#include "watch_program.h"

#include <errno.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t third = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t queueing = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Keeps a call from being the last thing that a function does, which would leave no frame of it. */
static void stay(void) {
    __asm__ __volatile__("" ::: "memory");
}

NOINLINE static void *take_first_then_second(void *unused) {
    CHECK(pthread_mutex_lock(&first)); /* at: first-of-two */
    meet();
    CHECK(pthread_mutex_lock(&second)); /* at: second-of-two */
    stay();
    return unused;
}

NOINLINE static void *take_second_then_first(void *unused) {
    CHECK(pthread_mutex_lock(&second));
    meet();
    CHECK(pthread_mutex_lock(&first)); /* at: first-wanted */
    stay();
    return unused;
}

NOINLINE static void *take_second_then_third(void *unused) {
    CHECK(pthread_mutex_lock(&second));
    meet();
    CHECK(pthread_mutex_lock(&third));
    stay();
    return unused;
}

NOINLINE static void *take_third_then_first(void *unused) {
    CHECK(pthread_mutex_lock(&third));
    meet();
    CHECK(pthread_mutex_lock(&first));
    stay();
    return unused;
}

NOINLINE static void *take_one_twice(void *unused) {
    CHECK(pthread_mutex_lock(&first)); /* at: once */
    CHECK(pthread_mutex_lock(&first)); /* at: twice */
    stay();
    return unused;
}

NOINLINE static void *read_then_lock(void *unused) {
    CHECK(pthread_rwlock_rdlock(&table)); /* at: read */
    meet();
    CHECK(pthread_mutex_lock(&first));
    stay();
    return unused;
}

NOINLINE static void *lock_then_write(void *unused) {
    CHECK(pthread_mutex_lock(&first));
    meet();
    CHECK(pthread_rwlock_wrlock(&table)); /* at: write */
    stay();
    return unused;
}

NOINLINE static void *write_then_lock(void *unused) {
    CHECK(pthread_rwlock_wrlock(&table));
    meet();
    CHECK(pthread_mutex_lock(&first));
    stay();
    return unused;
}

NOINLINE static void *lock_then_read(void *unused) {
    CHECK(pthread_mutex_lock(&first));
    meet();
    CHECK(pthread_rwlock_rdlock(&table)); /* at: read-wanted */
    stay();
    return unused;
}

NOINLINE static void *read_then_write(void *unused) {
    CHECK(pthread_rwlock_rdlock(&table)); /* at: upgraded-from */
    CHECK(pthread_rwlock_wrlock(&table)); /* at: upgraded-to */
    stay();
    return unused;
}

/* Reads again while a writer waits, which this kind of rwlock does not allow. */
NOINLINE static void *read_twice(void *unused) {
    CHECK(pthread_rwlock_rdlock(&queueing)); /* at: read-once */
    meet();
    int error;
    while ((error = pthread_rwlock_tryrdlock(&queueing)) == 0) /* until the writer waits */
        CHECK(pthread_rwlock_unlock(&queueing));
    CHECK(error == EBUSY ? 0 : error);
    CHECK(pthread_rwlock_rdlock(&queueing)); /* at: read-twice */
    stay();
    return unused;
}

NOINLINE static void *write_between(void *unused) {
    meet();
    CHECK(pthread_rwlock_wrlock(&queueing)); /* at: written-between */
    stay();
    return unused;
}

NOINLINE static void *wait_with_another_lock(void *unused) {
    CHECK(pthread_mutex_lock(&first)); /* at: kept-while-waiting */
    CHECK(pthread_mutex_lock(&second));
    meet();
    CHECK(pthread_cond_wait(&changed, &second)); /* at: cond-wait */
    stay();
    return unused;
}

NOINLINE static void *wake_and_want_the_other(void *unused) {
    meet();
    CHECK(pthread_mutex_lock(&second)); /* at: cond-mutex */
    CHECK(pthread_cond_signal(&changed));
    CHECK(pthread_mutex_lock(&first)); /* at: wanted-of-waiter */
    stay();
    return unused;
}

const struct scenario deadlocks[] = {
    {"two", NULL, 2, {take_first_then_second, take_second_then_first}},
    {"three", NULL, 3, {take_first_then_second, take_second_then_third, take_third_then_first}},
    {"self", NULL, 1, {take_one_twice}},
    {"read-write", NULL, 2, {read_then_lock, lock_then_write}},
    {"write-read", NULL, 2, {write_then_lock, lock_then_read}},
    {"upgrade", NULL, 1, {read_then_write}},
    {"behind-writer", NULL, 2, {read_twice, write_between}},
    {"cond", NULL, 2, {wait_with_another_lock, wake_and_want_the_other}},
    {NULL, NULL, 0, {NULL}},
};
