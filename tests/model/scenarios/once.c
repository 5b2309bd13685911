/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The function of a once runs once, and all who called see what it did; failures let the next one try, or poison. */
#include <plc/once.h>

#include "lot.h"

static plc_once_t once;
static int runs, data, done, failures, ran[MC_MAX_THREADS];
static char tally;

static bool initialise(void *argument) {
    (void)argument;
    runs++;
    data = 42;
    return true;
}

static bool note_that_it_ran(void *argument) {
    *(int *)argument = 1;
    return true;
}

static void call(int self) {
    (void)self;
    MC_ASSERT(plc_once_call(&once, initialise, NULL));
    MC_ASSERT(data == 42);
}

static void ran_once(void) {
    MC_ASSERT(runs == 1);
    MC_ASSERT(plc_once_is_done(&once));
    lot_must_be_empty();
}

/* The first run fails, the next one succeeds. */
static bool fail_first(void *argument) {
    (void)argument;
    data = 42;
    return ++runs > 1;
}

static void count(bool success) {
    mc_lock(&tally);
    done += success;
    failures += !success;
    mc_unlock(&tally);
}

static void call_failing(int self) {
    (void)self;
    count(plc_once_call(&once, fail_first, NULL));
}

static void second_succeeded(void) {
    MC_ASSERT(failures == 1 && done == mc_thread_count() - 1);
    MC_ASSERT(runs == 2 && data == 42);
    lot_must_be_empty();
}

static void call_poisoning(int self) {
    (void)self;
    count(plc_once_call_poison(&once, fail_first, NULL));
}

static void all_refused(void) {
    MC_ASSERT(failures == mc_thread_count() && runs == 1);
    MC_ASSERT(plc_once_state(&once) == PLC_ONCE_POISONED);
    lot_must_be_empty();
}

/* T0 forces a poisoned once; T1 is refused before that, or waits for it. */
static void force(int self) {
    if (self == 0)
        count(plc_once_call_force(&once, fail_first, NULL));
    else
        count(plc_once_call_poison(&once, fail_first, NULL));
}

static void forced_or_not(void) {
    MC_ASSERT(runs >= 1 && runs <= 2);
    MC_ASSERT(done + failures == 2);
    lot_must_be_empty();
}

static void look_while_running(int self) {
    if (self == 0)
        call(0);
    else if (plc_once_is_done(&once))
        MC_ASSERT(data == 42);
    else if (plc_once_state(&once) == PLC_ONCE_DONE)
        MC_ASSERT(data == 42);
}

/* T1 frees the once as soon as it is done; T0 may still be inside its call. */
static void freed_when_done(int self) {
    if (self == 0) {
        MC_ASSERT(plc_once_call(&once, initialise, NULL));
    } else {
        while (!plc_once_is_done(&once))
            mc_yield();
        MC_ASSERT(data == 42);
        mc_lifetime_end(&once, sizeof once);
    }
}

/* Whoever waited for the other's run frees the once; that one may still be inside its call. */
static void freed_by_the_other(int self) {
    int *mine = &ran[self];
    MC_ASSERT(plc_once_call(&once, note_that_it_ran, mine));
    if (!*mine)
        mc_lifetime_end(&once, sizeof once);
}

#ifdef IDEAL
#define BOUND(n) .preemptions = 0, .executions = 100000
#else
#define BOUND(n) .preemptions = (n), .stale = 1
#endif
MC_SCENARIOS(
    {.name = "once: two callers" ON, .threads = 2, .setup = lot_setup, .thread = call, .finish = ran_once},
    {.name = "once: three callers" ON, .threads = 3, .setup = lot_setup, .thread = call, .finish = ran_once, BOUND(3)},
    {.name = "once: looking while it runs" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = look_while_running,
     .finish = ran_once},
    {.name = "once: freed when it is done" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = freed_when_done,
     .finish = lot_must_be_empty},
    {.name = "once: freed by the one that waited" ON,
     .threads = 2,
     .setup = lot_setup,
     .thread = freed_by_the_other,
     .finish = lot_must_be_empty},
    {.name = "once: the first run fails" ON,
     .threads = 3,
     .setup = lot_setup,
     .thread = call_failing,
     .finish = second_succeeded,
     BOUND(2)},
    {.name = "once: a failure poisons" ON,
     .threads = 3,
     .setup = lot_setup,
     .thread = call_poisoning,
     .finish = all_refused,
     BOUND(2)},
    {.name = "once: force" ON, .threads = 2, .setup = lot_setup, .thread = force, .finish = forced_or_not});
