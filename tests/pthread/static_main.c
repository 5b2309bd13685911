/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program that is linked statically: POSIX's and C11's locks under load, a fork, a cancellation, and what is refused. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

static int failures;

static void check(int is_good, const char *what) {
    if (!is_good) {
        (void)fprintf(stderr, "static_main: wrong: %s\n", what);
        failures++;
    }
}

enum { THREADS = 4, ROUNDS = 5000 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    pthread_once_t once;
    mtx_t mtx;
    cnd_t cnd;
    once_flag flag;
    int turn;
    int mtx_turn;
    int runs;
    long a;
    long b;
} shared = {.mutex = PTHREAD_MUTEX_INITIALIZER,
            .cond = PTHREAD_COND_INITIALIZER,
            .rwlock = PTHREAD_RWLOCK_INITIALIZER,
            .once = PTHREAD_ONCE_INIT,
            .flag = ONCE_FLAG_INIT};

static void run_once(void) {
    shared.runs++;
}

/* Everybody takes its turn, by pthread's cond and by C11's, and writes in between. */
static void *play(void *argument) {
    int me = (int)(long)argument;
    pthread_once(&shared.once, run_once);
    call_once(&shared.flag, run_once);
    for (int round = 0; round < ROUNDS / THREADS; round++) {
        pthread_mutex_lock(&shared.mutex);
        while (shared.turn != me)
            pthread_cond_wait(&shared.cond, &shared.mutex);
        shared.turn = (me + 1) % THREADS;
        pthread_cond_broadcast(&shared.cond);
        pthread_mutex_unlock(&shared.mutex);
        pthread_rwlock_wrlock(&shared.rwlock);
        shared.a++;
        shared.b++;
        pthread_rwlock_unlock(&shared.rwlock);
        pthread_rwlock_rdlock(&shared.rwlock);
        if (shared.a != shared.b)
            abort();
        pthread_rwlock_unlock(&shared.rwlock);
        mtx_lock(&shared.mtx);
        while (shared.mtx_turn != me)
            cnd_wait(&shared.cnd, &shared.mtx);
        shared.mtx_turn = (me + 1) % THREADS;
        cnd_broadcast(&shared.cnd);
        mtx_unlock(&shared.mtx);
    }
    return NULL;
}

static void play_all(void) {
    pthread_t threads[THREADS];
    mtx_init(&shared.mtx, mtx_timed);
    cnd_init(&shared.cnd);
    for (long i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, play, (void *)i) == 0, "pthread_create");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    check(shared.a == ROUNDS && shared.b == ROUNDS, "everybody wrote");
    check(shared.runs == 2, "each once ran once");
}

static void unlock(void *mutex) {
    check(pthread_mutex_unlock(mutex) == 0, "held by the cancelled thread");
}

static void *wait_for_ever(void *argument) {
    (void)argument;
    pthread_mutex_lock(&shared.mutex);
    pthread_cleanup_push(unlock, &shared.mutex);
    pthread_cancel(pthread_self());
    for (;;)
        pthread_cond_wait(&shared.cond, &shared.mutex);
    pthread_cleanup_pop(1);
    return NULL;
}

static void cancel(void) {
    pthread_t thread;
    void *result = NULL;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    pthread_join(thread, &result);
    check(result == PTHREAD_CANCELED, "cancelled");
    check(pthread_mutex_trylock(&shared.mutex) == 0 && pthread_mutex_unlock(&shared.mutex) == 0, "free afterwards");
}

static void fork_child(void) {
    int status = -1;
    pthread_mutex_lock(&shared.mutex);
    pid_t child = fork();
    if (child == 0) {
        int good = pthread_mutex_unlock(&shared.mutex) == 0 && pthread_mutex_lock(&shared.mutex) == 0;
        _exit(good && shared.mutex.__data.__owner == (int)syscall(SYS_gettid) ? 0 : 1);
    }
    waitpid(child, &status, 0);
    check(status == 0, "the child's mutex");
    pthread_mutex_unlock(&shared.mutex);
}

/* glibc counts a mutex's users in a field that libplc leaves alone. */
static int is_libplc(void) {
    pthread_mutex_lock(&shared.mutex);
    int users = (int)shared.mutex.__data.__nusers;
    pthread_mutex_unlock(&shared.mutex);
    const struct timespec past = {.tv_sec = 1};
    check(mtx_timedlock(&shared.mtx, &past) == thrd_success, "a free one is locked at any time");
    check(cnd_timedwait(&shared.cnd, &shared.mtx, &past) == thrd_timedout, "a past time is over");
    int mtx_users = (int)((pthread_mutex_t *)(void *)&shared.mtx)->__data.__nusers;
    mtx_unlock(&shared.mtx);
    check(users == mtx_users, "C11's locks are of the same kind");
    return users == 0;
}

static void try_shared(int expected) {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    pthread_mutexattr_t mutex_attributes;
    pthread_condattr_t cond_attributes;
    pthread_rwlockattr_t rwlock_attributes;
    pthread_mutexattr_init(&mutex_attributes);
    pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
    pthread_condattr_init(&cond_attributes);
    pthread_condattr_setpshared(&cond_attributes, PTHREAD_PROCESS_SHARED);
    pthread_rwlockattr_init(&rwlock_attributes);
    pthread_rwlockattr_setpshared(&rwlock_attributes, PTHREAD_PROCESS_SHARED);
    check(pthread_mutex_init(&mutex, &mutex_attributes) == expected, "a shared mutex");
    check(pthread_cond_init(&cond, &cond_attributes) == expected, "a shared cond");
    check(pthread_rwlock_init(&rwlock, &rwlock_attributes) == expected, "a shared rwlock");
    pthread_mutexattr_init(&mutex_attributes);
    pthread_mutexattr_setrobust(&mutex_attributes, PTHREAD_MUTEX_ROBUST);
    check(pthread_mutex_init(&mutex, &mutex_attributes) == expected, "a robust mutex");
}

int main(int argc, char **argv) {
    int expect_libplc = argc > 1 && strcmp(argv[1], "libplc") == 0;
    play_all();
    cancel();
    fork_child();
    check(is_libplc() == expect_libplc, "whose locks these are");
    try_shared(expect_libplc ? ENOTSUP : 0);
    return failures == 0 ? 0 : 1;
}
