/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the program and the library of the start-up test share. */
#ifndef PLC_TESTS_PTHREAD_STARTUP_H
#define PLC_TESTS_PTHREAD_STARTUP_H

#include <pthread.h>

int startup_use_everything(void);      /* the number of calls that did not answer as they should */
int startup_failures_of_library(void); /* the same for the library's constructor; negative: it did not run */

#endif
