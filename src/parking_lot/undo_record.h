/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The record of what a thread has begun, as those outside of libplc's own sources see it. */
#ifndef PLC_UNDO_RECORD_H
#define PLC_UNDO_RECORD_H

#include <plc/detail/config.h>

#include <stdbool.h>

PLC_BEGIN_DECLS

/* A thread that waits can be torn out of its wait in two ways: a signal handler jumps away (siglongjmp), or an exception, a
 * cancellation or pthread_exit unwinds it. Either way the queues must be as if it had never come. So whoever begins
 * something like that pushes a record, which lies in its own frame, and pops it when that is over:
 *
 *   on the list   the action takes back what was begun. It finds out by itself how far that had come
 *   off the list  nothing is left to do
 *
 * Invariants
 *   U1  A record is on the list exactly while its action is set, but for the few instructions of push and pop. The list
 *       is a stack: what interrupts a wait is over, or torn out itself, before the wait goes on or is torn out.
 *   U2  A record is torn out once: it leaves the list before its action runs. A jump does it before the frame is gone, unwinding
 *       when it comes to the frame (plc_undo_unwind, by the attribute cleanup).
 *   U3  Everything that an action looks at, and that its thread changes, is changed while no handler can run, or in such an
 *       order that each step is right by itself. Handlers run in the same thread: compiler fences are all it takes.
 *   U4  An action does not wait for a lock; it may wait for a wake that was promised. It runs with no bucket locked.
 *
 * For unwinding to find it, what can be interrupted lies in a function that the record's owner calls: an interrupted
 * instruction of the owner itself is in no call, and belongs to no clean-up. */
struct plc_undo {
    struct plc_undo *outer;                /* what this one lies within, or interrupts */
    void (*action)(struct plc_undo *undo); /* null: not on the list */
    unsigned deferrals;                    /* of cancellation, when it began (platform/guard.c) */
};

/* ---- For libplc_pthread.so, not API */

/* Is there anything that a jump may have to take back? */
PLC_API bool plc_undo_is_needed_(void);

/* The thread is about to jump: takes back, innermost first, all whose frame it leaves. */
PLC_API void plc_undo_jump_(bool (*leaves)(const void *frame, void *context), void *context);

PLC_API void plc_undo_push_(struct plc_undo *undo, void (*action)(struct plc_undo *undo));
PLC_API void plc_undo_pop_(struct plc_undo *undo);

PLC_END_DECLS
#endif
