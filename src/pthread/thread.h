/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the drop-in remembers about each thread. */
#ifndef PLC_DROPIN_THREAD_H
#define PLC_DROPIN_THREAD_H

#include <plc/detail/config.h>

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

/* The generation of this process: it grows by DROPIN_FORK_STEP in every child of a fork, as glibc's does. */
enum { DROPIN_FORK_STEP = 4 };
uint32_t dropin_fork_generation(void);

#endif
