/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A small work-stealing runtime: tasks, run by a few threads that share a driver. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <plc/block_on.h>
#include <plc/driver.h>

typedef struct runtime runtime_t;

/* Starts the workers, of which there are at most 64. The driver is the runtime's from now on. Null if something is
   exhausted; the driver is closed then. */
runtime_t *runtime_start(unsigned workers, plc_driver_t *driver);

/* Runs a task until it is finished; `drop` gives its context up, at its end or at the runtime's, and by the same thread that
   polled it last, or after all threads have ended. False if memory is exhausted. */
bool runtime_spawn(runtime_t *runtime, plc_poll_function poll, void *context, void (*drop)(void *context));

plc_driver_t *runtime_driver(runtime_t *runtime);

/* Tells all who wait for the driver that it is over, polls whoever that wakes, drops those that go on waiting, and returns when
   nothing is left. Not from inside a task. */
void runtime_stop(runtime_t *runtime);

#endif
