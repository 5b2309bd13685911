/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a thread has begun, and has to take back if it is torn out of the middle of it. */
#ifndef PLC_UNDO_H
#define PLC_UNDO_H

#include "parking_lot/thread.h"
#include "parking_lot/undo_record.h"
#include "platform/platform.h"

PLC_BEGIN_DECLS

static inline void plc_undo_push(struct plc_undo *undo, void (*action)(struct plc_undo *undo)) {
    struct plc_thread *self = plc_thread_self();
    undo->outer = self->undo;
    undo->action = action;
    undo->deferrals = plc_os_deferrals();
    plc_fence_compiler(); /* a handler finds it complete (U3) */
    self->undo = undo;
    plc_fence_compiler();
}

static inline void plc_undo_pop(struct plc_undo *undo) {
    plc_fence_compiler();
    plc_thread_self()->undo = undo->outer;
    plc_fence_compiler();
    undo->action = NULL;
}

/* Takes the record off the list, and back what it stands for. */
static inline void plc_undo_now(struct plc_undo *undo) {
    void (*action)(struct plc_undo *) = undo->action;
    unsigned deferrals = undo->deferrals;
    plc_os_defer_cancellation();
    plc_undo_pop(undo);
    action(undo);
    plc_os_reset_deferrals(deferrals);
}

/* For the attribute cleanup: the frame is left, one way or another. */
static inline void plc_undo_unwind(struct plc_undo *undo) {
    if (PLC_UNLIKELY(undo->action != NULL))
        plc_undo_now(undo);
}

PLC_END_DECLS
#endif
