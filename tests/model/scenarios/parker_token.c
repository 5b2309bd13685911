/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A permit left before, while or after its owner goes to sleep is taken once, with all that was done before it. */
#include <plc/parker.h>

#include "lot.h"

static plc_parker_t parker;
static int data;
static uint8_t flag;

static void park_once(int self) {
    if (self == 0) {
        plc_parker_park(&parker);
        MC_ASSERT(data == 1);
    } else {
        data = 1;
        plc_parker_unpark(&parker);
    }
}

/* The owner frees the parker as soon as it has the permit; the other may still be inside its unpark. */
static void freed_with_the_permit(int self) {
    park_once(self);
    if (self == 0)
        mc_lifetime_end(&parker, sizeof parker);
}

/* Two permits are one, and whether they were one the other must see. */
static void unpark_twice(int self) {
    if (self == 1) {
        data = 1;
        plc_parker_unpark(&parker);
        plc_parker_unpark(&parker);
        return;
    }
    plc_parker_park(&parker);
    MC_ASSERT(data == 1);
}

static void at_most_one_is_left(void) {
    bool left = plc_parker_try_park(&parker);
    MC_ASSERT(!plc_parker_try_park(&parker));
    MC_OUTCOME(left);
}

/* T2 may find T1's permit there already: who takes it must see T2's flag all the same, or T0 sleeps for ever. */
static void permit_on_top_of_a_permit(int self) {
    if (self == 0) {
        while (!plc_load_relaxed(&flag))
            plc_parker_park(&parker);
    } else {
        if (self == 2)
            plc_store_relaxed(&flag, (uint8_t)1);
        plc_parker_unpark(&parker);
    }
}

/* A permit that the deadline beat is not lost. */
static void time_out_races_unpark(int self) {
    if (self == 1) {
        data = 1;
        plc_parker_unpark(&parker);
        return;
    }
    bool taken = plc_parker_park_until(&parker, soon());
    flag = taken;
    if (!taken)
        plc_parker_park(&parker);
    MC_ASSERT(data == 1);
}

static void in_time_or_not(void) {
    MC_OUTCOME(flag);
    MC_ASSERT(!plc_parker_try_park(&parker));
}

/* A look does not wait, and takes the permit if it is there. */
static void poll(int self) {
    if (self == 1) {
        data = 1;
        plc_parker_unpark(&parker);
        return;
    }
    while (!plc_parker_try_park(&parker))
        mc_yield();
    MC_ASSERT(data == 1);
}

/* As many permits as parks, one after the other. */
static void take_turns(int self) {
    static plc_parker_t parkers[2];
    if (self == 0)
        plc_parker_unpark(&parkers[1]);
    for (int i = 0; i < 2; i++) {
        plc_parker_park(&parkers[self]);
        data++;
        plc_parker_unpark(&parkers[!self]);
    }
}

static void all_turns_were_taken(void) {
    MC_ASSERT(data == 4);
}

static void park_on_the_same(int self) {
    if (self < 2)
        plc_parker_park(&parker);
}

MC_SCENARIOS({.name = "permit: before, while and after the owner sleeps" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = park_once,
              .spurious = 2},
             {.name = "permit: the parker is freed with it" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = freed_with_the_permit},
             {.name = "permit: two are one" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = unpark_twice,
              .finish = at_most_one_is_left,
              .outcomes = "0 1"},
             {.name = "permit: one on top of another still publishes" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = permit_on_top_of_a_permit},
             {.name = "permit: time-out racing unpark" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = time_out_races_unpark,
              .finish = in_time_or_not,
              .spurious = 1,
              .outcomes = "0 1"},
             {.name = "permit: polling" ON, .threads = 2, .setup = lot_setup, .thread = poll},
             {.name = "permit: two threads take turns" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = take_turns,
              .finish = all_turns_were_taken},
             {.name = "permit: two owners" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = park_on_the_same,
              .expect = MC_ASSERTION});
