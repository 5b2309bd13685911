/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What looks like a deadlock or an inversion and is none. */
#include "watch_program.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t third = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

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

/* A thread whose handler jumps out of its wait waits for nothing any more. */
static sigjmp_buf away;
static int has_jumped; /* atomic, as the next */
static pthread_t jumper;

static void jump_away(int number) {
    (void)number;
    siglongjmp(away, 1);
}

static void *wait_and_jump(void *unused) {
    CHECK(pthread_mutex_lock(&first));
    if (sigsetjmp(away, 1) == 0) {
        jumper = pthread_self();
        meet();
        CHECK(pthread_mutex_lock(&second));
        CHECK(EDEADLK); /* not reached: nobody gives it up */
    }
    __atomic_store_n(&has_jumped, 1, __ATOMIC_RELEASE);
    const struct timespec long_enough = {0, 600000000}; /* for a deadlock to be reported */
    (void)nanosleep(&long_enough, NULL);
    CHECK(pthread_mutex_unlock(&first));
    return unused;
}

/* The signal may come before the wait begins as well as within: a jump is right at both. */
static void *call_back(void *unused) {
    CHECK(pthread_mutex_lock(&second));
    meet();
    const struct timespec a_moment = {0, 100000000}; /* most likely it waits by then */
    (void)nanosleep(&a_moment, NULL);
    CHECK(pthread_kill(jumper, SIGUSR1));
    while (__atomic_load_n(&has_jumped, __ATOMIC_ACQUIRE) == 0)
        (void)sched_yield();
    CHECK(pthread_mutex_lock(&first));
    CHECK(pthread_mutex_unlock(&first));
    CHECK(pthread_mutex_unlock(&second));
    return unused;
}

/* A lock that is given up and freed by another thread than took it, or freed as it is held: the thread that took it goes on locking,
   and nobody may look for the freed one. */
static pthread_mutex_t *short_lived;

static void make_short_lived(void) {
    short_lived =
        mmap(NULL, sizeof *short_lived, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* zeros: free */
    if (short_lived == MAP_FAILED)
        CHECK(errno);
}

static void *take_short_lived(void *unused) {
    CHECK(pthread_mutex_lock(short_lived));
    meet();
    meet();
    nest(&first, &second);
    return unused;
}

static void *give_up_and_unmap(void *unused) {
    meet();
    CHECK(pthread_mutex_unlock(short_lived));
    check(munmap(short_lived, sizeof *short_lived) == 0 ? 0 : errno, "munmap");
    meet();
    return unused;
}

static void *give_up_and_clear(void *unused) {
    meet();
    CHECK(pthread_mutex_unlock(short_lived));
    memset(short_lived, 0, sizeof *short_lived);
    meet();
    return unused;
}

static void *unmap_while_held(void *unused) {
    CHECK(pthread_mutex_lock(short_lived));
    check(munmap(short_lived, sizeof *short_lived) == 0 ? 0 : errno, "munmap");
    nest(&first, &second);
    return unused;
}

static void use_short_lived(void) {
    static const unsigned char untouched[sizeof(pthread_mutex_t)];
    make_short_lived();
    run_together(2, (const routine[]){take_short_lived, give_up_and_unmap});
    make_short_lived();
    run_together(2, (const routine[]){take_short_lived, give_up_and_clear});
    const unsigned char *reused = (const unsigned char *)short_lived;
    check(memcmp(reused, untouched, sizeof untouched) == 0 ? 0 : EBUSY, "memory that is used for something else");
    make_short_lived();
    run_alone(unmap_while_held);
}

static void jump_out_of_a_wait(void) {
    const struct sigaction action = {.sa_handler = jump_away};
    CHECK(sigaction(SIGUSR1, &action, NULL));
    run_together(2, (const routine[]){wait_and_jump, call_back});
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

const struct scenario peace[] = {
    {"peace", be_peaceful, 0, {NULL}},
    {"jump", jump_out_of_a_wait, 0, {NULL}},
    {"freed", use_short_lived, 0, {NULL}},
    {NULL, NULL, 0, {NULL}},
};
