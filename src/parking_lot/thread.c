/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The accessor of the calling thread's data. */
#include "parking_lot/thread.h"

static __thread struct plc_thread self;

struct plc_thread *plc_thread_self(void) {
    return &self;
}
