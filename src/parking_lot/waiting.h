/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The steps that parking is made of, for a lock that decides under the bucket's lock what becomes of its queue. */
#ifndef PLC_WAITING_H
#define PLC_WAITING_H

#include "parking_lot/bucket_table.h"

PLC_BEGIN_DECLS

/* The calling thread's node, or on_stack if that is in use already; no bucket is locked. */
struct plc_waiter *plc_waiter_borrow(struct plc_waiter *on_stack);
void plc_waiter_give_back(struct plc_waiter *waiter, struct plc_waiter *on_stack);

/* With the bucket of the key locked: puts the waiter into the queue. flags: PLC_PARK_... */
void plc_waiter_enqueue(struct plc_bucket *bucket, struct plc_waiter *waiter, struct plc_lot_key key, unsigned flags);

/* Sleeps until woken (true), or until the deadline has passed and the waiter has left the queue (false; timed_out was
   called). Once woken the owner looks at unpark_token; if it was summoned it is still queued, and may look at the rest
   under the lock of its bucket only. The hooks, or a cancellation between them, may unwind it: then nothing of this has
   happened, and the caller's clean-up takes the waiter out of the queue. */
bool plc_waiter_wait(struct plc_waiter *waiter, const struct plc_park_ops *ops, void *context, plc_deadline_t deadline);

/* With the bucket locked: takes the waiter out of the queue, if it is there. */
bool plc_waiter_take_out(struct plc_bucket *bucket, struct plc_waiter *waiter);

PLC_END_DECLS
#endif
