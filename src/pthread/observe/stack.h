/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The calling thread's stack, as return addresses. */
#ifndef PLC_OBSERVE_STACK_H
#define PLC_OBSERVE_STACK_H

#include <plc/detail/config.h>

/* Finds out where our own code is, and lets the unwinder make its preparations. */
void observe_stack_start(void);

/* Up to `most` return addresses, innermost first, without the frames of libplc_pthread_debug.so; the number of them.
   Does not allocate, and takes no lock of the program: _Unwind_Backtrace (libgcc) finds frames by _dl_find_object,
   which is lock-free (glibc 2.35; before that by dl_iterate_phdr, whose lock is the loader's and never held while
   the program's code runs). Some microseconds: 0.3 or so for each frame. */
unsigned observe_stack(uintptr_t *frames, unsigned most);

/* Is this address in libplc_pthread_debug.so? */
bool observe_stack_is_ours(uintptr_t address);

#endif
