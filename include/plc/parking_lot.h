/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  The parking lot: queues of waiting threads by address. Build your own locks on it.
 *
 *  A thread parks on a key, an address that is never dereferenced; other threads unpark it by that key. The lot is one
 *  static hash table of buckets for the whole process. It grows by mmap and allocates nothing else; it works inside
 * malloc, before constructors, in thread-exit destructors and in the child of a fork (where it is empty). errno is
 * preserved. The keys of the public functions here are a space of their own: libplc's locks park in others, so a key
 * may be the address of a libplc lock without either seeing the other.
 *
 *  Callbacks run while a bucket is locked, unless said otherwise: they must be short, and must not park, unpark, lock
 * or unlock anything that is built on the lot (this would deadlock on the bucket now and then).
 *
 *  Ordering: everything that a thread did before it unparked another happens before that one's return from plc_park.
 *  Two critical sections of callbacks on the same key are ordered.
 *
 *  Source of the interface: WebKit's WTF::ParkingLot and Rust's parking_lot_core. */
#ifndef PLC_PARKING_LOT_H
#define PLC_PARKING_LOT_H

#include <plc/deadline.h>

PLC_BEGIN_DECLS

/** How a park is to be done. All members may be zero. */
struct plc_park_ops {
    /** Runs with the key's bucket locked, before the thread is queued; false: do not park. Null: always park. */
    bool (*validate)(void *context);
    /** Runs after the thread was queued, with no bucket locked: this is the place to release another lock. */
    void (*before_sleep)(void *context);
    /** Runs with the bucket locked when the deadline passed and the thread has left the queue. @p key is where it was
     *  queued at last (a requeue may have moved it); @p was_last: no other thread is queued for that key. */
    void (*timed_out)(void *context, const void *key, bool was_last);
    /** Run right before and right after each system call that sleeps, never while spinning and never with a bucket
     *  locked; both or none. Where threads sleep on a word (futex, spin) the thread may be unwound from wait_begin
     *  until wait_end has returned, by an exception or a cancellation: it leaves the queue as if its time had run out. */
    void (*wait_begin)(void *context);
    void (*wait_end)(void *context); /**< See wait_begin. */
    unsigned flags;                  /**< PLC_PARK_... */
};

enum {
    PLC_PARK_AT_FRONT = 1u, /**< Queue in front of all waiters of the key: for one that was woken and beaten to it. */
    PLC_PARK_NO_SPIN = 2u,  /**< Sleep at once: the caller has just spun. */
};

/** How a park ended. */
enum plc_park_status {
    PLC_PARK_UNPARKED,  /**< Another thread unparked this one; the token says how. */
    PLC_PARK_INVALID,   /**< validate returned false; the thread was not queued. */
    PLC_PARK_TIMED_OUT, /**< The deadline passed first; nobody unparked this thread. */
};

/** What plc_park returns. */
struct plc_park_result {
    enum plc_park_status status; /**< How the park ended. */
    uintptr_t token;             /**< What the unparking thread passed; 0 unless PLC_PARK_UNPARKED. */
};

/** What an unpark did or, in its callback, is about to do. */
struct plc_unpark_result {
    size_t unparked; /**< Threads taken from the queue to be woken. */
    size_t requeued; /**< Threads moved to the other key. */
    bool have_more;  /**< Threads are left in the queue of the key that was unparked. */
    /** Hand over: the first thread to be woken has waited for longer than half a millisecond. Its wait is counted from the last
     *  time before it came that a callback was told of somebody here, or at another key of the same bucket. Always false
     *  without a callback: that is where a lock is handed over, and the clock is read for it alone. */
    bool be_fair;
};

/** Queues the calling thread under @p key and sleeps until it is unparked or @p deadline passes. @p park_token is what
 * a filter sees. Blocks; never returns spuriously. */
PLC_API struct plc_park_result plc_park(const void *key, const struct plc_park_ops *ops, void *context,
                                        uintptr_t park_token, plc_deadline_t deadline);

/** Chooses the token for the woken threads; runs with the bucket locked, also when nobody was found. */
typedef uintptr_t (*plc_unpark_callback)(void *context, struct plc_unpark_result result);

/** Wakes the thread that has waited longest under @p key. @p callback may be null (token 0). Does not block. */
PLC_API struct plc_unpark_result plc_unpark_one(const void *key, plc_unpark_callback callback, void *context);

/** Wakes every thread under @p key with @p token; returns how many. */
PLC_API size_t plc_unpark_all(const void *key, uintptr_t token);

/** What a filter says about a thread. */
enum plc_filter_op {
    PLC_FILTER_UNPARK, /**< Wake this one and go on. */
    PLC_FILTER_SKIP,   /**< Leave this one where it is and go on. */
    PLC_FILTER_STOP,   /**< Leave this one and all behind it. */
};

/** Asks @p filter about each thread under @p key, oldest first, and wakes those that it names, then takes one token for
 * all of them from @p callback (may be null). Both run with the bucket locked. */
PLC_API struct plc_unpark_result plc_unpark_filter(const void *key,
                                                   enum plc_filter_op (*filter)(void *context, uintptr_t park_token),
                                                   plc_unpark_callback callback, void *context);

/** What plc_unpark_requeue is to do. */
enum plc_requeue_op {
    PLC_REQUEUE_ABORT,              /**< Do nothing. */
    PLC_REQUEUE_WAKE_ONE,           /**< Wake the first. */
    PLC_REQUEUE_WAKE_ALL,           /**< Wake all. */
    PLC_REQUEUE_ONE,                /**< Move the first to the other key. */
    PLC_REQUEUE_ALL,                /**< Move all. */
    PLC_REQUEUE_WAKE_ONE_MOVE_REST, /**< Wake the first and move the rest. */
};

/** With the buckets of both keys locked: @p validate says what to do, the threads are woken or moved to the end of @p
 * to's queue, and @p callback (may be null) is told what was done and gives the token for those that are woken. */
PLC_API struct plc_unpark_result
plc_unpark_requeue(const void *from, const void *to, enum plc_requeue_op (*validate)(void *context),
                   uintptr_t (*callback)(void *context, enum plc_requeue_op op, struct plc_unpark_result result),
                   void *context);

/** Says that signal handlers of this process may use locks that are built on the lot, libplc's own included. A handler that waits
 *  for a lock while its thread holds a bucket, for a moment and unknowingly, could wait for ever: the lock's owner may
 *  need that bucket. From now on signals are blocked in such sections, which costs two system calls in each; locking and unlocking
 *  without contention cost what they did. Call it before the first such handler is installed. May be called again, and
 *  from any thread. libplc_pthread.so puts a stand-in before each handler that the program installs, which costs nothing, and
 *  calls this where it cannot. */
PLC_API void plc_signals_may_lock(void);

PLC_END_DECLS
#endif
