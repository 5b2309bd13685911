/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program with known deadlocks and known inversions, and with much that looks like them: what watch.sh has watched.

   watch_program SCENARIO; the lines that a report must name are marked "at: NAME". */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t third = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t queueing = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t all_hold_one;

static void check(int error, const char *what) {
    if (error != 0) {
        (void)fprintf(stderr, "watch_program: %s: %s\n", what, strerror(error));
        exit(1);
    }
}
#define CHECK(call) check((call), #call)

static void meet(void) {
    (void)pthread_barrier_wait(&all_hold_one);
}

/* Keeps a call from being the last thing that a function does, which would leave no frame of it. */
static void stay(void) {
    __asm__ __volatile__("" ::: "memory");
}

typedef void *(*routine)(void *);

struct start {
    routine routine;
    const char *name;
};

static void *begin(void *argument) {
    const struct start *start = argument;
    CHECK(pthread_setname_np(pthread_self(), start->name));
    return start->routine(NULL);
}

/* Starts all and waits for their ends. */
static void run_together(unsigned count, const routine *routines) {
    static const char *const names[] = {"worker-1", "worker-2", "worker-3"};
    struct start starts[3];
    pthread_t threads[3];
    CHECK(pthread_barrier_init(&all_hold_one, NULL, count));
    for (unsigned i = 0; i < count; i++) {
        starts[i] = (struct start){routines[i], names[i]};
        CHECK(pthread_create(&threads[i], NULL, begin, &starts[i]));
    }
    for (unsigned i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL));
    CHECK(pthread_barrier_destroy(&all_hold_one));
}

static void run_alone(routine one) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, one, NULL));
    CHECK(pthread_join(thread, NULL));
}

/* ---- Deadlocks */

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

static int is_waiting;

NOINLINE static void *wait_with_another_lock(void *unused) {
    CHECK(pthread_mutex_lock(&first)); /* at: kept-while-waiting */
    CHECK(pthread_mutex_lock(&second));
    is_waiting = 1;
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

/* ---- Inversions that never come to a deadlock: one thread after the other */

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

/* ---- Peace: all of this is in order */

enum { ROUNDS = 2000 };

static void nest(pthread_mutex_t *outer, pthread_mutex_t *inner) {
    CHECK(pthread_mutex_lock(outer));
    CHECK(pthread_mutex_lock(inner));
    CHECK(pthread_mutex_unlock(inner));
    CHECK(pthread_mutex_unlock(outer));
}

static void *back_off(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(pthread_mutex_lock(&first));
        while (pthread_mutex_trylock(&second) != 0) {
            CHECK(pthread_mutex_unlock(&first));
            CHECK(pthread_mutex_lock(&first));
        }
        CHECK(pthread_mutex_unlock(&second));
        CHECK(pthread_mutex_unlock(&first));
    }
    return unused;
}

static void *back_off_the_other_way(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(pthread_mutex_lock(&second));
        while (pthread_mutex_trylock(&first) != 0) {
            CHECK(pthread_mutex_unlock(&second));
            CHECK(pthread_mutex_lock(&second));
        }
        CHECK(pthread_mutex_unlock(&first));
        CHECK(pthread_mutex_unlock(&second));
    }
    return unused;
}

static pthread_mutex_t again = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* A lock inside a recursive one inside itself: no inversion. */
static void *recurse(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(pthread_mutex_lock(&again));
        CHECK(pthread_mutex_lock(&third));
        CHECK(pthread_mutex_lock(&again));
        CHECK(pthread_mutex_unlock(&again));
        CHECK(pthread_mutex_unlock(&third));
        CHECK(pthread_mutex_unlock(&again));
    }
    return unused;
}

/* Readers that read again, and two rwlocks in both orders, for reading. */
static void *read_again(void *unused) {
    static pthread_rwlock_t other = PTHREAD_RWLOCK_INITIALIZER;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_rwlock_t *one = i % 2 == 0 ? &table : &other;
        pthread_rwlock_t *two = i % 2 == 0 ? &other : &table;
        CHECK(pthread_rwlock_rdlock(one));
        CHECK(pthread_rwlock_rdlock(two));
        CHECK(pthread_rwlock_rdlock(one));
        CHECK(pthread_rwlock_unlock(one));
        CHECK(pthread_rwlock_unlock(two));
        CHECK(pthread_rwlock_unlock(one));
        if (i % 50 == 0) {
            CHECK(pthread_rwlock_wrlock(one));
            CHECK(pthread_rwlock_unlock(one));
        }
    }
    return unused;
}

