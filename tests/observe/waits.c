/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* waits cond|reuse|named|hang: a wait on a cond, which is no contention; locks that take turns at one address; one
   that was given a name; a program that waits for a signal. */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t jobs_changed = PTHREAD_COND_INITIALIZER;
static int wanted;
static int done;

static void *serve(void *unused) {
    (void)pthread_mutex_lock(&jobs_lock);
    for (int served = 0; served < 100; served++) {
        while (wanted == 0)
            (void)pthread_cond_wait(&jobs_changed, &jobs_lock);
        wanted = 0;
        done = 1;
        (void)pthread_cond_signal(&jobs_changed);
    }
    (void)pthread_mutex_unlock(&jobs_lock);
    return unused;
}

static void use_cond(void) {
    pthread_t server;
    if (pthread_create(&server, NULL, serve, NULL) != 0)
        abort();
    for (int i = 0; i < 100; i++) {
        (void)pthread_mutex_lock(&jobs_lock);
        wanted = 1;
        done = 0;
        (void)pthread_cond_signal(&jobs_changed);
        while (done == 0)
            (void)pthread_cond_wait(&jobs_changed, &jobs_lock);
        (void)pthread_mutex_unlock(&jobs_lock);
    }
    (void)pthread_join(server, NULL);
}

static pthread_mutex_t one_place;
static atomic_int is_held;

static void *wait_once(void *unused) {
    while (!atomic_load(&is_held))
        (void)sched_yield();
    (void)pthread_mutex_lock(&one_place);
    (void)pthread_mutex_unlock(&one_place);
    return unused;
}

/* Held until the other thread waits, which shows in the lock's own word: 3 is held and waited for; on glibc, 2. */
static void contend(void) {
    pthread_t other;
    if (pthread_create(&other, NULL, wait_once, NULL) != 0)
        abort();
    (void)pthread_mutex_lock(&one_place);
    atomic_store(&is_held, 1);
    while (__atomic_load_n(&one_place.__data.__lock, __ATOMIC_RELAXED) < 2 &&
           __atomic_load_n(&one_place.__data.__spins, __ATOMIC_RELAXED) != 1) /* libplc marks its first waiter there */
        (void)sched_yield();
    (void)pthread_mutex_unlock(&one_place);
    (void)pthread_join(other, NULL);
    atomic_store(&is_held, 0);
}

static void __attribute__((noinline)) first_life(void) {
    (void)pthread_mutex_init(&one_place, NULL);
    contend();
    (void)pthread_mutex_destroy(&one_place);
}

static void __attribute__((noinline)) second_life(void) {
    (void)pthread_mutex_init(&one_place, NULL);
    contend();
    contend();
    (void)pthread_mutex_destroy(&one_place);
}

/* By libplc's own function, which is there when the drop-in is. */
static void use_name(void) {
    void *symbol = dlsym(RTLD_DEFAULT, "plc_debug_name");
    _Bool (*give_name)(const void *, const char *);
    memcpy(&give_name, &symbol, sizeof give_name);
    if (symbol == NULL || !give_name(&one_place, "the one place"))
        abort();
    contend();
}

/* Until it is told to end; says that it is there, and what arrived. */
static void hang(void) {
    sigset_t wanted_signals;
    int number = 0;
    (void)sigemptyset(&wanted_signals);
    (void)sigaddset(&wanted_signals, SIGTERM);
    (void)sigaddset(&wanted_signals, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &wanted_signals, NULL);
    use_cond();
    printf("ready %d\n", (int)getpid());
    (void)fflush(stdout);
    while (number != SIGTERM) {
        (void)sigwait(&wanted_signals, &number);
        printf("signal %d\n", number);
        (void)fflush(stdout);
    }
    (void)sigprocmask(SIG_UNBLOCK, &wanted_signals, NULL);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "cond") == 0)
        use_cond();
    if (strcmp(what, "reuse") == 0) {
        first_life();
        second_life();
    }
    if (strcmp(what, "named") == 0)
        use_name();
    if (strcmp(what, "hang") == 0)
        hang();
    return 0;
}
