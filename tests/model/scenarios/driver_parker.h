/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A driver for scenarios: one event, and the token that interrupts it. */
#ifndef PLC_MODEL_DRIVER_PARKER_H
#define PLC_MODEL_DRIVER_PARKER_H

#include <plc/driver_parker.h>

#include "lot.h"
#include "platform/platform.h"

enum { TOKEN = 1u, EVENT = 2u, BROKEN = 4u, DRIVER_ERROR = 5 };

static plc_shared_driver_t shared;
static plc_driver_parker_t parkers[3];

static struct {
    uint32_t pending; /* TOKEN, EVENT, BROKEN; what the driver sleeps on while it is 0 */
    uint32_t handled; /* the event was seen by somebody who ran the driver */
    int runs;         /* plain, as all that a driver keeps: one thread at a time, one after the other */
    int shutdowns;    /* plain, too */
} driver;

/* Until then T0 stays in the driver, if it is set. */
static bool (*may_leave)(void);

/* Nothing here acquires or releases: what parkers promise must not come from the driver. */
static int fake_park_until(void *data, plc_deadline_t deadline) {
    (void)data;
    driver.runs++;
    MC_ASSERT(driver.shutdowns == 0);
    while (mc_self() == 0 && may_leave && !may_leave())
        mc_yield();
    uint32_t pending;
    while ((pending = plc_fetch_and_relaxed(&driver.pending, (uint32_t)BROKEN)) == 0) {
        if (deadline.ns <= 0 || !plc_os_futex_wait(&driver.pending, 0, deadline))
            return 0;
    }
    if (pending & BROKEN)
        return DRIVER_ERROR; /* from now on each time */
    if (pending & EVENT)
        plc_store_relaxed(&driver.handled, 1u);
    return 0;
}

static void let_happen(uint32_t what) {
    plc_fetch_or_relaxed(&driver.pending, what);
    plc_os_futex_wake(&driver.pending, 1);
}

static void fake_unpark(void *data) {
    (void)data;
    let_happen(TOKEN);
}

static void fake_shutdown(void *data) {
    (void)data;
    driver.runs++;
    driver.shutdowns++;
}

static const struct plc_driver_ops fake_ops = {fake_park_until, fake_unpark, fake_shutdown};

static inline void share_driver(void) {
    lot_setup();
    plc_shared_driver_init(&shared, &fake_ops, NULL, parkers, 3);
}

/* Without a deadline. */
static inline enum plc_driver_park_status park(int self) {
    enum plc_driver_park_status status = plc_driver_parker_park(&parkers[self]).status;
    MC_ASSERT(status != PLC_DRIVER_PARK_TIMED_OUT);
    return status;
}

static inline bool is_handled(void) {
    return plc_load_relaxed(&driver.handled);
}

#endif
