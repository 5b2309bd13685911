/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The node by which a waiting thread, or a waiting task, is queued in a bucket. */
#ifndef PLC_WAITER_H
#define PLC_WAITER_H

#include <plc/waker.h>

#include "parking_lot/lot.h"
#include "thread_parker/thread_parker.h"

enum plc_waiter_state {
    PLC_WAITER_QUEUED = 0,   /* in the queue; nobody has promised to wake it */
    PLC_WAITER_SUMMONED = 1, /* in the queue, and a wake is on its way or has come: the owner must wait for it */
    PLC_WAITER_DEQUEUED =
        2,              /* taken out of the queue by another thread, which has promised a wake unless it was summoned */
    PLC_WAITER_DUE = 3, /* a task's alone: its waker is about to be taken, by whoever comes first (tasks.h) */
};

/* Plain memory. While it is queued, all but the parker is guarded by its bucket's lock; from then on it belongs to the
   thread that took it out, until wake lets the owner go. */
struct plc_waiter {
    struct plc_waiter *next;         /* towards the tail of the bucket */
    struct plc_waiter *previous;     /* towards the head; not kept up to date in the head itself */
    struct plc_waiter *next_to_wake; /* the waker's list (wake_list.h) */
    const void *address; /* the key; a requeue changes it (relaxed: the owner looks at it without the lock) */
    enum plc_waiter_kind kind;
    uint8_t state; /* enum plc_waiter_state */
    uint8_t phase; /* the primitive's own notes on this waiter; 0 when it joins the queue */
    bool is_task;  /* it has a waker instead of a parker; all about these is in tasks.h */
    uint8_t use;   /* a task's: what it waits for; for its owner alone */
    uintptr_t park_token;
    uintptr_t unpark_token;
    int64_t waiting_since;     /* monotonic nanoseconds: not later than when it joined the queue (wake_list.h) */
    int64_t summoned_at;       /* likewise, if it was ever summoned */
    int64_t passed_over_since; /* likewise: as the first, by notifications of others; 0: not yet. The mutex has
                                          a use of its own for it in tasks, and for waiting_since (sync/mutex_tasks.c) */
    uint32_t processor;        /* where its owner ran when it joined the queue */
    uint32_t incarnation;      /* a task's: of the lot, in which it was queued: a fork's child has another */
    uint64_t thread_id;        /* its owner's number, for who looks on; 0: a task */
    int64_t began_at;          /* when its owner came, for the same: a coarse clock */
    union {
        struct plc_thread_parker parker; /* its wake, which lets the owner go, is the last access to this node */
        plc_waker_t waker;               /* a task's; its node ends here */
    };
    const char *frame; /* where on its owner's stack it waits, if among many; a hint */
};

static inline bool plc_waiter_matches(const struct plc_waiter *waiter, struct plc_lot_key key) {
    return waiter->address == key.address && waiter->kind == key.kind;
}

#endif
