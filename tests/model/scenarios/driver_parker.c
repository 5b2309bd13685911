/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parkers that share a driver: no unpark is lost, wherever its owner parks, and nobody sleeps beside a driver that is left
   alone. */
#include "driver_parker.h"

static int data;
static uint8_t flag;

/* Returns when it was unparked; the driver may come back for other reasons. */
static void park_until_notified(int self) {
    while (park(self) != PLC_DRIVER_PARK_NOTIFIED) {
    }
}

/* ---- Permits */

static void unpark_the_others(int self) {
    if (self == 0) {
        data = 1;
        plc_driver_parker_unpark(&parkers[1]);
        if (mc_thread_count() > 2)
            plc_driver_parker_unpark(&parkers[2]);
        return;
    }
    park_until_notified(self);
    MC_ASSERT(data == 1);
}

static void nothing_is_left(void) {
    MC_ASSERT(shared.state == 0);
    for (int i = 0; i < mc_thread_count(); i++)
        MC_ASSERT(parkers[i].state == 0);
}

/* T2 may find T1's permit there already: who takes it must see T2's flag all the same. */
static void permit_on_top_of_a_permit(int self) {
    if (self == 0) {
        while (!plc_load_relaxed(&flag))
            park(0);
        return;
    }
    if (self == 2)
        plc_store_relaxed(&flag, (uint8_t)1);
    plc_driver_parker_unpark(&parkers[0]);
}

/* The driver is another's, or T1's own: a permit that the deadline beat is there afterwards. */
static void time_out_races_unpark(int self) {
    if (self == 0) {
        data = 1;
        plc_driver_parker_unpark(&parkers[1]);
    } else if (self == 2) {
        plc_driver_parker_poll(&parkers[2]);
    } else {
        if (plc_driver_parker_park_until(&parkers[1], soon()).status != PLC_DRIVER_PARK_NOTIFIED)
            park_until_notified(1);
        MC_ASSERT(data == 1);
    }
}

/* ---- The driver itself */

/* What it keeps is plain: a race is reported unless one run comes after the other. */
static void run_after_each_other(int self) {
    if (self == 0)
        plc_driver_parker_poll(&parkers[0]);
    else
        plc_driver_parker_park_until(&parkers[self], soon());
}

/* Whoever leaves is busy until the event was handled: by another, who has to have taken over. T0 and T1 unpark each other at
   the end, for the one who did not handle it may sleep. */
static void wait_for_event(void) {
    while (!is_handled())
        mc_yield();
}

static void leave_with_work(int self) {
    if (self == 2) {
        plc_driver_parker_unpark(&parkers[0]);
        let_happen(EVENT);
        return;
    }
    while (!is_handled()) {
        if (park(self) == PLC_DRIVER_PARK_NOTIFIED)
            wait_for_event();
    }
    plc_driver_parker_unpark(&parkers[!self]);
}

static void leave_at_the_deadline(int self) {
    if (self == 0) {
        plc_driver_parker_park_until(&parkers[0], soon());
        let_happen(EVENT);
        wait_for_event();
        plc_driver_parker_unpark(&parkers[1]);
    } else {
        while (!is_handled())
            park(1);
    }
}

/* T0 has the driver, and T2 sleeps. T1 comes, and T0 leaves and calls it, which is just then on its way out, for it was unparked,
   or for its time is over. T1 is busy then, and T2 has to take the driver. */
static void wait_for_state(uint32_t least) {
    while (plc_load_relaxed(&shared.state) < least)
        mc_yield();
}

static void called_on_the_way_out(int self, plc_deadline_t deadline) {
    const uint32_t driven = 1, driven_and_one_asleep = 5;
    if (self == 0) {
        park(0);
        if (plc_deadline_is_never(deadline))
            plc_driver_parker_unpark(&parkers[1]);
        let_happen(EVENT);
        wait_for_event();
        plc_driver_parker_unpark(&parkers[2]);
    } else if (self == 1) {
        wait_for_state(driven_and_one_asleep);
        let_happen(TOKEN);
        plc_driver_parker_park_until(&parkers[1], deadline);
        wait_for_event();
    } else {
        wait_for_state(driven);
        while (!is_handled())
            park(2);
    }
}

static void called_and_unparked(int self) {
    called_on_the_way_out(self, PLC_NO_DEADLINE);
}

static void called_and_out_of_time(int self) {
    called_on_the_way_out(self, soon());
}

/* T0 leaves the driver and calls T1, but T2 comes first. T1 has no reason to return then. */
static void called_in_vain(int self) {
    if (self == 1) {
        park_until_notified(1);
        return;
    }
    plc_driver_parker_poll(&parkers[self]);
    if (self == 0)
        plc_driver_parker_unpark(&parkers[1]);
}

#define SCENARIO(title) .name = "driver parker: " title ON, .setup = share_driver
#define BOUND(n) .preemptions = (n), .stale = 2
MC_SCENARIOS({SCENARIO("unparked wherever it is"), .threads = 2, .thread = unpark_the_others, .finish = nothing_is_left,
              .spurious = 1},
             {SCENARIO("one in the driver, one asleep, both unparked"), .threads = 3, .thread = unpark_the_others,
              BOUND(3)},
             {SCENARIO("a permit on top of another still publishes"), .threads = 3, .thread = permit_on_top_of_a_permit,
              BOUND(3)},
             {SCENARIO("time-out racing unpark"), .threads = 3, .thread = time_out_races_unpark, BOUND(3)},
             {SCENARIO("one run after the other"), .threads = 3, .thread = run_after_each_other,
              .finish = nothing_is_left, BOUND(3)},
             {SCENARIO("who leaves with work hands the driver on"), .threads = 3, .thread = leave_with_work, BOUND(3)},
             {SCENARIO("who leaves at the deadline hands the driver on"), .threads = 2,
              .thread = leave_at_the_deadline},
             {SCENARIO("called while it is unparked"), .threads = 3, .thread = called_and_unparked, BOUND(3)},
             {SCENARIO("called while its time runs out"), .threads = 3, .thread = called_and_out_of_time, BOUND(3)},
             {SCENARIO("called in vain"), .threads = 3, .thread = called_in_vain, .finish = nothing_is_left, BOUND(3)});
