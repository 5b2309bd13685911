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

static uint32_t shared_state(void) {
    return plc_load_relaxed(&shared.state);
}

enum { DRIVEN = 1, WATCHED = 4, ONE_ASLEEP = 16 };

static void wait_for_state(uint32_t least) {
    while (shared_state() < least)
        mc_yield();
}

/* T0 has the driver, and T2 sleeps. T1 comes, and T0 leaves and calls it, which is just then on its way out, for it was unparked.
   T1 is busy then, and T2 has to take the driver. */
static void called_and_unparked(int self) {
    if (self == 0) {
        park(0);
        plc_driver_parker_unpark(&parkers[1]);
        let_happen(EVENT);
        wait_for_event();
        plc_driver_parker_unpark(&parkers[2]);
    } else if (self == 1) {
        wait_for_state(DRIVEN + ONE_ASLEEP);
        let_happen(TOKEN);
        park(1);
        wait_for_event();
    } else {
        wait_for_state(DRIVEN);
        while (!is_handled())
            park(2);
    }
}

/* The same, but T1's time runs out. */
static bool one_is_asleep_beside_t1(void) {
    return plc_load_relaxed(&flag) && shared_state() / ONE_ASLEEP == 1;
}

static void called_and_out_of_time(int self) {
    if (self == 0) {
        may_leave = one_is_asleep_beside_t1;
        plc_driver_parker_poll(&parkers[0]);
        let_happen(EVENT);
        wait_for_event();
        plc_driver_parker_unpark(&parkers[2]);
    } else if (self == 1) {
        wait_for_state(DRIVEN + ONE_ASLEEP);
        plc_store_relaxed(&flag, (uint8_t)1);
        plc_driver_parker_park_until(&parkers[1], soon());
        wait_for_event();
    } else {
        wait_for_state(DRIVEN);
        while (!is_handled())
            park(2);
    }
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

/* T1 keeps watch from the start, and finds the driver free, or T0 there again, which stays until the watch has ended. Then T1 is
   called, and keeps watch again. */
static bool one_is_asleep(void) {
    return shared_state() >= ONE_ASLEEP;
}

static bool nobody_watches(void) {
    return !(shared_state() & WATCHED);
}

static void called_again(int self) {
    if (self == 1) {
        while (!is_handled())
            park(1);
        return;
    }
    may_leave = one_is_asleep;
    plc_driver_parker_poll(&parkers[0]);
    while (shared_state() == ONE_ASLEEP) /* until T1 watches, or has the driver */
        mc_yield();
    may_leave = nobody_watches;
    plc_driver_parker_poll(&parkers[0]);
    let_happen(EVENT);
    wait_for_event();
}

/* T1's watch ends, it is called by T0 and keeps watch again, which ends while T2 has the driver. T2 knows nothing of T1 but what it acquires as it leaves. */
static void called_again_by_another(int self) {
    if (self == 0) {
        may_leave = one_is_asleep;
        plc_driver_parker_poll(&parkers[0]);
    } else if (self == 1) {
        while (!is_handled())
            park(1);
    } else {
        if (shared_state() & WATCHED)
            plc_driver_parker_poll(&parkers[2]);
        let_happen(EVENT);
        wait_for_event();
        plc_driver_parker_unpark(&parkers[1]);
    }
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
             {SCENARIO("who leaves at the deadline hands the driver on"), .threads = 2, .thread = leave_at_the_deadline,
              BOUND(3)},
             {SCENARIO("called while it is unparked"), .threads = 3, .thread = called_and_unparked, BOUND(2)},
             {SCENARIO("called while its time runs out"), .threads = 3, .thread = called_and_out_of_time, BOUND(2)},
             {SCENARIO("called in vain"), .threads = 3, .thread = called_in_vain, .finish = nothing_is_left, BOUND(3)},
             {SCENARIO("called again"), .threads = 2, .thread = called_again, BOUND(3)},
             {SCENARIO("called again by another"), .threads = 3, .thread = called_again_by_another, BOUND(2)});
