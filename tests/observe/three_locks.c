/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program whose waits are known: three locks, of which each is held while exactly one other thread waits for it. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* In each round the holder takes the lock, says so, and keeps it until the other thread waits, which the lock's
   first word shows, and for the lock's time after that. A wait is as long as its hold, or longer on a busy machine:
   so the program prints between which two times it must lie. The first is from when the holder saw the waiter until
   it gave the lock up, the second is the waiter's own, all around. */
enum { ROUNDS = 20 };

pthread_mutex_t short_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t middle_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t long_lock = PTHREAD_RWLOCK_INITIALIZER;

struct lock {
    const char *name;
    void (*take)(void);
    void (*give)(void);
    void (*wait)(void); /* takes and gives it in the thread that waits */
    const volatile int *word;
    const volatile int *mark; /* where libplc's first waiter for a mutex shows instead */
    long hold_us;
    double at_least;
    double at_most;
};

static void take_short(void) {
    (void)pthread_mutex_lock(&short_lock);
}
static void give_short(void) {
    (void)pthread_mutex_unlock(&short_lock);
}
static void __attribute__((noinline)) wait_short(void) {
    (void)pthread_mutex_lock(&short_lock);
    (void)pthread_mutex_unlock(&short_lock);
}

static void take_middle(void) {
    (void)pthread_mutex_lock(&middle_lock);
}
static void give_middle(void) {
    (void)pthread_mutex_unlock(&middle_lock);
}
static void __attribute__((noinline)) wait_middle(void) {
    (void)pthread_mutex_lock(&middle_lock);
    (void)pthread_mutex_unlock(&middle_lock);
}

static void take_long(void) {
    (void)pthread_rwlock_wrlock(&long_lock);
}
static void give_long(void) {
    (void)pthread_rwlock_unlock(&long_lock);
}
static void __attribute__((noinline)) wait_long(void) {
    (void)pthread_rwlock_rdlock(&long_lock);
    (void)pthread_rwlock_unlock(&long_lock);
}

#define WORD(lock) ((const volatile int *)(const void *)&(lock))
static struct lock locks[] = {
    {"short_lock", take_short, give_short, wait_short, WORD(short_lock), WORD(short_lock.__data.__spins), 1000, 0, 0},
    {"middle_lock", take_middle, give_middle, wait_middle, WORD(middle_lock), WORD(middle_lock.__data.__spins), 3000, 0,
     0},
    {"long_lock", take_long, give_long, wait_long, WORD(long_lock), WORD(long_lock), 6000, 0, 0},
};

/* 0: the holder may begin, 1: the lock is held. */
static atomic_int stage;

static void wait_for(int wanted) {
    while (atomic_load(&stage) != wanted)
        (void)sched_yield();
}

static double seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *wait_in_turn(void *unused) {
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
            wait_for(1);
            double begin = seconds();
            locks[i].wait();
            locks[i].at_most += seconds() - begin;
            atomic_store(&stage, 0);
        }
    }
    return unused;
}

static void hold_in_turn(void) {
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
            const struct timespec hold = {0, locks[i].hold_us * 1000};
            wait_for(0);
            locks[i].take();
            int held = *locks[i].word;
            int mark = *locks[i].mark;
            atomic_store(&stage, 1);
            while (*locks[i].word == held && *locks[i].mark == mark)
                (void)sched_yield();
            double begin = seconds();
            (void)nanosleep(&hold, NULL); /* the hold itself; nobody relies on its length */
            locks[i].at_least += seconds() - begin;
            locks[i].give();
        }
    }
    wait_for(0);
}

static void end_by(const char *how) {
    if (strcmp(how, "segv") == 0)
        (void)raise(SIGSEGV);
    else if (strcmp(how, "abort") == 0)
        abort();
    else if (strcmp(how, "kill") == 0)
        (void)raise(SIGKILL);
    else if (strcmp(how, "_exit") == 0)
        _exit(7);
}

static void run(void) {
    pthread_t other;
    if (pthread_create(&other, NULL, wait_in_turn, NULL) != 0)
        abort();
    hold_in_turn();
    (void)pthread_join(other, NULL);
}

/* three_locks [fork|segv|abort|kill|_exit] */
int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "";
    run();
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++)
        printf("%s %.9f %.9f\n", locks[i].name, locks[i].at_least, locks[i].at_most);
    (void)fflush(stdout);
    if (strcmp(how, "fork") == 0) {
        pid_t child = fork();
        if (child == 0) {
            run();
            _exit(0);
        }
        (void)waitpid(child, NULL, 0);
        printf("child %d\n", (int)child);
    }
    end_by(how);
    return 0;
}
