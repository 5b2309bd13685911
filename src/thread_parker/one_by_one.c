/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a parker whose owners cannot be woken together does for a waker of many. */
#include "thread_parker/thread_parker.h"

void plc_thread_parker_sleep_at(struct plc_thread_parker *parker, uint32_t place) {
    (void)parker;
    (void)place;
}

bool plc_thread_parker_had_company(const struct plc_thread_parker *parker) {
    (void)parker;
    return false;
}

void plc_thread_parker_unpark_with_others(struct plc_thread_parker *parker, struct plc_wake_batch *batch) {
    (void)batch;
    plc_thread_parker_unpark(parker);
}

void plc_wake_batch_finish(struct plc_wake_batch *batch) {
    (void)batch;
}