static int ball; /* whose turn it is; guarded by `third` */

static void play(int mine) {
    CHECK(pthread_mutex_lock(&third));
    for (int i = 0; i < ROUNDS; i++) {
        while (ball != mine)
            CHECK(pthread_cond_wait(&changed, &third));
        ball = 1 - mine;
        CHECK(pthread_cond_broadcast(&changed));
    }
    CHECK(pthread_mutex_unlock(&third));
}

static void *ping(void *unused) {
    play(0);
    return unused;
}

static void *pong(void *unused) {
    play(1);
    return unused;
}

/* A lock that one thread takes and another gives up, as a semaphore: in whatever order. */
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;

static void *take_baton(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(pthread_mutex_lock(&baton)); /* its own from the round before, until the other thread gives it up */
        if (i % 2 == 0) {
            CHECK(pthread_mutex_lock(&third));
            CHECK(pthread_mutex_unlock(&third));
        }
        meet();
    }
    return unused;
}

static void *give_baton(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        meet();
        CHECK(pthread_mutex_lock(&third));
        CHECK(pthread_mutex_unlock(&baton));
        CHECK(pthread_mutex_unlock(&third));
    }
    return unused;
}

/* Two locks at the same two addresses again and again, destroyed in between, or only made anew as std::mutex is: each life has its
   own order. */
static pthread_mutex_t lives[2];

static void *use_lives(void *is_inverse) {
    int one = is_inverse != NULL;
    nest(&lives[one], &lives[1 - one]);
    return NULL;
}

static void live_again(int with_calls) {
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        for (int k = 0; k < 2; k++) {
            if (with_calls)
                CHECK(pthread_mutex_init(&lives[k], NULL));
            else
                lives[k] = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        }
        CHECK(pthread_create(&thread, NULL, use_lives, i % 2 == 0 ? NULL : &first));
        CHECK(pthread_join(thread, NULL));
        if (with_calls) {
            CHECK(pthread_mutex_destroy(&lives[0]));
            CHECK(pthread_mutex_destroy(&lives[1]));
        }
    }
}

/* A deadlock for a moment: whoever waits for a limited time gives up. */
static void lock_for_a_moment(pthread_mutex_t *held, pthread_mutex_t *wanted) {
    struct timespec time;
    CHECK(pthread_mutex_lock(held));
    meet();
    CHECK(clock_gettime(CLOCK_REALTIME, &time));
    time.tv_nsec += 300000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    int error = pthread_mutex_timedlock(wanted, &time);
    check(error == 0 || error == ETIMEDOUT ? 0 : error, "pthread_mutex_timedlock");
    if (error == 0)
        CHECK(pthread_mutex_unlock(wanted));
    meet();
    CHECK(pthread_mutex_unlock(held));
}

