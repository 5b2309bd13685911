/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parking and unparking on one key: nothing is lost, and nobody is touched who has gone. */
#include "lot.h"

static uint8_t event;   /* the key, and what is waited for */
static uint8_t another; /* a second key */
static int data, found[MC_MAX_THREADS], statuses[MC_MAX_THREADS];
static uintptr_t tokens[MC_MAX_THREADS];

static bool has_not_happened(void *context) {
    (void)context;
    return plc_load_relaxed(&event) == 0;
}

static const struct plc_park_ops unless_it_happened = {.validate = has_not_happened};

static void wait_for_event(int self) {
    struct plc_park_result result = plc_park(&event, &unless_it_happened, NULL, (uintptr_t)self, PLC_NO_DEADLINE);
    statuses[self] = (int)result.status;
    tokens[self] = result.token;
    if (result.status == PLC_PARK_UNPARKED)
        MC_ASSERT(data == 1); /* what the unparker wrote is there */
}

static void let_it_happen(void) {
    data = 1;
    plc_store_relaxed(&event, 1);
}

static uintptr_t seven(void *context, struct plc_unpark_result result) {
    (void)context;
    return result.unparked ? 7 : 0;
}

/* T0 parks unless the event has happened; the others let it happen, and unpark. */
static void unpark_one_vs_park(int self) {
    if (self == 0) {
        wait_for_event(self);
    } else {
        let_it_happen();
        found[self] = (int)plc_unpark_one(&event, seven, NULL).unparked;
    }
}

static void parked_if_found(void) {
    MC_ASSERT((statuses[0] == PLC_PARK_UNPARKED) == (found[1] == 1));
    MC_ASSERT((tokens[0] == 7) == (found[1] == 1));
    lot_must_be_empty();
}

static void two_unparkers(int self) {
    if (self == 0) {
        statuses[0] = (int)plc_park(&event, &unless_it_happened, NULL, 0, PLC_NO_DEADLINE).status;
    } else {
        plc_store_relaxed(&event, 1);
        found[self] = (int)plc_unpark_one(&event, NULL, NULL).unparked;
    }
}

static void one_unparker_at_most(void) {
    MC_ASSERT(found[1] + found[2] == (statuses[0] == PLC_PARK_UNPARKED));
    lot_must_be_empty();
}

/* Two park, one unparks all: none stays behind. */
static void unpark_all_vs_park(int self) {
    if (self < 2) {
        wait_for_event(self);
    } else {
        let_it_happen();
        found[self] = (int)plc_unpark_all(&event, 9);
    }
}

static void all_were_told(void) {
    int parked = 0;
    for (int i = 0; i < 2; i++) {
        MC_ASSERT(tokens[i] == (statuses[i] == PLC_PARK_UNPARKED ? 9 : 0));
        parked += statuses[i] == PLC_PARK_UNPARKED;
    }
    MC_ASSERT(parked == found[2]);
    lot_must_be_empty();
}

/* Two park on one key each, which share a bucket; a late unpark of the wrong key wakes nobody. */
static void two_keys(int self) {
    if (self == 0) {
        wait_for_event(self);
    } else if (self == 1) {
        MC_ASSERT(!plc_unpark_one(&another, NULL, NULL).unparked);
    } else {
        let_it_happen();
        plc_unpark_one(&event, NULL, NULL);
    }
}

/* A permit: who takes one away that is not there yet waits; each release wakes one. */
static uint8_t permits;

static bool none_left(void *context) {
    (void)context;
    return plc_load_relaxed(&permits) == 0;
}

static const struct plc_park_ops unless_permit = {.validate = none_left};

static void take_permit(void) {
    for (;;) {
        uint8_t seen = plc_load_relaxed(&permits);
        while (seen) {
            if (plc_cas_acquire(&permits, &seen, (uint8_t)(seen - 1)))
                return;
        }
        plc_park(&permits, &unless_permit, NULL, 0, PLC_NO_DEADLINE);
    }
}

static void semaphore(int self) {
    if (self < 2) {
        take_permit();
    } else {
        for (int i = 0; i < 2; i++) {
            plc_fetch_add_relaxed(&permits, 1);
            plc_unpark_one(&permits, NULL, NULL);
        }
    }
}

#ifdef IDEAL
#define BOUND3 0
#else
#define BOUND3 3
#endif
MC_SCENARIOS({.name = "lot: validate and unpark_one" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = unpark_one_vs_park,
              .finish = parked_if_found,
              .spurious = 1},
             {.name = "lot: two unparkers, one waiter" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = two_unparkers,
              .finish = one_unparker_at_most,
              .preemptions = BOUND3,
              .stale = 1},
             {.name = "lot: unpark_all" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = unpark_all_vs_park,
              .finish = all_were_told,
              .preemptions = BOUND3,
              .stale = 1},
             {.name = "lot: unpark of the wrong key" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = two_keys,
              .finish = lot_must_be_empty,
              .preemptions = BOUND3,
              .stale = 1},
             {.name = "lot: a semaphore" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = semaphore,
              .finish = lot_must_be_empty,
              .preemptions = BOUND3 ? 2 : 0,
              .stale = 1});
