/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inversions that never come to a deadlock, for one thread runs after the other. */
#include "watch_program.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t third = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

NOINLINE static void *use_first_then_second(void *unused) {
    CHECK(pthread_mutex_lock(&first));  /* at: order-first */
    CHECK(pthread_mutex_lock(&second)); /* at: order-second */
    CHECK(pthread_mutex_unlock(&second));
    CHECK(pthread_mutex_unlock(&first));
    return unused;
}

NOINLINE static void *use_second_then_first(void *unused) {
    CHECK(pthread_mutex_lock(&second)); /* at: inverse-second */
    CHECK(pthread_mutex_lock(&first));  /* at: inverse-first */
    CHECK(pthread_mutex_unlock(&first));
    CHECK(pthread_mutex_unlock(&second));
    return unused;
}

NOINLINE static void *use_second_then_third(void *unused) {
    CHECK(pthread_mutex_lock(&second));
    CHECK(pthread_mutex_lock(&third)); /* at: order-third */
    CHECK(pthread_mutex_unlock(&third));
    CHECK(pthread_mutex_unlock(&second));
    return unused;
}

NOINLINE static void *use_third_then_first(void *unused) {
    CHECK(pthread_mutex_lock(&third)); /* at: inverse-third */
    CHECK(pthread_mutex_lock(&first));
    CHECK(pthread_mutex_unlock(&first));
    CHECK(pthread_mutex_unlock(&third));
    return unused;
}

NOINLINE static void *use_table_then_first(void *unused) {
    CHECK(pthread_rwlock_rdlock(&table)); /* at: order-read */
    CHECK(pthread_mutex_lock(&first));
    CHECK(pthread_mutex_unlock(&first));
    CHECK(pthread_rwlock_unlock(&table));
    return unused;
}

NOINLINE static void *use_first_then_table(void *unused) {
    CHECK(pthread_mutex_lock(&first));
    CHECK(pthread_rwlock_wrlock(&table)); /* at: order-write */
    CHECK(pthread_rwlock_unlock(&table));
    CHECK(pthread_mutex_unlock(&first));
    return unused;
}

/* The gate is third: with it, the two orders exclude each other. */
static void *gated_first_then_second(void *unused) {
    CHECK(pthread_mutex_lock(&third));
    (void)use_first_then_second(NULL);
    CHECK(pthread_mutex_unlock(&third));
    return unused;
}

static void *gated_second_then_first(void *unused) {
    CHECK(pthread_mutex_lock(&third));
    (void)use_second_then_first(NULL);
    CHECK(pthread_mutex_unlock(&third));
    return unused;
}

/* Many locks, always in the same two places. */
static void *many_pairs(void *is_inverse) {
    for (int i = 0; i < 100; i++) {
        pthread_mutex_t *pair = calloc(2, sizeof *pair);
        static pthread_mutex_t *pairs[100];
        if (is_inverse == NULL)
            pairs[i] = pair;
        else
            free(pair);
        pthread_mutex_t *one = &pairs[i][is_inverse == NULL ? 0 : 1];
        pthread_mutex_t *other = &pairs[i][is_inverse == NULL ? 1 : 0];
        CHECK(pthread_mutex_lock(one));
        CHECK(pthread_mutex_lock(other));
        CHECK(pthread_mutex_unlock(other));
        CHECK(pthread_mutex_unlock(one));
    }
    return NULL;
}

static void *many_pairs_inverse(void *unused) {
    (void)unused;
    return many_pairs(&first);
}

static void invert(void) {
    for (int i = 0; i < 10; i++) {
        run_alone(use_first_then_second);
        run_alone(use_second_then_first);
    }
}

static void invert_in_child(void) {
    run_alone(use_first_then_second); /* the parent knows one side only, and so does each child */
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (i == 0)
                invert();
            else
                run_alone(use_second_then_first);
            exit(0);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0)
            exit(1);
    }
}

static void invert_and_crash(void) {
    invert();
    abort();
}

static void invert_three(void) {
    run_alone(use_first_then_second);
    run_alone(use_second_then_third);
    run_alone(use_third_then_first);
}

static void invert_rwlock(void) {
    run_alone(use_table_then_first);
    run_alone(use_first_then_table);
}

static void invert_many(void) {
    run_alone(many_pairs);
    run_alone(many_pairs_inverse);
}

static void invert_behind_gate(void) {
    run_alone(gated_first_then_second);
    run_alone(gated_second_then_first);
}

static void invert_without_gate(void) {
    invert_behind_gate();
    run_alone(use_first_then_second);
}

const struct scenario orders[] = {
    {"inversion", invert, 0, {NULL}},
    {"inversion-of-three", invert_three, 0, {NULL}},
    {"inversion-of-rwlock", invert_rwlock, 0, {NULL}},
    {"inversion-of-many", invert_many, 0, {NULL}},
    {"inversion-without-gate", invert_without_gate, 0, {NULL}},
    {"inversion-and-crash", invert_and_crash, 0, {NULL}},
    {"inversion-in-child", invert_in_child, 0, {NULL}},
    {"gate", invert_behind_gate, 0, {NULL}},
    {NULL, NULL, 0, {NULL}},
};
