/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc-run --profile: runs a program as a child, takes its profiles, and has them reported. */
#ifndef PLC_TOOLS_PROFILE_RUN_H
#define PLC_TOOLS_PROFILE_RUN_H

#include <stdbool.h>

struct profile_options {
    bool is_on;
    const char *output; /* null: the terminal */
    const char *top;    /* how many locks are shown in full; a number */
    unsigned every;     /* seconds between reports; 0: none but the last */
    int signal;         /* that asks plc-run for a report */
};

/* Sees to it that a report can be written and that there is somebody to write it. Says why not. */
bool profile_prepare(const struct profile_options *options, const char *own_directory);

/* Runs the program, whose environment is prepared but for the profile's own variable. Returns plc-run's exit status,
   which is the program's; a signal that killed the program kills plc-run, too. */
int profile_run(const struct profile_options *options, char **program);

#endif
