/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Texts with stacks in them, which leave the process as soon as they are complete. */
#ifndef PLC_OBSERVE_REPORT_H
#define PLC_OBSERVE_REPORT_H

#include "../observe.h"
#include "call_stack.h"

struct report;

/* Opens what reports are written to, before the program can get in the way: the file PLC_WATCH_OUTPUT, or standard error. */
void report_start(void);
void report_after_fork(void);

/* A text is begun, written and sent by one thread; others wait meanwhile. The thread is not cancelled in between. Lines end with \n. */
struct report *report_begin(void);
__attribute__((format(printf, 2, 3))) void report_text(struct report *report, const char *format, ...);

/* A line for each frame. */
void report_stack(struct report *report, call_stack_id stack);

/* How a lock is called: "mutex", "rwlock". */
const char *report_lock_name(enum observe_mode mode);

/* The name of a thread of this process, or "" if it is gone. Good until the report is sent. */
const char *report_thread_name(struct report *report, int tid);

void report_send(struct report *report);

/* The same for a text without stacks and addresses: nothing has to be looked up. */
void report_send_plain(struct report *report);

#endif
