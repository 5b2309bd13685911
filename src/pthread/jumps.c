/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* longjmp and its like: a thread that a signal handler tears out of a wait must leave the queue before its frame is gone. */
#undef _FORTIFY_SOURCE /* its <setjmp.h> gives longjmp another name */
#include "layout.h"
#include "real.h"

#include "parking_lot/undo_record.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>

/* glibc's own functions jump; before that, whatever the thread has begun in a frame that it leaves for good is taken back
   (parking_lot/undo.h). Nearly always there is nothing, which takes one look.

   Which frames are left follows from the stack pointer that the buffer keeps, as glibc itself finds out which clean-up handlers
   to run. It is stored in a disguise: xor with a secret of the process, and on x86 rotated. Where we do not know how to read it,
   every jump out of a handler that interrupted a wait counts as one that leaves the wait. */

#if defined(__x86_64__) && defined(__LP64__)
static uintptr_t target_of(const struct __jmp_buf_tag *buffer) {
    uintptr_t pointer = (uintptr_t)buffer->__jmpbuf[6]; /* glibc's JB_RSP */
    __asm__("rorq $17, %0\n\txorq %%fs:0x30, %0" : "+r"(pointer) : : "cc");
    return pointer;
}
#elif defined(__i386__)
static uintptr_t target_of(const struct __jmp_buf_tag *buffer) {
    uintptr_t pointer = (uintptr_t)buffer->__jmpbuf[4]; /* JB_SP */
    __asm__("rorl $9, %0\n\txorl %%gs:0x18, %0" : "+r"(pointer) : : "cc");
    return pointer;
}
#elif defined(__aarch64__)
/* The secret is not to be had, but what it makes of a stack pointer that is known. */
static uintptr_t target_of(const struct __jmp_buf_tag *buffer) {
    enum { JB_SP = 13 };
    jmp_buf known;
    uintptr_t pointer;
    __asm__ __volatile__("mov %0, sp" : "=r"(pointer));
    if (_setjmp(known) != 0)
        __builtin_unreachable(); /* nobody jumps there */
    return (uintptr_t)buffer->__jmpbuf[JB_SP] ^ (uintptr_t)known[0].__jmpbuf[JB_SP] ^ pointer;
}
#else
static uintptr_t target_of(const struct __jmp_buf_tag *buffer) {
    (void)buffer;
    return UINTPTR_MAX;
}
#endif

/* From where to where. Stacks grow downwards. */
struct jump {
    uintptr_t here;
    uintptr_t target;
    uintptr_t handlers_begin; /* the handlers' own stack, if the thread is on one now; else both are 0 */
    uintptr_t handlers_end;
};

static bool is_on_handlers_stack(const struct jump *jump, uintptr_t address) {
    return address >= jump->handlers_begin && address < jump->handlers_end;
}

static bool leaves(const void *frame, void *context) {
    const struct jump *jump = context;
    uintptr_t address = (uintptr_t)frame;
    if (jump->target == UINTPTR_MAX)
        return true;
    if (is_on_handlers_stack(jump, address) && !is_on_handlers_stack(jump, jump->target))
        return true; /* back to the thread's own stack */
    if (!is_on_handlers_stack(jump, address) && is_on_handlers_stack(jump, jump->target))
        return false; /* within the handler, which was called from there */
    /* On the same stack: between here and the target. From the handlers' stack "here" says nothing about the other one. */
    bool is_below_here = jump->handlers_end == 0 && address < jump->here;
    return address < jump->target && !is_below_here;
}

static __attribute__((noinline)) void leave_waits(const struct __jmp_buf_tag *buffer) {
    stack_t stack;
    int saved_errno = errno;
    struct jump jump = {(uintptr_t)__builtin_frame_address(0), target_of(buffer), 0, 0};
    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0) {
        jump.handlers_begin = (uintptr_t)stack.ss_sp;
        jump.handlers_end = jump.handlers_begin + stack.ss_size;
    }
    plc_undo_jump_(leaves, &jump);
    errno = saved_errno;
}

__attribute__((noreturn)) static void jump(struct __jmp_buf_tag buffer[1], int value) {
    if (PLC_UNLIKELY(plc_undo_is_needed_()))
        leave_waits(buffer);
    dropin_real()->longjmp(buffer, value);
    __builtin_unreachable();
}

__attribute__((noreturn)) static void jump_checked(struct __jmp_buf_tag buffer[1], int value) {
    if (PLC_UNLIKELY(plc_undo_is_needed_()))
        leave_waits(buffer);
    dropin_real()->longjmp_chk(buffer, value);
    __builtin_unreachable();
}

DROPIN_EXPORT(longjmp, jump);
DROPIN_EXPORT(_longjmp, jump);
DROPIN_EXPORT(siglongjmp, jump);
__attribute__((noreturn)) DROPIN_EXPORT(__longjmp_chk, jump_checked);
