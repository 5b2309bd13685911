/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The stacks from which a program calls us, each kept once and known by a number. */
#ifndef PLC_OBSERVE_CALL_STACK_H
#define PLC_OBSERVE_CALL_STACK_H

#include <plc/detail/config.h>

enum { CALL_STACK_DEPTH = 24 }; /* frames beyond are left out, the outermost first */

/* A stack's number; zero: unknown. */
typedef uint32_t call_stack_id;

/* By which way through our own code the program's call has come: on each of them our frames have the same sizes. */
enum call_stack_way {
    CALL_STACK_TAKEN,
    CALL_STACK_TAKEN_AFTER_WAIT,
    CALL_STACK_TAKEN_AFTER_COND,
    CALL_STACK_WAIT,
    CALL_STACK_COND_WAIT,
    CALL_STACK_WAYS,
};

/* What is known of the calling thread. Zeroed memory knows nothing. */
struct call_stack_thread {
    const char *top; /* its stack reaches to here at least */
};

/* The calling thread's stack from `caller`, a return address on it, outwards. Costs some nanoseconds for each frame if each frame was
   seen with its callers before, and some microseconds otherwise. Neither allocates from the heap nor blocks nor changes errno.
   Zero, or the inner frames alone, if there is no room for another stack. */
call_stack_id call_stack_find(struct call_stack_thread *thread, const void *caller, enum call_stack_way way);

/* The return addresses of a stack, the innermost first; returns their number. */
unsigned call_stack_addresses(call_stack_id id, uintptr_t addresses[CALL_STACK_DEPTH]);

/* How many stacks were cut because there was no room. */
uint64_t call_stacks_dropped(void);

#endif
