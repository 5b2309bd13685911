/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is said about orders that contradict each other. */
#ifndef PLC_OBSERVE_ORDER_REPORT_H
#define PLC_OBSERVE_ORDER_REPORT_H

#include "lock_graph.h"

void order_report(const struct order_cycle *cycle);

/* At the end of the process: how much was seen, and what was left out. Says nothing if no lock was taken inside another. */
void order_report_summary(void);

#endif
