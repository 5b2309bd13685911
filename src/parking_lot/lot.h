/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parking lot as libplc's own primitives use it: plc/parking_lot.h with the kind of waiter named in the key. */
#ifndef PLC_LOT_H
#define PLC_LOT_H

#include <plc/parking_lot.h>

PLC_BEGIN_DECLS

/* A key is an address and a kind. Memory is reused: an unpark that comes late may name an address where a lock of
   another type lives by now. Naming the kind too keeps it from waking a stranger. */
enum plc_waiter_kind {
    PLC_WAITER_USER = 0, /* plc/parking_lot.h */
    PLC_WAITER_MUTEX,
    PLC_WAITER_RWLOCK,
    PLC_WAITER_RWLOCK_DRAIN, /* the writer that waits for the readers to leave */
    PLC_WAITER_CONDVAR,
    PLC_WAITER_ONCE,
    PLC_WAITER_READER_SLOT, /* the writer that waits for a reader to leave its slot in the table; its token is the lock */
    PLC_WAITER_WORD,        /* src/task: who sleeps until a word changes */
    PLC_WAITER_MUTEX_TASK, /* tasks: the queue that a lock's threads are in does not depend on them (tasks.h) */
    PLC_WAITER_RWLOCK_TASK,
    PLC_WAITER_TASK_DUE, /* taken out of its queue, and about to be woken */
};

struct plc_lot_key {
    const void *address;
    enum plc_waiter_kind kind;
};

static inline struct plc_lot_key plc_lot_key(const void *address, enum plc_waiter_kind kind) {
    struct plc_lot_key key = {address, kind};
    return key;
}

/* As plc_park. */
struct plc_park_result plc_lot_park(struct plc_lot_key key, const struct plc_park_ops *ops, void *context,
                                    uintptr_t park_token, plc_deadline_t deadline);

/* As plc_park, for a waiter that may be requeued to a lock whose unlock summons its waiters: woken with a token that says
   so, it is still in that lock's queue. resume then acts as that lock's waiters do, and returns the token that the
   caller is to see. It is called when the thread was unparked; but resign if the thread is torn out of its wait after
   that (waiting.h). */
struct plc_waiting;
typedef uintptr_t (*plc_resume)(struct plc_waiting *waiting, uintptr_t token);
typedef void (*plc_resign)(struct plc_waiting *waiting);
struct plc_park_result plc_lot_park_and_resume(struct plc_lot_key key, const struct plc_park_ops *ops,
                                               plc_resume resume, plc_resign resign, void *context,
                                               uintptr_t park_token, plc_deadline_t deadline);

/* Beside PLC_PARK_..., and only within libplc: all that is above this park can be unwound, so that a thread of the
   asynchronous type may be cancelled while it sleeps. */
enum { PLC_PARK_CANCELLABLE = 1u << 16 };

/* As their namesakes in plc/parking_lot.h. */
struct plc_unpark_result plc_lot_unpark_one(struct plc_lot_key key, plc_unpark_callback callback, void *context);
size_t plc_lot_unpark_all(struct plc_lot_key key, uintptr_t token);
struct plc_unpark_result plc_lot_unpark_filter(struct plc_lot_key key,
                                               enum plc_filter_op (*filter)(void *context, uintptr_t park_token),
                                               plc_unpark_callback callback, void *context);
struct plc_unpark_result
plc_lot_unpark_requeue(struct plc_lot_key from, struct plc_lot_key to, enum plc_requeue_op (*validate)(void *context),
                       uintptr_t (*callback)(void *context, enum plc_requeue_op op, struct plc_unpark_result result),
                       void *context);

/* What a notification learns about the waiter that it is about to take. */
struct plc_candidate {
    bool is_awake;  /* to wake it costs no system call; a guess */
    bool is_nearby; /* it went to wait on the processor on which the caller runs */
};

enum plc_notify_op {
    PLC_NOTIFY_NONE, /* leave it where it is */
    PLC_NOTIFY_WAKE,
    PLC_NOTIFY_MOVE, /* to the other key */
};

/* All run with the bucket of `from` locked. */
struct plc_notify_ops {
    /* What becomes of the candidate. Before it is moved this is asked again, maybe about another candidate, with the
       bucket of `to` locked as well: both_locked. */
    enum plc_notify_op (*choose)(void *context, struct plc_candidate candidate, bool both_locked);
    /* As the callback of plc_lot_unpark_one; not called after PLC_NOTIFY_NONE. */
    plc_unpark_callback conclude;
};

/* Takes one waiter of `from`, if there is one: the first, or one that is awake; but the first is passed over for no longer
   than PLC_NOTIFY_PASS_NS. */
struct plc_unpark_result plc_lot_notify_one(struct plc_lot_key from, struct plc_lot_key to,
                                            const struct plc_notify_ops *ops, void *context);

/* All run with the bucket of `from` locked. */
struct plc_notify_all_ops {
    /* Are the waiters, of whom there is at least one, to be moved? many: they are more than a few for each processor. Before they
       are moved this is asked again with the bucket of `to` locked as well: both_locked. */
    bool (*may_move)(void *context, bool many, bool both_locked);
    /* Many were moved; both buckets are locked. Returns the one that the caller is to wake, if any. */
    struct plc_waiter *(*many_moved)(void *context);
    /* The phase of a few that were moved. */
    uint8_t phase_of_few;
    /* As the callback of plc_lot_unpark_filter. */
    plc_unpark_callback conclude;
};

/* Takes all waiters of `from` and wakes them, or moves them to `to`. */
struct plc_unpark_result plc_lot_notify_all(struct plc_lot_key from, struct plc_lot_key to,
                                            const struct plc_notify_all_ops *ops, void *context);

PLC_END_DECLS
#endif
