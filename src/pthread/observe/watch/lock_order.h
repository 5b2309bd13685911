/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Learns in which orders a program takes its locks, and says when two orders may come to a deadlock. */
#ifndef PLC_OBSERVE_LOCK_ORDER_H
#define PLC_OBSERVE_LOCK_ORDER_H

#include "held.h"

/* False: there is no memory. */
bool lock_order_start(void);

/* The number that this lock has and no other, as long as it lives. The object lives: the caller has it, or waits for it. Zero: it has
   no place for one. */
uint64_t lock_order_identity(const void *object, enum observe_mode mode);

/* The calling thread takes the lock, or is about to wait for it, for as long as it may take. */
void lock_order_taken(struct watched_thread *self, const struct held_lock *taken);

/* The lock was destroyed. */
void lock_order_forget(const void *object, enum observe_type type);

void lock_order_after_fork(void);

#endif
