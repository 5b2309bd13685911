/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each thread's own parker, counted references to it, and the waker made of one. */
#include <plc/unparker.h>

#include "parking_lot/thread.h"
#include "platform/platform.h"
#include "task/memory.h"
#include "task/unparker.h"

/* One reference belongs to the thread, until its end; each of the others to whoever asked for it.
 *
 * Memory order
 *   [A2] each drop's subtraction-release -> the last drop's acquire of it: all uses of the parker, before it is freed.
 *   A clone's addition is relaxed: who clones has a reference, so the count cannot reach zero meanwhile. */
struct plc_unparker {
    uint32_t references;
    plc_parker_t parker;
};

/* Half of what would overflow: threads that clone at once cannot get from here to zero. */
#define MAX_REFERENCES (UINT32_MAX / 2)

/* ---- References */

plc_unparker_t *plc_unparker_clone(plc_unparker_t *unparker) {
    if (plc_fetch_add_relaxed(&unparker->references, 1u) > MAX_REFERENCES) /* relaxed: the caller has a reference */
        plc_os_fatal("unparker", unparker, "more than two thousand million references");
    return unparker;
}

void plc_unparker_drop(plc_unparker_t *unparker) {
    if (plc_fetch_sub_acq_rel(&unparker->references, 1u) == 1) { /* release [A2], and acquire [A2] */
        plc_lifetime_end_(unparker, sizeof *unparker);
        plc_release(unparker);
    }
}

void plc_unparker_unpark(plc_unparker_t *unparker) {
    plc_parker_unpark(&unparker->parker);
}

/* ---- The thread's own */

static void leave_thread(void *unparker) {
    plc_thread_self()->unparker = NULL;
    plc_unparker_drop(unparker);
}

plc_unparker_t *plc_unparker_of_thread(void) {
    struct plc_thread *self = plc_thread_self();
    if (PLC_LIKELY(self->unparker != NULL))
        return self->unparker;
    plc_unparker_t *unparker = plc_allocate(sizeof *unparker);
    if (!unparker)
        return NULL;
    *unparker = (plc_unparker_t){.references = 1};
    /* If the system has no room to note it, the thread's reference is never given up. */
    plc_os_at_thread_exit(leave_thread, unparker);
    self->unparker = unparker;
    return unparker;
}

plc_unparker_t *plc_unparker_current(void) {
    plc_unparker_t *unparker = plc_unparker_of_thread();
    return unparker ? plc_unparker_clone(unparker) : NULL;
}

bool plc_unparker_park_until(plc_unparker_t *unparker, plc_deadline_t deadline) {
    return plc_parker_park_until(&unparker->parker, deadline);
}

bool plc_park_current_until(plc_deadline_t deadline) {
    plc_unparker_t *unparker = plc_thread_self()->unparker;
    plc_parker_t nobody_knows_it = PLC_PARKER_INIT;
    return plc_parker_park_until(unparker ? &unparker->parker : &nobody_knows_it, deadline);
}

void plc_park_current(void) {
    plc_park_current_until(PLC_NO_DEADLINE);
}

/* ---- As a waker */

static plc_waker_t clone_waker(void *unparker) {
    return plc_unparker_into_waker(plc_unparker_clone(unparker));
}

static void wake(void *unparker) {
    plc_unparker_unpark(unparker);
    plc_unparker_drop(unparker);
}

static void wake_by_ref(void *unparker) {
    plc_unparker_unpark(unparker);
}

static void drop(void *unparker) {
    plc_unparker_drop(unparker);
}

plc_waker_t plc_unparker_into_waker(plc_unparker_t *unparker) {
    static const struct plc_waker_vtable vtable = {clone_waker, wake, wake_by_ref, drop};
    plc_waker_t waker = {&vtable, unparker};
    return waker;
}
