/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fibers: the model's threads, all on one kernel thread, that hand control to each other. */
#define _GNU_SOURCE
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { STACK_SIZE = 64 * 1024, FIBERS = MC_MAX_THREADS + 1 };

/* The stacks lie where they lay in the last run, so that addresses of waiter nodes, and with them hash values and
   whole schedules, are the same in every run of the program. */
#define STACKS_AT ((void *)0x200000000000)

static char *stacks;

/* Saves the callee-saved registers on the stack, leaves the stack pointer in *save and goes on where `to` was saved.
   A new fiber's stack looks as if it had been saved at the entry of its function. */
#if defined(__x86_64__)
__asm__(".text\n"
        ".globl mc_fiber_switch\n"
        ".hidden mc_fiber_switch\n"
        ".type mc_fiber_switch, @function\n"
        "mc_fiber_switch:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %rsi, %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n"
        ".size mc_fiber_switch, .-mc_fiber_switch\n");
/* Six registers, then the address to return to, then a null return address for that function: its stack pointer is
   then 8 more than a multiple of 16, as after a call. */
enum { SAVED_WORDS = 8, ENTRY_WORD = 6 };
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl mc_fiber_switch\n"
        ".hidden mc_fiber_switch\n"
        ".type mc_fiber_switch, %function\n"
        "mc_fiber_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp]\n      stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n   stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp]\n      ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n   ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size mc_fiber_switch, .-mc_fiber_switch\n");
/* x30, the eleventh word saved of twenty, is where a new fiber starts. */
enum { SAVED_WORDS = 20, ENTRY_WORD = 11 };
#else
#error "write mc_fiber_switch for this processor"
#endif
void mc_fiber_switch(void **save, void *to) __attribute__((visibility("hidden")));

void fiber_init(void) {
    stacks = mmap(STACKS_AT, (size_t)FIBERS * STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stacks == MAP_FAILED) {
        perror("mc: stacks");
        exit(2);
    }
}

static void **initial_stack_pointer(int fiber) {
    return (void **)(void *)(stacks + (size_t)(fiber + 1) * STACK_SIZE) - 2 - SAVED_WORDS;
}

/* Makes the fiber ready to call entry, which never returns, on an empty stack. */
void fiber_prepare(int fiber, void (*entry)(void)) {
    void **words = initial_stack_pointer(fiber);
    for (int i = 0; i < SAVED_WORDS; i++)
        words[i] = NULL;
    union {
        void (*function)(void);
        void *word;
    } start = {.function = entry};
    words[ENTRY_WORD] = start.word;
}

void *fiber_stack_pointer(int fiber) {
    return initial_stack_pointer(fiber);
}

void fiber_switch(void **save, void *to) {
    mc_fiber_switch(save, to);
}

bool fiber_owns(uintptr_t address) {
    return address - (uintptr_t)stacks < (size_t)FIBERS * STACK_SIZE;
}
