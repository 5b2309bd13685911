/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads that wait for one word to change all wake, see what was done before, and never touch it when it is gone. */
#include "lot.h"
#include "task/forms.h"

#ifdef ON_STACK
#define WAITERS(operation) plc_waiters_stack_##operation
#define WORD_PARKER(operation) plc_word_parker_stack_##operation
#else
#define WAITERS(operation) plc_waiters_number_##operation
#define WORD_PARKER(operation) plc_word_parker_number_##operation
#endif

static plc_waiters_t waiters;
static int data, ended[MC_MAX_THREADS];

static void wait_for_one(int self) {
    if (self == 0) {
        data = 1;
        WAITERS(store)(&waiters, 1);
        return;
    }
    while (WAITERS(value)(&waiters) == 0)
        ended[self] = (int)WAITERS(wait)(&waiters, 0, PLC_NO_DEADLINE);
    MC_ASSERT(data == 1);
}

/* A latch: whoever sees it open frees it. */
static void freed_by_the_woken(int self) {
    wait_for_one(self);
    if (self == 1)
        mc_lifetime_end(&waiters, sizeof waiters);
}

/* The value goes to 1 and comes back before the waiter sleeps, while another one announces itself: nobody may sleep on what
   looks unchanged. */
static void there_and_back(int self) {
    if (self == 1) {
        WAITERS(store)(&waiters, 1);
        WAITERS(store)(&waiters, 0);
        data = 1;
        WAITERS(store)(&waiters, 2);
        return;
    }
    for (unsigned value = 0; value != 2; value = WAITERS(value)(&waiters)) {
        if (value == 0)
            WAITERS(wait)(&waiters, 0, PLC_NO_DEADLINE);
        else
            mc_yield();
    }
    MC_ASSERT(data == 1);
}

/* The same value again wakes too. */
static void same_value(int self) {
    if (self == 0) {
        enum plc_waiters_status status = WAITERS(wait)(&waiters, 0, soon());
        ended[0] = (int)status;
        return;
    }
    WAITERS(store)(&waiters, 0);
}

static void woken_or_too_late(void) {
    MC_ASSERT(ended[0] != PLC_WAITERS_CHANGED);
    MC_OUTCOME(ended[0]);
    lot_must_be_empty();
}

/* Two give up while a third wakes: each is woken or has timed out, and the list is empty at the end. */
static void time_out_races_store(int self) {
    if (self == 0) {
        data = 1;
        WAITERS(store)(&waiters, 1);
        return;
    }
    enum plc_waiters_status status = WAITERS(wait)(&waiters, 0, soon());
    if (status != PLC_WAITERS_TIMED_OUT)
        MC_ASSERT(data == 1);
}

/* A store after that must find nobody: it would touch a stack that is gone. */
static void nobody_is_left(void) {
    WAITERS(store)(&waiters, 3);
    MC_ASSERT(WAITERS(value)(&waiters) == 3);
    lot_must_be_empty();
}

/* A compare-exchange does not wake, and publishes. */
static void exchange_publishes(int self) {
    unsigned expected = 0;
    if (self == 1) {
        data = 1;
        MC_ASSERT(WAITERS(compare_exchange)(&waiters, &expected, 1));
        return;
    }
    expected = 1;
    if (WAITERS(compare_exchange)(&waiters, &expected, 2))
        MC_ASSERT(data == 1);
    else
        MC_ASSERT(expected == 0);
}

/* One waits, one exchanges the value under it, one wakes. */
static void exchange_under_a_waiter(int self) {
    unsigned expected = 0;
    if (self == 0) {
        ended[0] = (int)WAITERS(wait)(&waiters, 0, PLC_NO_DEADLINE);
        MC_ASSERT(ended[0] == PLC_WAITERS_CHANGED || data == 1);
    } else if (self == 1) {
        WAITERS(compare_exchange)(&waiters, &expected, 1);
    } else {
        data = 1;
        WAITERS(store)(&waiters, 2);
    }
}

/* ---- The one-word parker */

static plc_word_parker_t parker;

static void park_once(int self) {
    if (self == 0) {
        MC_ASSERT(WORD_PARKER(park)(&parker, PLC_NO_DEADLINE));
        MC_ASSERT(data == 1);
        mc_lifetime_end(&parker, sizeof parker);
    } else {
        data = 1;
        WORD_PARKER(unpark)(&parker);
    }
}

static void two_unpark(int self) {
    static uint8_t flags[3];
    if (self != 0) {
        plc_store_relaxed(&flags[self], (uint8_t)1);
        WORD_PARKER(unpark)(&parker);
        return;
    }
    while (!plc_load_relaxed(&flags[1]) || !plc_load_relaxed(&flags[2]))
        WORD_PARKER(park)(&parker, PLC_NO_DEADLINE);
}

static void permit_after_time_out(int self) {
    if (self == 1) {
        data = 1;
        WORD_PARKER(unpark)(&parker);
        return;
    }
    if (!WORD_PARKER(park)(&parker, soon()))
        WORD_PARKER(park)(&parker, PLC_NO_DEADLINE);
    MC_ASSERT(data == 1);
}

MC_SCENARIOS(
    {.name = "waiters: one waits" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = wait_for_one,
     .finish = nobody_is_left},
    {.name = "waiters: two wait" ON,
     .threads = 3,
     .setup = lot_setup,
     .thread = wait_for_one,
     .finish = nobody_is_left},
    {.name = "waiters: freed by the woken" ON, .threads = 2, .setup = lot_setup, .thread = freed_by_the_woken},
    {.name = "waiters: the value changes and comes back" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = there_and_back},
    {.name = "waiters: it comes back while another begins to wait" ON,
     .threads = 3,
     .setup = lot_setup,
     .thread = there_and_back,
     .preemptions = 2,
     .stale = 1},
    {.name = "waiters: the same value again" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = same_value,
     .finish = woken_or_too_late,
     .outcomes = "0 2"},
    {.name = "waiters: time-out racing a store" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = time_out_races_store,
     .finish = nobody_is_left},
    {.name = "waiters: two time-outs racing a store" ON,
     .threads = 3,
     .setup = lot_setup,
     .thread = time_out_races_store,
     .finish = nobody_is_left,
     .preemptions = 3,
     .stale = 1},
    {.name = "waiters: an exchange publishes" ON, .threads = 2, .setup = lot_setup, .thread = exchange_publishes},
    {.name = "waiters: the value is exchanged under a waiter" ON,
     .threads = 3,
     .setup = lot_setup,
     .thread = exchange_under_a_waiter},
    {.name = "word parker: before, while and after parking, then freed" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = park_once},
    {.name = "word parker: one permit on top of another still publishes" ON,
     .threads = 3,
     .setup = lot_setup,
     .thread = two_unpark,
     .preemptions = 3,
     .stale = 1},
    {.name = "word parker: time-out racing unpark" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = permit_after_time_out});
