/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The drop-in's thread-local data, its constructor, and what the child of a fork must forget. */
#include "thread.h"

#include "cond_shared.h"
#include "layout.h"
#include "observe/hooks.h"
#include "real.h"
#include "statistics.h"

#include <plc/detail/atomic.h>

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread struct dropin_thread dropin_thread;

static uint32_t fork_generation;

int dropin_tid_slow(void) {
    /* gettid cannot fail, so that errno stays as it is. The raw call, because the C library's wrapper is too young for
       some of the systems that this should load on. */
    dropin_thread.tid = (int)syscall(SYS_gettid);
    return dropin_thread.tid;
}

uint32_t dropin_fork_generation(void) {
    /* relaxed: written only while a process has a single thread, which started all others */
    return plc_load_relaxed(&fork_generation);
}

/* The only thread of the new process has a new tid, and nobody else's unfinished work will ever be finished. It keeps
   the locks that it held, read locks included. */
static void after_fork_in_child(void) {
    dropin_thread.tid = 0;
    plc_store_relaxed(&fork_generation, fork_generation + DROPIN_FORK_STEP); /* relaxed: one thread */
    dropin_cond_shared_after_fork();
    dropin_statistics_after_fork();
    observe_after_fork();
}

#ifndef DROPIN_STATIC
/* glibc's _Fork runs no handlers, but its child has a tid of its own just the same. A child made by a raw system call
   keeps its parent's, here as in glibc. */
static pid_t fork_alone(void) {
    const struct dropin_real *real = dropin_real();
    if (real->fork_alone == NULL)
        return fork();
    pid_t child = real->fork_alone();
    if (child == 0)
        after_fork_in_child();
    return child;
}

DROPIN_EXPORT(_Fork, fork_alone);
#endif

/* Everything works before this ran: it only saves later calls the search for glibc's functions. */
__attribute__((constructor)) static void start(void) {
    int saved_errno = errno;
    (void)dropin_real();
    dropin_statistics_start();
    (void)pthread_atfork(NULL, NULL, after_fork_in_child);
    observe_start();
    errno = saved_errno;
}
