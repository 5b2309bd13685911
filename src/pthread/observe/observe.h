/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What happens to the locks of a program, told to observers; in libplc_pthread_debug.so only. */
#ifndef PLC_OBSERVE_H
#define PLC_OBSERVE_H

#include "ticks.h"

#include <plc/detail/config.h>

/* libplc_pthread_debug.so is the drop-in's own sources, whose functions it keeps under hidden names, and wrappers
   around them that it exports (observed_mutex.c and its neighbours). A wrapper behaves as the plain function does,
   errors included, and calls the observers that the environment switched on. libplc_pthread.so holds nothing of all
   this.

   While a thread is inside an observer, what it does with locks is not observed: unwinders and symbolisers lock,
   too. */

enum observe_type { OBSERVE_MUTEX_TYPE, OBSERVE_RWLOCK_TYPE, OBSERVE_COND_TYPE };

/* How a lock is held. A mutex, or a writer, excludes everybody else. */
enum observe_mode { OBSERVE_MUTEX, OBSERVE_READ, OBSERVE_WRITE };

/* How a lock was taken. */
enum {
    OBSERVE_TRY = 1,        /* by a function that never waits */
    OBSERVE_AGAIN = 2,      /* a recursive mutex that the thread held already */
    OBSERVE_CONTENDED = 4,  /* after a wait: wait_begin and wait_end came before */
    OBSERVE_AFTER_COND = 8, /* back from a wait on a cond */
    OBSERVE_LIMITED = 16,   /* by a function that waits until some time at most */
};

/* Every callback may be null. `caller` is an address in the program's code: where the wrapper was called from.
   Callbacks run in the thread that they tell about. They must not call malloc, must not use a lock of the program,
   and must not rely on a pair: a thread that was interrupted by a signal handler, or started before the observer,
   leaves calls out. */
struct observer {
    /* The environment variable that switches it on; its value is passed to start. */
    const char *variable;
    /* Called once, in the library's constructor. False: it cannot work (and has said so), and stays off. */
    bool (*start)(const char *value);
    /* Called in the child of a fork, which has one thread. */
    void (*after_fork)(void);

    void (*created)(const void *object, enum observe_type type, int kind, const void *caller);
    void (*destroyed)(const void *object, enum observe_type type);
    /* The lock was busy, and the thread is about to wait for it; is_timed: not for ever. */
    void (*wait_begin)(const void *object, enum observe_mode mode, bool is_timed, const void *caller);
    /* `waited` in ticks (ticks.h). */
    void (*wait_end)(const void *object, enum observe_mode mode, uint64_t waited, bool is_acquired);
    /* The calling thread now holds the lock. `kind` is the type's own: a mutex's __kind, a rwlock's __flags. */
    void (*acquired)(const void *object, enum observe_mode mode, int kind, unsigned flags, const void *caller);
    /* It is about to give the lock up; afterwards the object may be gone. Not called for the inner levels of a
       recursive mutex. */
    void (*released)(const void *object, enum observe_mode mode);
    /* Around a wait on a cond, whose mutex was released before and is acquired after. Not woken: its time was over,
       or the thread was cancelled. */
    void (*cond_wait_begin)(const void *cond, const void *mutex, bool is_timed, const void *caller);
    void (*cond_wait_end)(const void *cond, const void *mutex, uint64_t waited, bool is_woken);
    void (*cond_notified)(const void *cond, bool all, const void *caller);
};

enum { OBSERVERS_MOST = 4 };
extern const struct observer *observe_active[OBSERVERS_MOST] __attribute__((visibility("hidden")));
extern unsigned observe_active_count __attribute__((visibility("hidden")));
extern __thread unsigned observe_inside __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* From thread.c: in the constructor, and in the child of a fork. */
void observe_start(void);
void observe_after_fork(void);

static inline bool observe_is_on(void) {
    return PLC_LIKELY(observe_active_count != 0) && PLC_LIKELY(observe_inside == 0);
}

/* ---- Telling all observers; all are called only if observe_is_on() */

static inline void observe_created(const void *object, enum observe_type type, int kind, const void *caller) {
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->created != NULL)
            observe_active[i]->created(object, type, kind, caller);
    observe_inside--;
}

static inline void observe_destroyed(const void *object, enum observe_type type) {
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->destroyed != NULL)
            observe_active[i]->destroyed(object, type);
    observe_inside--;
}

static inline void observe_acquired(const void *object, enum observe_mode mode, int kind, unsigned flags,
                                    const void *caller) {
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->acquired != NULL)
            observe_active[i]->acquired(object, mode, kind, flags, caller);
    observe_inside--;
}

static inline void observe_released(const void *object, enum observe_mode mode) {
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->released != NULL)
            observe_active[i]->released(object, mode);
    observe_inside--;
}

/* The rare events, which may be slow and keep errno. The times are theirs: wait_begin returns when it began. */
uint64_t observe_wait_begin(const void *object, enum observe_mode mode, bool is_timed, const void *caller);
void observe_wait_end(const void *object, enum observe_mode mode, uint64_t begin, bool is_acquired);
uint64_t observe_cond_wait_begin(const void *cond, const void *mutex, bool is_timed, const void *caller);
void observe_cond_wait_end(const void *cond, const void *mutex, uint64_t begin, bool is_woken);
void observe_cond_notified(const void *cond, bool all, const void *caller);

/* Where the calling wrapper was called from. */
#define OBSERVE_CALLER() __builtin_extract_return_addr(__builtin_return_address(0))

#endif
