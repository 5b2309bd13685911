/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The steps that parking is made of, for a lock that decides under the bucket's lock what becomes of its queue. */
#ifndef PLC_WAITING_H
#define PLC_WAITING_H

#include "parking_lot/bucket_table.h"
#include "parking_lot/observer.h"
#include "parking_lot/undo.h"

PLC_BEGIN_DECLS

/* A wait in a queue, from before the thread joins it until it has left and knows why. The owner's alone; it lies in the frame
   that waits, which declares it with PLC_WAITING and calls another function between begin and end (parking_lot/undo.h). */
struct plc_waiting {
    struct plc_undo undo;
    struct plc_waiter
        *waiter; /* the thread's node, or on_stack if that is in use already; null before begin and after end */
    const struct plc_park_ops *ops; /* of these, timed_out, wait_begin, wait_end and flags */
    void *context;                  /* theirs, and resign's */
    /* Torn out after it was woken, or while it had what it waited for (is_owner): gives that up without waiting for
       anything, and looks after those that it kept waiting. Null: nothing to do. */
    plc_resign resign;
    bool is_queued; /* it has joined, and neither left by itself nor ended its wait; changed with the bucket locked */
    bool is_owner;  /* it took what it waited for by itself, and left; likewise */
    struct plc_watch watch; /* begun after it has joined, and ended; not part of the wait itself */
    struct plc_waiter on_stack;
};

/* Torn out, the wait is taken back: see resign. NOLINTBEGIN(bugprone-macro-parentheses): the name is declared */
#define PLC_WAITING(name)                                                                                              \
    __attribute__((cleanup(plc_waiting_unwind))) struct plc_waiting name;                                              \
    name.undo.action = NULL
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void plc_waiting_unwind(struct plc_waiting *waiting) {
    plc_undo_unwind(&waiting->undo);
}

/* No bucket is locked. */
void plc_waiting_begin(struct plc_waiting *waiting, const struct plc_park_ops *ops, void *context, plc_resign resign);
void plc_waiting_end(struct plc_waiting *waiting);

/* With the bucket of the key locked: puts the waiter into the queue. flags: PLC_PARK_... */
void plc_waiter_enqueue(struct plc_bucket *bucket, struct plc_waiter *waiter, struct plc_lot_key key, unsigned flags);
void plc_waiting_enqueue(struct plc_bucket *bucket, struct plc_waiting *waiting, struct plc_lot_key key,
                         unsigned flags);

/* Sleeps until woken (true), or until the deadline has passed and the waiter has left the queue (false; timed_out was
   called). Once woken the owner looks at unpark_token; if it was summoned it is still queued, and may look at the rest
   under the lock of its bucket only. */
bool plc_waiting_sleep(struct plc_waiting *waiting, plc_deadline_t deadline);

/* The same, but stays in the queue when the deadline has passed. Then it may nap or sleep on; or, under the bucket lock, find
   that a wake was promised, or leave (thread_parker.h). */
bool plc_waiting_nap(struct plc_waiting *waiting, plc_deadline_t deadline);

/* With the bucket locked: takes the waiter out of the queue, if it is there. */
bool plc_waiter_take_out(struct plc_bucket *bucket, struct plc_waiter *waiter);

/* The same by its owner, whose wait is over: with what it waited for, or without. */
void plc_waiting_take_out(struct plc_bucket *bucket, struct plc_waiting *waiting, bool is_owner);

PLC_END_DECLS
#endif
