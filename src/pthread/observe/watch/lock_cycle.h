/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks for orders that contradict each other. */
#ifndef PLC_OBSERVE_LOCK_CYCLE_H
#define PLC_OBSERVE_LOCK_CYCLE_H

#include "lock_graph.h"

/* The shortest cycle through this edge in which every thread could be stuck at once, if it was not returned before. With the graph's
   lock held. */
bool lock_cycle_find(uint32_t edge, struct order_cycle *cycle);

void lock_cycle_after_fork(void);

unsigned lock_cycles_reported(void);

/* How often the search was given up because it took too long, and how many cycles were not returned because there were too many. */
uint64_t lock_cycle_searches_cut(void);
uint64_t lock_cycles_left_out(void);

#endif
