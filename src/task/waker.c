/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The waker that does nothing. */
#include <plc/waker.h>

static plc_waker_t nothing(void);

static plc_waker_t clone_nothing(void *data) {
    (void)data;
    return nothing();
}

static void do_nothing(void *data) {
    (void)data;
}

static plc_waker_t nothing(void) {
    static const struct plc_waker_vtable vtable = {clone_nothing, do_nothing, do_nothing, do_nothing};
    plc_waker_t waker = {&vtable, NULL};
    return waker;
}

plc_waker_t plc_waker_noop(void) {
    return nothing();
}
