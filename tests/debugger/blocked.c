/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program that stands still in a known way: two threads in a deadlock, one reader kept out, one waiting to be notified.
   Built with libplc's locks and PLC_CHECKED, or with pthread's. Prints "ready" and its number, and waits; upon
   SIGUSR1 it dumps to standard error what it waits for. */
#include <plc/debug.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef BLOCKED_ON_LIBPLC
#include <plc/plc.h>
typedef plc_mutex_t mutex_type;
typedef plc_condvar_t condition_type;
typedef plc_rwlock_t rwlock_type;
#define lock plc_mutex_lock
#define wait_for plc_condvar_wait
#define read_lock plc_rwlock_read_lock
#define write_lock plc_rwlock_write_lock
#define RWLOCK_INITIALIZER PLC_RWLOCK_INIT
#else
typedef pthread_mutex_t mutex_type;
typedef pthread_cond_t condition_type;
typedef pthread_rwlock_t rwlock_type;
#define lock pthread_mutex_lock
#define wait_for pthread_cond_wait
#define read_lock pthread_rwlock_rdlock
#define write_lock pthread_rwlock_wrlock
/* A reader of this kind waits in one piece; one of the default kind looks now and then whether it may read through. */
#define RWLOCK_INITIALIZER PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#endif

/* The program is not linked to libplc where it uses pthread's locks: it comes with what is preloaded. */
#pragma weak plc_debug_dump
#pragma weak plc_debug_name
#pragma weak plc_debug_for_each_waiter

/* Zeroed memory is a lock of either. */
mutex_type first, second, idle, of_the_condition;
condition_type condition;
rwlock_type table = RWLOCK_INITIALIZER;
#ifdef BLOCKED_ON_LIBPLC
plc_once_t once;
#endif
static unsigned holders; /* how many threads hold their first lock */

static void hold_and_wait(mutex_type *mine, mutex_type *other) {
    lock(mine);
    __atomic_fetch_add(&holders, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&holders, __ATOMIC_SEQ_CST) < 2)
        sched_yield();
    lock(other);
}

static void *alice(void *unused) {
    hold_and_wait(&first, &second);
    return unused;
}

static void *bob(void *unused) {
    hold_and_wait(&second, &first);
    return unused;
}

static void *carol(void *unused) {
    read_lock(&table);
    return unused;
}

static void *dave(void *unused) {
    lock(&of_the_condition);
    wait_for(&condition, &of_the_condition);
    return unused;
}

static void start(void *(*routine)(void *), const char *name) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, routine, NULL) != 0)
        abort();
    pthread_setname_np(thread, name);
}

static bool count(void *context, const struct plc_debug_waiter *waiter) {
    (void)waiter;
    ++*(size_t *)context;
    return true;
}

static void dump(int signal_number) {
    (void)signal_number;
    plc_debug_dump(STDERR_FILENO);
}

int main(void) {
    size_t waiting = 0;
    if (!plc_debug_dump || !plc_debug_name || !plc_debug_for_each_waiter) {
        fprintf(stderr, "blocked: there is no libplc here\n");
        return 1;
    }
    signal(SIGUSR1, dump);
    plc_debug_name(&first, "first");
    plc_debug_name(&second, "second");
    plc_debug_name(&table, "table");
    write_lock(&table);
    start(alice, "alice");
    start(bob, "bob");
    start(carol, "carol");
    start(dave, "dave");
    while (waiting != 4) {
        waiting = 0;
        plc_debug_for_each_waiter(count, &waiting);
        sched_yield();
    }
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    alarm(300); /* nobody shall have to clean up after a test that was killed */
    for (;;)
        pause();
}
