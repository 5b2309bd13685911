/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the drop-in remembers about each thread. */
#ifndef PLC_DROPIN_THREAD_H
#define PLC_DROPIN_THREAD_H

#include <plc/detail/config.h>

#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define DROPIN_HAVE_SINGLE_THREADED 1
#endif
#endif

/* Zero in a new thread. Static thread-local storage: it needs no allocation, and it is still there in destructors of
   thread-specific data. */
struct dropin_thread {
    int tid;             /* the kernel's number of this thread; 0: not asked for yet */
    unsigned read_locks; /* how many rwlocks, of any kind, this thread holds for reading */
};

extern __thread struct dropin_thread dropin_thread __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* Asks the kernel, and remembers the answer. Does not change errno. */
int dropin_tid_slow(void);

/* The calling thread's tid: what debuggers and programs expect in an owner field. */
static inline int dropin_tid(void) {
    int tid = dropin_thread.tid;
    return PLC_LIKELY(tid != 0) ? tid : dropin_tid_slow();
}

/* Is there certainly no other thread? glibc says so until the first pthread_create. Then no lock needs an atomic operation:
   glibc's own do without as well, and take a fourth of the time. */
static inline bool dropin_is_single_threaded(void) {
#ifdef DROPIN_HAVE_SINGLE_THREADED
    return __libc_single_threaded != 0;
#else
    return false;
#endif
}

/* The generation of this process: it grows by DROPIN_FORK_STEP in every child of a fork, as glibc's does. */
enum { DROPIN_FORK_STEP = 4 };
uint32_t dropin_fork_generation(void);

#endif
