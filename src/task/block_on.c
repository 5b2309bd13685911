/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Polling a task until it is finished, parking in between. */
#include <plc/block_on.h>

#include "parking_lot/thread.h"
#include "platform/platform.h"
#include "task/unparker.h"

/* A permit that was left for another purpose costs one poll. Marked on every way out, an exception included. */
static void leave(struct plc_thread **self) {
    (*self)->is_blocking_on = false;
}

static enum plc_block_on_status run(plc_unparker_t *unparker, plc_poll_function task, void *context,
                                    plc_deadline_t deadline) {
    /* Borrows the thread's own reference: it is never dropped. */
    const plc_waker_t waker = plc_unparker_into_waker(unparker);
    struct plc_thread *self __attribute__((cleanup(leave))) = plc_thread_self();
    self->is_blocking_on = true;
    for (;;) {
        if (task(context, &waker) == PLC_POLL_READY)
            return PLC_BLOCK_ON_READY;
        if (!plc_unparker_park_until(unparker, deadline))
            return PLC_BLOCK_ON_TIMED_OUT;
    }
}

enum plc_block_on_status plc_block_on_until(plc_poll_function task, void *context, plc_deadline_t deadline) {
    if (plc_thread_self()->is_blocking_on)
        plc_os_fatal("block_on", context, "block_on inside a task that the same thread runs by block_on");
    plc_unparker_t *unparker = plc_unparker_of_thread();
    return unparker ? run(unparker, task, context, deadline) : PLC_BLOCK_ON_NO_MEMORY;
}

void plc_block_on(plc_poll_function task, void *context) {
    if (plc_block_on_until(task, context, PLC_NO_DEADLINE) == PLC_BLOCK_ON_NO_MEMORY)
        plc_os_fatal("block_on", context, "no memory for the thread's unparker");
}
