/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One run of the simulator in a process of its own, since libplc decides some things once in a process. */
#ifndef PLC_SIMULATOR_MEASURE_H
#define PLC_SIMULATOR_MEASURE_H

#include "workloads.h"

/* The workload of that name; aborts if there is none. */
const struct workload *find_workload(const char *name);

struct sim_counts measure(const struct workload *workload, enum load load, int processors, uint64_t seed);

#endif
