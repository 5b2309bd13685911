/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  Runs a task to its end on the calling thread.
 *
 *  A task is a poll function: it goes on as far as it can and says whether it is finished. If it is not, it has first seen to
 *  it that the waker which it was given, or a clone, is woken when it can go on. plc_block_on polls, parks the thread until
 *  the waker is woken, and polls again.
 *
 *  Ordering: all that a thread did before it woke the waker happens before the poll that follows. Blocks. Allocates the thread's
 *  unparker (plc/unparker.h) at the first use on each thread. Source: Tokio's and futures-rs' block_on. */
#ifndef PLC_BLOCK_ON_H
#define PLC_BLOCK_ON_H

#include <plc/deadline.h>
#include <plc/waker.h>

PLC_BEGIN_DECLS

/** What a poll found. */
enum plc_poll {
    PLC_POLL_PENDING, /**< Not finished; the waker will be woken when another poll is worth it. */
    PLC_POLL_READY,   /**< Finished; the task is not polled again. */
};

/** A task. @p waker is valid during the call; who keeps it clones it. */
typedef enum plc_poll (*plc_poll_function)(void *context, const plc_waker_t *waker);

/** How plc_block_on_until ended. */
enum plc_block_on_status {
    PLC_BLOCK_ON_READY,     /**< The task finished. */
    PLC_BLOCK_ON_TIMED_OUT, /**< The deadline passed; the task has been polled since its last wake, and is still pending. */
    PLC_BLOCK_ON_NO_MEMORY, /**< The thread's unparker could not be allocated; the task was not polled. */
};

/** Polls @p task with @p context until it is finished. Calling it from inside a task that runs under plc_block_on on the
 *  same thread aborts with a message: the inner one would use up the outer one's wakes. So does exhausted memory. */
PLC_API void plc_block_on(plc_poll_function task, void *context);

/** As plc_block_on, but gives up when @p deadline has passed, and reports exhausted memory. The task is polled at least
 *  once. Clones of the waker that the task left behind stay valid. */
PLC_API enum plc_block_on_status plc_block_on_until(plc_poll_function task, void *context, plc_deadline_t deadline);

PLC_END_DECLS
#endif
