/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Learns in which orders a program takes its locks, and says when two orders may come to a deadlock. */
#ifndef PLC_OBSERVE_LOCK_ORDER_H
#define PLC_OBSERVE_LOCK_ORDER_H

#include "held.h"

/* False: there is no memory. */
bool lock_order_start(void);

/* The calling thread takes the lock, or is about to wait for it, for as long as it may take. */
void lock_order_taken(struct watched_thread *self, const void *object, enum observe_mode mode, call_stack_id stack);

/* The lock was destroyed. */
void lock_order_forget(const void *object, enum observe_type type);

void lock_order_after_fork(void);

#endif
