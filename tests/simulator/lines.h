/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Cache lines: who may read and write them, and how often they moved. */
#ifndef PLC_SIMULATOR_LINES_H
#define PLC_SIMULATOR_LINES_H

#include "simulator.h"

/* Forgets all lines, names and counts. */
void lines_reset(void);
void lines_name(const void *object, size_t size, enum sim_kind kind);
void lines_start_counting(void);
void lines_counts(uint64_t remote[SIM_KINDS]);

/* The access of a processor that begins at this time; returns when it is over. */
int64_t lines_access(uintptr_t address, int processor, enum sim_access how, int64_t now);

#endif
