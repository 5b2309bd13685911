/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The thread parker that only spins and yields: correct anywhere, and a fall-back for nothing better. */
#include <plc/detail/atomic.h>

#include "platform/platform.h"
#include "thread_parker/thread_parker.h"

/* Memory order
 *   [P1] unpark's store-release of 0 -> the owner's load-acquire.
 *
 * A thread that yields in vain to threads of a lower priority waits for ever (SCHED_FIFO on one processor): that is a
 * limit of this parker. */

void plc_thread_parker_init(struct plc_thread_parker *parker) {
    parker->waiting = 0;
}

void plc_thread_parker_destroy(struct plc_thread_parker *parker) {
    (void)parker;
}

void plc_thread_parker_prepare_park(struct plc_thread_parker *parker, bool may_spin) {
    (void)may_spin;
    plc_store_relaxed(&parker->waiting, 1u); /* relaxed: the queue lock publishes it */
}

bool plc_thread_parker_park_until(struct plc_thread_parker *parker, plc_deadline_t deadline,
                                  const struct plc_sleep_hooks *hooks) {
    for (unsigned pauses = 2; plc_load_acquire(&parker->waiting); pauses *= 2) { /* acquire [P1] */
        if (plc_deadline_has_passed(deadline))
            return false;
        if (pauses <= 64) {
            for (unsigned i = 0; i < pauses; i++)
                plc_cpu_relax();
            continue;
        }
        pauses = 64;
        if (hooks)
            hooks->begin(hooks->context);
        plc_os_yield();
        if (hooks)
            hooks->end(hooks->context);
    }
    return true;
}

void plc_thread_parker_park(struct plc_thread_parker *parker, const struct plc_sleep_hooks *hooks) {
    plc_thread_parker_park_until(parker, PLC_NO_DEADLINE, hooks);
}

bool plc_thread_parker_timed_out(struct plc_thread_parker *parker) {
    return plc_load_relaxed(&parker->waiting) != 0; /* relaxed: nobody unparks us any more */
}

void plc_thread_parker_fall_asleep(struct plc_thread_parker *parker) {
    (void)parker;
}

/* It never sleeps. */
bool plc_thread_parker_is_awake(const struct plc_thread_parker *parker) {
    (void)parker;
    return true;
}

void plc_thread_parker_unpark_lock(struct plc_thread_parker *parker) {
    (void)parker;
}

void plc_thread_parker_unpark(struct plc_thread_parker *parker) {
    plc_store_release(&parker->waiting, 0u); /* release [P1]; the last access */
}
