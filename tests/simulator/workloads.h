/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is measured: locks by name, each under one of three loads. */
#ifndef PLC_SIMULATOR_WORKLOADS_H
#define PLC_SIMULATOR_WORKLOADS_H

#include "simulator.h"

enum load {
    MUTEX,   /* sections of 100 ns, and about as long outside for each processor that there is */
    CROWD,   /* the same with nothing outside: all wait but one */
    READERS, /* read sections of 100 ns, nothing else */
    WRITES,  /* the same, and one operation in 1000 writes */
};

struct workload {
    const char *name;
    bool reads;
    void (*body)(int self);
};

extern const struct workload workloads[];
extern const int workload_count;

/* To be called in a fresh process, before sim_run: names the lines, and says which load the bodies make. */
void workloads_begin(enum load load);

/* Aborts unless the guarded data is as it should be. */
void workloads_check(void);

#endif
