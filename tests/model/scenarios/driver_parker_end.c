/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The end of a shared driver: its shutdown is called once, by whoever is right, and nobody sleeps on; and drivers that fail. */
#include "driver_parker.h"

static int data;

static void park_to_the_end(int self) {
    enum plc_driver_park_status status;
    do {
        status = park(self);
    } while (status != PLC_DRIVER_PARK_SHUT_DOWN);
    MC_ASSERT(data == 1);
}

static void shut_down(int self) {
    if (self == 0) {
        data = 1;
        plc_shared_driver_shutdown(&shared);
    } else {
        park_to_the_end(self);
    }
}

/* T2 sleeps by the wall clock, and keeps no watch: nothing but a call gets it up. */
static void shut_down_beside_one_without_a_watch(int self) {
    const plc_deadline_t never = {INT64_MAX, PLC_CLOCK_REALTIME};
    if (self != 2) {
        shut_down(self);
        return;
    }
    while (plc_driver_parker_park_until(&parkers[2], never).status != PLC_DRIVER_PARK_SHUT_DOWN) {
    }
    MC_ASSERT(data == 1);
}

static void shut_down_once(void) {
    MC_ASSERT(driver.shutdowns == 1);
    MC_ASSERT((shared.state & ~2u) == 0); /* nobody has it, nobody sleeps */
}

static void shut_down_twice(int self) {
    if (self == 2)
        park(2);
    else
        plc_shared_driver_shutdown(&shared);
}

static void shut_down_against_poll(int self) {
    if (self == 0) {
        shut_down(0);
        return;
    }
    if (plc_driver_parker_poll(&parkers[1]).status == PLC_DRIVER_PARK_SHUT_DOWN)
        MC_ASSERT(data == 1);
}

static void shut_down_against_time(int self) {
    if (self == 0)
        shut_down(0);
    else
        plc_driver_parker_park_until(&parkers[self], soon());
}

/* The permit comes before, meanwhile or after; it is taken first. */
static int sent;
static void unpark_at_the_end(int self) {
    if (self == 0) {
        shut_down(0);
    } else if (self == 1) {
        sent = 1;
        plc_driver_parker_unpark(&parkers[2]);
    } else {
        enum plc_driver_park_status status;
        do {
            status = park(2);
        } while (status == PLC_DRIVER_PARK_DROVE);
        MC_ASSERT(status == PLC_DRIVER_PARK_NOTIFIED || status == PLC_DRIVER_PARK_SHUT_DOWN);
        MC_ASSERT(status == PLC_DRIVER_PARK_SHUT_DOWN || sent == 1);
    }
}

/* ---- A driver that fails: everybody who parks is told, and permits stay. */

static void park_until_it_fails(int self) {
    struct plc_driver_park_result result;
    do {
        result = plc_driver_parker_park(&parkers[self]);
    } while (result.status == PLC_DRIVER_PARK_DROVE);
    MC_ASSERT(result.status == PLC_DRIVER_PARK_FAILED && result.error == DRIVER_ERROR);
}

static void fail(int self) {
    if (self == 0)
        let_happen(BROKEN);
    else
        park_until_it_fails(self);
}

static void driver_is_free(void) {
    MC_ASSERT(shared.state == 0);
}

static void fail_from_the_start(void) {
    share_driver();
    driver.pending = BROKEN;
}

static void unpark_while_it_fails(int self) {
    if (self == 0) {
        data = 1;
        plc_driver_parker_unpark(&parkers[1]);
        return;
    }
    while (park(1) == PLC_DRIVER_PARK_FAILED)
        mc_yield();
    MC_ASSERT(data == 1);
}

#define SCENARIO(title) .name = "driver parker: " title ON, .setup = share_driver
#define BOUND(n) .preemptions = (n), .stale = 2
MC_SCENARIOS({SCENARIO("shutdown, one parks"), .threads = 2, .thread = shut_down, .finish = shut_down_once},
             {SCENARIO("shutdown, two park"), .threads = 3, .thread = shut_down, .finish = shut_down_once, BOUND(3)},
             {SCENARIO("shutdown, two park, one without a watch"), .threads = 3,
              .thread = shut_down_beside_one_without_a_watch, .finish = shut_down_once, BOUND(3)},
             {SCENARIO("two shutdowns at once"), .threads = 3, .thread = shut_down_twice, .finish = shut_down_once,
              BOUND(3)},
             {SCENARIO("shutdown against a poll"), .threads = 2, .thread = shut_down_against_poll,
              .finish = shut_down_once},
             {SCENARIO("shutdown against a deadline"), .threads = 3, .thread = shut_down_against_time,
              .finish = shut_down_once, BOUND(3)},
             {SCENARIO("unpark against shutdown"), .threads = 3, .thread = unpark_at_the_end, .finish = shut_down_once,
              BOUND(3)},
             {SCENARIO("all are told of a failure"), .threads = 3, .thread = fail, .finish = driver_is_free, BOUND(3)},
             {.name = "driver parker: a failure takes no permit" ON,
              .setup = fail_from_the_start,
              .threads = 2,
              .thread = unpark_while_it_fails,
              .finish = driver_is_free});