static pthread_mutex_t timed[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void *time_out_one_way(void *unused) {
    lock_for_a_moment(&timed[0], &timed[1]);
    return unused;
}

static void *time_out_the_other_way(void *unused) {
    lock_for_a_moment(&timed[1], &timed[0]);
    return unused;
}

/* Where the second lock is waited for until some time only, the order does not matter, whether somebody waits or not. */
static void lock_with_a_limit(pthread_mutex_t *one, pthread_mutex_t *other) {
    const struct timespec never = {.tv_sec = 4000000000};
    CHECK(pthread_mutex_lock(one));
    CHECK(pthread_mutex_timedlock(other, &never));
    CHECK(pthread_mutex_unlock(other));
    CHECK(pthread_mutex_unlock(one));
}

static void *limit_one_way(void *unused) {
    lock_with_a_limit(&timed[0], &timed[1]);
    return unused;
}

static void *limit_the_other_way(void *unused) {
    lock_with_a_limit(&timed[1], &timed[0]);
    return unused;
}

/* first before middle, middle before second, second before first: but there was never more than two of these orders at a time. */
static pthread_mutex_t middle = PTHREAD_MUTEX_INITIALIZER;

static pthread_mutex_t ends[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void *nest_middle(void *unused) {
    nest(&ends[0], &middle);
    return unused;
}

static void *nest_in_middle(void *unused) {
    nest(&middle, &ends[1]);
    return unused;
}

static void *nest_without_middle(void *unused) {
    nest(&ends[1], &ends[0]);
    return unused;
}

/* What was done before there was a second thread met nobody. */
static pthread_mutex_t early[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void *nest_late(void *unused) {
    nest(&early[1], &early[0]);
    return unused;
}

/* The same thread takes locks of its own in both orders: it meets nobody. */
static void *change_its_mind(void *unused) {
    static pthread_mutex_t own[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
    for (int i = 0; i < ROUNDS; i++)
        nest(&own[i % 2], &own[1 - i % 2]);
    return unused;
}

static void be_peaceful(void) {
    nest(&early[0], &early[1]);
    run_alone(nest_late);
    run_together(2, (const routine[]){back_off, back_off_the_other_way});
    run_together(3, (const routine[]){recurse, recurse, recurse});
    run_together(3, (const routine[]){read_again, read_again, read_again});
    run_together(2, (const routine[]){ping, pong});
    run_together(2, (const routine[]){take_baton, give_baton});
    live_again(1);
    live_again(0);
    run_together(2, (const routine[]){time_out_one_way, time_out_the_other_way});
    run_alone(limit_one_way);
    run_alone(limit_the_other_way);
    run_alone(nest_middle);
    run_alone(nest_in_middle);
    CHECK(pthread_mutex_destroy(&middle));
    run_alone(nest_without_middle);
    run_alone(change_its_mind);
}

static void be_gated(void) {
    run_alone(gated_first_then_second);
    run_alone(gated_second_then_first);
}

/* ---- Which one */

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

static void run(const char *scenario) {
    if (strcmp(scenario, "two") == 0)
        run_together(2, (const routine[]){take_first_then_second, take_second_then_first});
    else if (strcmp(scenario, "three") == 0)
        run_together(3, (const routine[]){take_first_then_second, take_second_then_third, take_third_then_first});
    else if (strcmp(scenario, "self") == 0)
        run_together(1, (const routine[]){take_one_twice});
    else if (strcmp(scenario, "read-write") == 0)
        run_together(2, (const routine[]){read_then_lock, lock_then_write});
    else if (strcmp(scenario, "write-read") == 0)
        run_together(2, (const routine[]){write_then_lock, lock_then_read});
    else if (strcmp(scenario, "upgrade") == 0)
        run_together(1, (const routine[]){read_then_write});
    else if (strcmp(scenario, "behind-writer") == 0)
        run_together(2, (const routine[]){read_twice, write_between});
    else if (strcmp(scenario, "cond") == 0)
        run_together(2, (const routine[]){wait_with_another_lock, wake_and_want_the_other});
    else if (strcmp(scenario, "inversion") == 0)
        invert();
    else if (strcmp(scenario, "inversion-of-three") == 0)
        for (int i = 0; i < 3; i++)
            run_alone(((const routine[]){use_first_then_second, use_second_then_third, use_third_then_first})[i]);
    else if (strcmp(scenario, "inversion-of-rwlock") == 0)
        for (int i = 0; i < 2; i++)
            run_alone(((const routine[]){use_table_then_first, use_first_then_table})[i]);
    else if (strcmp(scenario, "inversion-of-many") == 0)
        for (int i = 0; i < 2; i++)
            run_alone(((const routine[]){many_pairs, many_pairs_inverse})[i]);
    else if (strcmp(scenario, "inversion-without-gate") == 0)
        for (int i = 0; i < 3; i++)
            run_alone(((const routine[]){gated_first_then_second, gated_second_then_first, use_first_then_second})[i]);
    else if (strcmp(scenario, "inversion-and-crash") == 0)
        invert(), abort();
    else if (strcmp(scenario, "inversion-in-child") == 0)
        invert_in_child();
    else if (strcmp(scenario, "gate") == 0)
        be_gated();
    else if (strcmp(scenario, "peace") == 0)
        be_peaceful();
    else
        check(EINVAL, scenario);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    run(argv[1]);
    (void)printf("done\n");
    return 0;
}
