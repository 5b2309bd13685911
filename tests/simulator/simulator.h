/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A machine with many processors, simulated to count the cache lines that they take from each other. */
#ifndef PLC_SIMULATOR_H
#define PLC_SIMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each processor runs one thread, a fiber with a clock of its own. Code that is compiled with -fsanitize=thread calls
   the hooks (hooks.c) at each access to memory; a line is with one processor that may write it, or with several that
   may read it. An access without the right to it is a remote reference: it waits until the line is free, takes
   SIM_TRANSFER_NS, and is counted. The fiber whose clock is behind moves next, so one seed is one schedule. */

enum { SIM_MAX_PROCESSORS = 64, SIM_LINE = 64 };

/* Nanoseconds of the simulated machine. They say who comes first; the counts depend on them only so far. */
enum {
    SIM_HIT_NS = 1,
    SIM_MODIFY_NS = 5,      /* a read-modify-write on a line that is there */
    SIM_TRANSFER_NS = 70,   /* a line comes from another processor */
    SIM_PAUSE_NS = 10,      /* a spin loop's pause */
    SIM_CALL_NS = 300,      /* a system call */
    SIM_WAKE_NS = 5000,     /* from a wake to the woken thread's next step */
    SIM_CLOCK_NS = 20,      /* reading the clock */
    SIM_BARRIER_NS = 10000, /* membarrier with busy processors */
};

/* What a line holds, for the count. The first that is named wins; anything else is OTHER. */
enum sim_kind { SIM_OTHER, SIM_LOCK, SIM_DATA, SIM_BUCKET, SIM_NODE, SIM_KINDS };
void sim_name(const void *object, size_t size, enum sim_kind kind);

struct sim_counts {
    uint64_t remote[SIM_KINDS]; /* remote references */
    uint64_t sleeps;            /* threads that slept in the system */
    uint64_t operations;
    uint64_t least_operations; /* of one processor */
    int64_t elapsed_ns;
};

/* Runs body on each processor until its clock reaches end_ns. Counting begins at a tenth of that, with warm caches. Calls
   that wait for ever abort. */
struct sim_counts sim_run(int processors, uint64_t seed, int64_t end_ns, void (*body)(int self));

/* Names what the played operating system has (system.c). */
void system_name(void);

/* ---- For bodies */

int sim_processors(void);
bool sim_goes_on(void);
void sim_operation_done(void);

/* Work that touches no memory: exactly so long, or random between half and one and a half of it. */
void sim_work(int64_t ns);
void sim_work_about(int64_t ns);

/* Below n; from the seed. */
uint64_t sim_random(uint64_t n);

/* ---- For the hooks and the system (not instrumented) */

enum sim_access { SIM_READ, SIM_WRITE, SIM_MODIFY };
void sim_access(const volatile void *address, size_t size, enum sim_access how);
void sim_pass(int64_t ns);
void sim_pause(void);
int sim_self(void);
int64_t sim_now(void);

/* Sleeps under a key until woken or until the deadline; false: it passed. */
bool sim_sleep(const void *key, int64_t deadline_ns);
void sim_wake(const void *key, int count);

#endif
