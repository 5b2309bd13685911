/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hooks see what was done before they were set, and each end after its begin; so do the probes. */
#include "lot.h"
#include "parking_lot/observer.h"

static char key, other_key;
static int prepared_data, begins, ends, wakes;

static void on_begin(void *context, const struct plc_debug_wait *wait) {
    MC_ASSERT(*(const int *)context == 1 && wait->object == &key && wait->kind == PLC_DEBUG_PARK);
    begins++;
}

static void on_end(void *context, const struct plc_debug_wait *wait) {
    MC_ASSERT(*(const int *)context == 1 && wait->outcome == PLC_DEBUG_TIMED_OUT);
    MC_ASSERT(++ends == begins);
}

static const struct plc_debug_hooks hooks = {on_begin, on_end, &prepared_data};
static const struct plc_debug_hooks no_hooks;

static void set_hooks_vs_park(int self) {
    if (self == 0) {
        prepared_data = 1;
        plc_debug_set_hooks(&hooks);
    } else {
        plc_park(&key, &no_ops, NULL, 0, soon());
    }
}

static void setup_hooks(void) {
    lot_setup();
    prepared_data = 1;
    plc_debug_set_hooks(&hooks);
}

static void take_hooks_away(int self) {
    if (self == 0)
        plc_debug_set_hooks(NULL);
    else
        plc_park(&key, &no_ops, NULL, 0, soon());
}

static void ended_as_begun(void) {
    MC_ASSERT(begins == ends && begins <= 1);
}

static void replace_hooks(int self) {
    if (self == 0) {
        prepared_data = 1;
        plc_debug_set_hooks(&hooks);
    } else {
        const struct plc_debug_hooks *before = plc_debug_set_hooks(&no_hooks);
        if (before)
            MC_ASSERT(*(const int *)before->context == 1);
    }
}

static void probe_park(const void *address, unsigned kind) {
    MC_ASSERT(prepared_data == 1 && address == &key && kind == PLC_DEBUG_PARK);
    begins++;
}

static void probe_parked(const void *address, unsigned kind, bool timed_out) {
    MC_ASSERT(prepared_data == 1 && address == &key && kind == PLC_DEBUG_PARK && timed_out);
    ends++;
}

static void probe_park_only(const void *address, unsigned kind) {
    (void)address;
    (void)kind;
    begins++;
}

static void probe_parked_only(const void *address, unsigned kind, bool timed_out) {
    (void)address;
    (void)kind;
    MC_ASSERT(!timed_out);
    ends++;
}

static void probe_unpark(const void *address, unsigned kind) {
    MC_ASSERT(address == &key && kind == PLC_DEBUG_PARK);
    wakes++;
}

static const struct plc_lot_probes probes_of_wakes = {probe_park_only, probe_parked_only, probe_unpark, NULL};
static const struct plc_lot_probes probes = {probe_park, probe_parked, probe_unpark, NULL};

static void set_probes_vs_park(int self) {
    if (self == 0) {
        prepared_data = 1;
        plc_lot_set_probes_(&probes);
    } else {
        plc_park(&key, &no_ops, NULL, 0, soon());
    }
}

/* ---- A wake, and what the keys beside those of users stand for */

static void setup_probes(void) {
    lot_setup();
    plc_lot_set_probes_(&probes_of_wakes);
}

static void wake_one(int self) {
    if (self == 1) {
        plc_park(&key, &no_ops, NULL, 0, PLC_NO_DEADLINE);
    } else {
        while (!plc_unpark_one(&key, NULL, NULL).unparked)
            mc_yield();
    }
}

static void told_of_each(void) {
    MC_ASSERT(begins == 1 && ends == 1 && wakes == 1);
    MC_ASSERT(plc_lot_object(plc_lot_key(&key + 1, PLC_WAITER_RWLOCK_DRAIN), 0) == &key);
    MC_ASSERT(plc_lot_public_kind(PLC_WAITER_MUTEX_TASK) == PLC_DEBUG_MUTEX);
    MC_ASSERT(plc_lot_public_kind(PLC_WAITER_RWLOCK_TASK) == PLC_DEBUG_RWLOCK);
    MC_ASSERT(plc_lot_object(plc_lot_key(&other_key, PLC_WAITER_READER_SLOT), (uintptr_t)&key) == &key);
}

/* ---- A hook that waits: nobody is told of that, and it is in two queues */

static void wait_inside(void *context, const struct plc_debug_wait *wait) {
    (void)context;
    MC_ASSERT(wait->object == &key);
    plc_park(&other_key, &no_ops, NULL, 0, soon());
    begins++;
}

static const struct plc_debug_hooks hooks_that_wait = {wait_inside, NULL, NULL};

static void setup_hooks_that_wait(void) {
    lot_setup();
    plc_debug_set_hooks(&hooks_that_wait);
}

static void told_once(void) {
    MC_ASSERT(begins == 1);
    lot_must_be_empty();
}

MC_SCENARIOS({.name = "debug: hooks are set while a thread parks",
              .threads = 2,
              .setup = lot_setup,
              .thread = set_hooks_vs_park,
              .finish = ended_as_begun},
             {.name = "debug: hooks are taken away while a thread parks",
              .threads = 2,
              .setup = setup_hooks,
              .thread = take_hooks_away,
              .finish = ended_as_begun},
             {.name = "debug: hooks replace others", .threads = 2, .thread = replace_hooks},
             {.name = "debug: a wake, and both ends of its wait",
              .threads = 2,
              .setup = setup_probes,
              .thread = wake_one,
              .finish = told_of_each},
             {.name = "debug: a hook that waits itself",
              .threads = 2,
              .setup = setup_hooks_that_wait,
              .thread = wake_one,
              .finish = told_once},
             {.name = "debug: probes are set while a thread parks",
              .threads = 2,
              .setup = lot_setup,
              .thread = set_probes_vs_park,
              .finish = ended_as_begun});
