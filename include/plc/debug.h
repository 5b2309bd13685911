/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  Seeing where a program waits: names for locks, who waits for what, and hooks around every wait that blocks.
 *
 *  All of it is consulted only by threads that are about to block anyway: the fast paths of the locks are the same
 *  instructions whether it is used or not, and no lock changes its size. Nothing here allocates or changes errno.
 *
 *  A debugger sees the same without the program's help (tools/gdb/plc_gdb.py, plc-locks). docs/debugging.md has examples.
 *
 *  Source of the idea: nsync's nsync_mu_debug_state, WTF::ParkingLot::forEach, and Abseil's contention hooks. */
#ifndef PLC_DEBUG_H
#define PLC_DEBUG_H

#include <plc/detail/config.h>

PLC_BEGIN_DECLS

/** What a thread waits for. */
enum plc_debug_kind {
    PLC_DEBUG_PARK = 0,           /**< A key of plc_park. */
    PLC_DEBUG_MUTEX = 1,          /**< A plc_mutex_t, or a pthread_mutex_t of libplc_pthread.so. */
    PLC_DEBUG_RWLOCK = 2,         /**< A plc_rwlock_t or a pthread_rwlock_t, kept out by who has it. */
    PLC_DEBUG_RWLOCK_DRAIN = 3,   /**< The same, by the writer that waits for the readers to leave. */
    PLC_DEBUG_CONDVAR = 4,        /**< A plc_condvar_t or a pthread_cond_t. */
    PLC_DEBUG_ONCE = 5,           /**< A plc_once_t that another thread is running. */
    PLC_DEBUG_SCALABLE_DRAIN = 6, /**< A plc_rwlock_scalable_t, by the writer that waits for its readers. */
    PLC_DEBUG_WORD = 7,           /**< A parker or another word of plc's tasks (not where these sleep by futex). */
};

/** How a thread wants a lock that has several ways of being held. */
enum plc_debug_mode {
    PLC_DEBUG_EXCLUSIVE = 0,  /**< A mutex, or to write; also everything that has only one way. */
    PLC_DEBUG_SHARED = 1,     /**< To read. */
    PLC_DEBUG_UPGRADABLE = 2, /**< To read, and to write later. */
};

/** The name of a kind: "mutex", "rwlock", "condvar", ... Never null. */
PLC_API const char *plc_debug_kind_name(enum plc_debug_kind kind);

/* ---- Names */

enum {
    PLC_DEBUG_NAMES = 1024,   /**< This many objects can have a name at once. */
    PLC_DEBUG_NAME_SIZE = 48, /**< The room for a name, with its terminating zero; longer ones are cut. */
};

/** Gives the lock (or whatever threads wait for) at this address a name, or another one, for dumps and debuggers. The
 *  text is copied. False if there is no room; then a dump says how many names did not fit. May block for a moment; not
 *  for signal handlers. The lock itself is not touched, so this may be done before and while it is used. */
PLC_API bool plc_debug_name(const void *object, const char *name);

/** Takes the name away: before the memory is used for something else. Nothing happens if there is none. As
 *  plc_debug_name. */
PLC_API void plc_debug_forget(const void *object);

/** Copies the object's name to @p name, which has room for @p size characters; false, and an empty text, if it has none.
 *  May be called from a signal handler. A name that is being changed meanwhile counts as none. */
PLC_API bool plc_debug_name_of(const void *object, char *name, size_t size);

/* ---- Who waits */

/** One thread, or one task, that waits. */
struct plc_debug_waiter {
    const void *object;       /**< What it waits for: the lock, condition variable or key. */
    enum plc_debug_kind kind; /**< What that is. */
    enum plc_debug_mode mode; /**< How it wants it. */
    uint64_t
        thread_id; /**< The kernel's number of the thread on Linux, as gettid and debuggers show it; 0: a task (plc/async.h). */
    int64_t waited_ns; /**< For how long, to within a tick of the system (a few milliseconds). */
    uintptr_t token;   /**< Of PLC_DEBUG_PARK: what it was parked with. */
    size_t companions; /**< How many threads wait for this object in this way, with this one, if it is the first of
                               *   them to be shown; else zero. */
};

/** Shows every thread and task that is queued in the parking lot to @p see, until that returns false. Returns how many buckets of
 *  the lot were in use for so long that their threads were not seen: zero, unless the caller interrupted a thread inside
 *  the lot, or many threads hammer one lock.
 *
 *  May be called from anywhere: from a signal handler, from a debugger, with any lock held. It never waits for a lock,
 *  and calls @p see without holding any; what @p see may do is the caller's to know (in a handler: what a handler may).
 *
 *  It is no snapshot: threads come and go meanwhile. One that is moved between queues may be missed or shown twice. */
PLC_API size_t plc_debug_for_each_waiter(bool (*see)(void *context, const struct plc_debug_waiter *waiter),
                                         void *context);

/** Writes to @p fd which locks are waited for, by whom, for how long, and who holds them where that is known: where the
 *  code was built with PLC_CHECKED, and for the mutexes and rwlocks of libplc_pthread.so. With the promises and the
 *  reservations of plc_debug_for_each_waiter; it calls write and nothing else, and blocks only where write does. A holder
 *  is what the lock's owner field said at a moment when it may have been changing hands. */
PLC_API void plc_debug_dump(int fd);

/* ---- Hooks */

/** How a wait ended. */
enum plc_debug_outcome {
    PLC_DEBUG_WOKEN = 0,     /**< It was woken: it has the lock, or was notified. */
    PLC_DEBUG_TIMED_OUT = 1, /**< Its deadline has passed. */
    PLC_DEBUG_CANCELLED = 2, /**< It was unwound by an exception or a cancellation. */
};

/** A wait that blocks. */
struct plc_debug_wait {
    const void *object;             /**< What is waited for. */
    enum plc_debug_kind kind;       /**< What that is. */
    int64_t waited_ns;              /**< For wait_end: how long, from wait_begin. Zero before. */
    enum plc_debug_outcome outcome; /**< For wait_end: how it ended. */
};

/** What is called around every wait in the parking lot. Both or one may be null. */
struct plc_debug_hooks {
    /** Runs when the thread has been queued, right before it spins and sleeps. */
    void (*wait_begin)(void *context, const struct plc_debug_wait *wait);
    /** Runs right after it: exactly once for each wait_begin, on the same thread. A lock that was waited for is held by
     *  then, and others wait until this returns. */
    void (*wait_end)(void *context, const struct plc_debug_wait *wait);
    void *context; /**< For both. */
};

/** Has the hooks called from now on; null: no hooks. Returns those that were set before. A thread that waits calls
 *  wait_end of the hooks whose wait_begin it called; so neither they nor their context may go away.
 *
 *  A hook may use libplc's locks, but not the one that is waited for; what it waits for itself is not shown to the hooks.
 *  It runs wherever somebody waits, with libplc_pthread.so also inside malloc; it must not throw. Without contention no
 *  hook is ever called, nor looked for.
 *
 *  Ordering: what was done before plc_debug_set_hooks happens before every call of these hooks. */
PLC_API const struct plc_debug_hooks *plc_debug_set_hooks(const struct plc_debug_hooks *hooks);

PLC_END_DECLS
#endif
