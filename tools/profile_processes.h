/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The processes that plc-run --profile has heard of, each with the memory in which it gathers its profile. */
#ifndef PLC_TOOLS_PROFILE_PROCESSES_H
#define PLC_TOOLS_PROFILE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROFILE_PROCESSES_MOST = 256 };

struct profile_processes {
    int memory[PROFILE_PROCESSES_MOST]; /* descriptors, in the order in which the processes came */
    size_t count;
    size_t dropped; /* came when there was no room */
};

/* What is shown while the program runs. */
struct profile_totals {
    uint64_t acquisitions;
    uint64_t waits;
    double waited_seconds;
    uint64_t locks;
    uint64_t waited_for; /* locks */
};

/* A socket for processes to send their memory to; its name goes to `name`. Negative, and errno, if there can be
   none. */
int profile_listen(char *name, size_t size);

/* Takes every message that is there. */
void profile_receive(int channel, struct profile_processes *processes);

/* Tells every profile what time it is, which gives its ticks a length. */
void profile_tell_time(const struct profile_processes *processes);

/* Adds the processes' numbers up, conds left out. */
struct profile_totals profile_sum(const struct profile_processes *processes);

/* Writes what the process has gathered to a file, with holes where there is nothing. False, and errno, if it cannot. */
bool profile_save(int memory, const char *path);

#endif
