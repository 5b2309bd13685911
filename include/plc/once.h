/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  Initialisation that happens once, in one byte.
 *
 *  Zeroed memory is a once that has not run. The first caller runs its function while all others wait; when the
 *  function returns true the once is done for good, and every further call costs one load. When it returns false, or is
 *  left by an exception or a cancellation, it has failed: plc_once_call lets the next caller try again, the other two
 *  forms poison the once, so that every later call fails at once unless it is plc_once_call_force.
 *
 *  A function that calls the same once again aborts the program with a message. It must return on the thread on which
 *  it was called, and must not be left by longjmp.
 *
 *  Ordering: what the function did happens before the return of every call that reports its outcome. Calls may block;
 *  nothing allocates.
 *
 *  Algorithm: Rust's parking_lot::Once. docs/design/once.md has the state byte, its invariants and edges. */
#ifndef PLC_ONCE_H
#define PLC_ONCE_H

#include <plc/detail/atomic.h>
#include <plc/detail/config.h>
#include <plc/detail/tsan.h>

PLC_BEGIN_DECLS

/** A once; `state` is private. */
typedef struct plc_once {
    uint8_t state; /**< private */
} plc_once_t;

PLC_STATIC_ASSERT(sizeof(plc_once_t) == 1, "a once is one byte");

/** A once that has not run. So is any zeroed memory. */
#define PLC_ONCE_INIT                                                                                                  \
    { 0 }

enum {
    PLC_ONCE_DONE_ = 1u, /* the state once a run has succeeded */
};

/** What plc_once_state reports. */
enum plc_once_status {
    PLC_ONCE_NEW,      /**< Not run yet, or failed and to be tried again. */
    PLC_ONCE_RUNNING,  /**< A thread is running the function. */
    PLC_ONCE_DONE,     /**< Done. */
    PLC_ONCE_POISONED, /**< Failed for good. */
};

/* What a call does with a poisoned once, and what a failing run leaves. */
enum plc_once_form_ {
    PLC_ONCE_RETRY_,
    PLC_ONCE_POISON_,
    PLC_ONCE_FORCE_,
};

PLC_API bool plc_once_call_slow_(plc_once_t *once, bool (*function)(void *argument), void *argument,
                                 enum plc_once_form_ form);

#if defined(PLC_TSAN_) && !defined(PLC_NO_TSAN_ANNOTATIONS)
/* The function's end must be announced before the library, which ThreadSanitizer does not see into, publishes it. */
struct plc_once_announced_ {
    plc_once_t *once;
    bool (*function)(void *argument);
    void *argument;
};
static inline void plc_once_announce_end_(struct plc_once_announced_ **call) {
    plc_tsan_release((*call)->once);
}
static inline bool plc_once_run_announced_(void *context) {
    struct plc_once_announced_ *call __attribute__((cleanup(plc_once_announce_end_))) =
        (struct plc_once_announced_ *)context;
    plc_tsan_acquire(call->once); /* an earlier run that failed */
    return call->function(call->argument);
}
static inline bool plc_once_call_form_(plc_once_t *once, bool (*function)(void *argument), void *argument,
                                       enum plc_once_form_ form) {
    struct plc_once_announced_ call = {once, function, argument};
    bool done = plc_once_call_slow_(once, plc_once_run_announced_, &call, form);
    plc_tsan_acquire(once);
    return done;
}
#else
#define plc_once_call_form_(once, function, argument, form) plc_once_call_slow_((once), (function), (argument), (form))
#endif

/** Has a run succeeded? If so, all that it did happens before the return. One load; never blocks. */
PLC_INLINE bool plc_once_is_done(const plc_once_t *once) {
    bool done = plc_load_acquire(&once->state) == PLC_ONCE_DONE_; /* acquire [O1] */
    if (done)
        plc_tsan_acquire(once);
    return done;
}

/** The state of @p once; anything but done may be out of date as soon as it is known. Never blocks. */
PLC_API enum plc_once_status plc_once_state(const plc_once_t *once);

/** Calls @p function unless a call for @p once has succeeded before; waits if another thread is calling it. Returns
 *  whether @p once is done: false if @p function failed, in which case the next caller tries again, or if @p once is
 *  poisoned. */
PLC_INLINE bool plc_once_call(plc_once_t *once, bool (*function)(void *argument), void *argument) {
    return PLC_LIKELY(plc_once_is_done(once)) || plc_once_call_form_(once, function, argument, PLC_ONCE_RETRY_);
}

/** As plc_once_call, but if @p function fails @p once is poisoned: it is not run again, and calls return false at once,
 *  those that are waiting included. */
PLC_INLINE bool plc_once_call_poison(plc_once_t *once, bool (*function)(void *argument), void *argument) {
    return PLC_LIKELY(plc_once_is_done(once)) || plc_once_call_form_(once, function, argument, PLC_ONCE_POISON_);
}

/** As plc_once_call_poison, but calls @p function even if @p once is poisoned. If it succeeds the once is done and no
 *  longer poisoned. */
PLC_INLINE bool plc_once_call_force(plc_once_t *once, bool (*function)(void *argument), void *argument) {
    return PLC_LIKELY(plc_once_is_done(once)) || plc_once_call_form_(once, function, argument, PLC_ONCE_FORCE_);
}

PLC_END_DECLS
#endif
