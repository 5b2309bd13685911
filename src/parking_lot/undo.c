/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Taking back what a thread had begun when it jumps away, and the records of those outside of libplc. */
#include "parking_lot/undo.h"

bool plc_undo_is_needed_(void) {
    return plc_thread_self()->undo != NULL;
}

void plc_undo_jump_(bool (*leaves)(const void *frame, void *context), void *context) {
    struct plc_undo *undo;
    while ((undo = plc_thread_self()->undo) != NULL && leaves(undo, context))
        plc_undo_now(undo);
}

void plc_undo_push_(struct plc_undo *undo, void (*action)(struct plc_undo *undo)) {
    plc_undo_push(undo, action);
}

void plc_undo_pop_(struct plc_undo *undo) {
    plc_undo_pop(undo);
}
