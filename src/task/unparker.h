/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The calling thread's unparker, without counting a reference. */
#ifndef PLC_TASK_UNPARKER_H
#define PLC_TASK_UNPARKER_H

#include <plc/unparker.h>

PLC_BEGIN_DECLS

/* Valid until the thread ends; null if memory is exhausted. */
plc_unparker_t *plc_unparker_of_thread(void);

/* Only by the thread whose unparker it is. */
bool plc_unparker_park_until(plc_unparker_t *unparker, plc_deadline_t deadline);

PLC_END_DECLS

#endif
