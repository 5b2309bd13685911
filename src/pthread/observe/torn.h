/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A wait of which observers were told, and out of which a signal handler may jump. */
#ifndef PLC_OBSERVE_TORN_H
#define PLC_OBSERVE_TORN_H

#include "observe.h"

#include "parking_lot/undo_record.h"

/* Lies in the frame of the wrapper that waits. If its thread jumps away (siglongjmp) or is unwound (pthread_exit in a handler), the
   observers are told that the wait is over, and that it got nothing. */
struct observe_torn {
    struct plc_undo undo;
    const void *object;
    const void *mutex; /* of a wait on a cond, which the object is then; else null */
    enum observe_mode mode;
    uint64_t begin;
};

static void observe_torn_out(struct plc_undo *undo) {
    const struct observe_torn *torn = (const struct observe_torn *)(const void *)undo;
    if (torn->mutex != NULL)
        observe_cond_wait_end(torn->object, torn->mutex, torn->begin, false);
    else
        observe_wait_end(torn->object, torn->mode, torn->begin, false);
}

static inline void observe_torn_begin(struct observe_torn *torn) {
    plc_undo_push_(&torn->undo, observe_torn_out);
}

static inline void observe_torn_end(struct observe_torn *torn) {
    plc_undo_pop_(&torn->undo);
}

/* For the attribute cleanup. */
static inline void observe_torn_unwind(struct observe_torn *torn) {
    if (PLC_UNLIKELY(torn->undo.action != NULL)) {
        plc_undo_pop_(&torn->undo);
        observe_torn_out(&torn->undo);
    }
}

#endif
