/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the parts of the watched program have in common. */
#ifndef PLC_WATCH_PROGRAM_H
#define PLC_WATCH_PROGRAM_H

#include <pthread.h>

#define NOINLINE __attribute__((noinline))

/* Ends the program if the call has failed. */
void check(int error, const char *what);
#define CHECK(call) check((call), #call)

typedef void *(*routine)(void *);

/* Runs up to three threads, "worker-1" and so on, and waits for their ends. */
void run_together(unsigned count, const routine *routines);

/* The threads of run_together() wait here for each other. */
void meet(void);

/* Runs one thread, named as the program is, from beginning to end. */
void run_alone(routine one);

/* A scenario is a function, or threads that run together. */
struct scenario {
    const char *name;
    void (*run)(void);
    unsigned count;
    routine routines[3];
};

/* Each list ends with one without a name. */
extern const struct scenario deadlocks[];
extern const struct scenario orders[];
extern const struct scenario peace[];

#endif
