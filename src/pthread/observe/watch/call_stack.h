/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The stacks from which a program calls us, each kept once and known by a number. */
#ifndef PLC_OBSERVE_CALL_STACK_H
#define PLC_OBSERVE_CALL_STACK_H

#include <plc/detail/config.h>

enum {
    CALL_STACK_DEPTH = 24,      /* frames beyond are left out, the outermost first */
    CALL_STACK_REMEMBERED = 64, /* per thread */
};

/* A stack's number; zero: unknown. */
typedef uint32_t call_stack_id;

/* What a thread remembers of the stacks that it has had, so that unwinding is seldom needed. Zeroed memory is empty. */
struct call_stack_memory {
    struct remembered_stack {
        const void *caller;
        const char *base; /* call_stack_find's own frame */
        call_stack_id id; /* zero: nothing is remembered */
        uint32_t depth;
        uintptr_t addresses[CALL_STACK_DEPTH];
        uint32_t slots[CALL_STACK_DEPTH]; /* where the stack holds each of them: bytes above the base */
    } stacks[CALL_STACK_REMEMBERED];
};

/* The calling thread's stack from `caller`, a return address on it, outwards. Costs a few loads for each frame if the thread
   was here with the same stack before, and some microseconds otherwise. Neither allocates from the heap nor blocks nor
   changes errno. Zero if there is no room for another stack. */
call_stack_id call_stack_find(struct call_stack_memory *memory, const void *caller);

/* The return addresses of a stack, the innermost first; their number is stored. They stay for ever. */
const uintptr_t *call_stack_addresses(call_stack_id id, unsigned *depth);

/* How many stacks were left out because there was no room. */
uint64_t call_stacks_dropped(void);

#endif
