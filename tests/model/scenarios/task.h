/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the scenarios of tasks share: the end of a thread, and memory for unparkers. */
#ifndef PLC_MODEL_TASK_H
#define PLC_MODEL_TASK_H

#include <stddef.h>

/* Runs what the calling thread has registered for its end. */
void plc_model_thread_ends(void);

#endif
