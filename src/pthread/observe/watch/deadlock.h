/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds threads that wait for each other's locks. */
#ifndef PLC_OBSERVE_DEADLOCK_H
#define PLC_OBSERVE_DEADLOCK_H

#include "held.h"

/* The calling thread is about to wait. If that closes a cycle of threads which wait for each other, it is reported after a
   quarter of a second, unless it comes apart before; with `aborts`, the process is then aborted. */
void deadlock_wait_begins(struct watched_thread *self, const struct watched_wait *wait, bool aborts);
void deadlock_wait_ends(struct watched_thread *self, const void *object, enum observe_mode mode);

/* The calling thread gives up a lock that another one had taken: a deadlock that was reported may be over. */
void deadlock_handed_over(const void *object);

uint64_t deadlocks_reported(void);
void deadlock_after_fork(void);

#endif
