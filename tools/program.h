/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks at a program before it is run: will the loader preload a library into it? And runs it. */
#ifndef PLC_TOOLS_PROGRAM_H
#define PLC_TOOLS_PROGRAM_H

#include <stdbool.h>

enum { PROGRAM_PATH_SIZE = 4096 };

/* plc-run's exit status for a program that cannot be run; env, nice and timeout have the same. */
enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/* The file that execvp would run for this name; false if there is none that can be run. */
bool program_find(const char *name, char path[PROGRAM_PATH_SIZE]);

/* Why the loader of this program, or of the interpreter that a script names, would not preload a library of ours; null if there is
   no reason, or if the file cannot be understood: then running it will tell. */
const char *program_obstacle(const char *path);

/* Becomes the program. Returns only if that fails, and has said why: the exit status. */
int program_become(char **program);

#endif
