/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A consumer that registers and then looks, and producers that act and then wake, never miss each other. */
#include <plc/atomic_waker.h>

#include "mc.h"
#include <plc/detail/atomic.h>

static plc_atomic_waker_t place;
static uint8_t acted[3]; /* by producer */

/* A waker that notes its wakes and counts itself; data is its number. */
struct bell {
    uint8_t rung;
    int8_t living;
};
static struct bell bells[3];
static plc_waker_t waker_of(struct bell *bell);

static plc_waker_t clone_bell(void *data) {
    return waker_of(data);
}

static void ring_by_ref(void *data) {
    struct bell *bell = data;
    plc_store_release(&bell->rung, (uint8_t)1);
}

static void give_up(void *data) {
    struct bell *bell = data;
    MC_ASSERT(plc_fetch_add_relaxed(&bell->living, (int8_t)-1) > 0);
}

static void ring(void *data) {
    ring_by_ref(data);
    give_up(data);
}

static plc_waker_t waker_of(struct bell *bell) {
    static const struct plc_waker_vtable vtable = {clone_bell, ring, ring_by_ref, give_up};
    plc_waker_t waker = {&vtable, bell};
    plc_fetch_add_relaxed(&bell->living, (int8_t)1);
    return waker;
}

static void wait_for(struct bell *bell) {
    while (!plc_load_acquire(&bell->rung))
        mc_yield();
    plc_store_relaxed(&bell->rung, (uint8_t)0);
}

static bool all_acted(void) {
    for (int i = 1; i < mc_thread_count(); i++) {
        if (!plc_load_relaxed(&acted[i]))
            return false;
    }
    return true;
}

/* The order of a producer: act, then wake. Nothing but the waker's place orders the two threads. */
static void act_and_wake(int self) {
    plc_store_relaxed(&acted[self], (uint8_t)1);
    plc_atomic_waker_wake(&place);
}

static void nobody_is_left(void) {
    plc_waker_t left = plc_atomic_waker_take(&place);
    plc_waker_drop(&left);
    for (int i = 0; i < 3; i++)
        MC_ASSERT(bells[i].living == 0);
}

/* T0 is lost if it looks too early and nobody wakes it: the checker reports a deadlock then. */
static void register_then_look(int self) {
    if (self != 0) {
        act_and_wake(self);
        return;
    }
    for (;;) {
        plc_atomic_waker_register(&place, waker_of(&bells[0]));
        if (all_acted())
            return;
        wait_for(&bells[0]);
    }
}

static void register_by_reference(int self) {
    if (self != 0) {
        act_and_wake(self);
        return;
    }
    plc_waker_t waker = waker_of(&bells[0]);
    for (;;) {
        plc_atomic_waker_register_by_ref(&place, &waker);
        if (all_acted())
            break;
        wait_for(&bells[0]);
    }
    plc_waker_drop(&waker);
}

/* Both may come while T0 registers: one leaves it to T0, and the other finds the place as T0 left it. */
static void register_once(int self) {
    if (self == 0)
        plc_atomic_waker_register(&place, waker_of(&bells[0]));
    else
        act_and_wake(self);
}

/* The task moves to another waker before it waits: that one must be woken. */
static void change_the_waker(int self) {
    if (self != 0) {
        act_and_wake(self);
        return;
    }
    plc_atomic_waker_register(&place, waker_of(&bells[0]));
    plc_waker_t waker = waker_of(&bells[1]);
    plc_atomic_waker_register_by_ref(&place, &waker);
    if (!all_acted())
        wait_for(&bells[1]);
    plc_waker_drop(&waker);
}

/* What producers wrote plainly is there for who was woken and registered again. */
static int written[3];
static void register_first(void) {
    plc_atomic_waker_register(&place, waker_of(&bells[0]));
}
static void publish(int self) {
    if (self != 0) {
        written[self] = 1;
        plc_atomic_waker_wake(&place);
        return;
    }
    wait_for(&bells[0]);
    plc_atomic_waker_register(&place, waker_of(&bells[0]));
    MC_ASSERT(written[1] == 1);
}

/* What the consumer wrote before it registered what was there already is there for its waker. */
static int note;

static void ring_after_a_look(void *data) {
    MC_ASSERT(note == 1);
    ring(data);
}

static plc_waker_t clone_reader(void *data);
static plc_waker_t reader(void) {
    static const struct plc_waker_vtable vtable = {clone_reader, ring_after_a_look, ring_by_ref, give_up};
    plc_waker_t waker = {&vtable, &bells[1]};
    plc_fetch_add_relaxed(&bells[1].living, (int8_t)1);
    return waker;
}
static plc_waker_t clone_reader(void *data) {
    (void)data;
    return reader();
}

static void register_again(int self) {
    if (self != 0) {
        while (!plc_load_relaxed(&acted[0]))
            mc_yield();
        plc_atomic_waker_wake(&place);
        return;
    }
    plc_waker_t waker = reader();
    plc_atomic_waker_register_by_ref(&place, &waker);
    note = 1;
    plc_atomic_waker_register_by_ref(&place, &waker);
    plc_store_relaxed(&acted[0], (uint8_t)1);
    plc_waker_drop(&waker);
}

static void it_was_woken(void) {
    MC_ASSERT(bells[1].rung);
    nobody_is_left();
}

/* T0 takes its waker back while T1 wakes: one of them gets it. */
static int got[2];
static void take_against_wake(int self) {
    if (self == 1) {
        plc_waker_t waker = plc_atomic_waker_take(&place);
        got[1] = plc_waker_is_set(&waker);
        plc_waker_drop(&waker);
        return;
    }
    plc_atomic_waker_register(&place, waker_of(&bells[0]));
    plc_waker_t waker = plc_atomic_waker_take(&place);
    got[0] = plc_waker_is_set(&waker);
    plc_waker_drop(&waker);
}

static void one_got_it(void) {
    MC_ASSERT(got[0] + got[1] + bells[0].rung == 1);
    MC_OUTCOME(got[0], got[1], bells[0].rung);
    nobody_is_left();
}

/* Two that register at once: a mistake, but both wakers are accounted for, and nobody is forgotten. */
static void register_twice_at_once(int self) {
    if (self == 2)
        act_and_wake(self);
    else
        plc_atomic_waker_register(&place, waker_of(&bells[self]));
}

static void one_is_kept_or_rung(void) {
    plc_waker_t left = plc_atomic_waker_take(&place);
    plc_waker_drop(&left);
    MC_ASSERT(bells[0].living == 0 && bells[1].living == 0);
}

/* ---- A waker that uses the place from inside */

static plc_waker_t clone_intruder(void *data);
static void intrude_by_ref(void *data) {
    ring_by_ref(data);
    plc_atomic_waker_wake(&place);
}
static void intrude(void *data) {
    intrude_by_ref(data);
    give_up(data);
}
static void drop_intruder(void *data) {
    plc_atomic_waker_wake(&place);
    give_up(data);
}
static plc_waker_t intruder(void) {
    static const struct plc_waker_vtable vtable = {clone_intruder, intrude, intrude_by_ref, drop_intruder};
    plc_waker_t waker = {&vtable, &bells[2]};
    plc_fetch_add_relaxed(&bells[2].living, (int8_t)1);
    return waker;
}
static plc_waker_t clone_intruder(void *data) {
    (void)data;
    plc_atomic_waker_wake(&place);
    return intruder();
}

static void register_an_intruder(int self) {
    if (self != 0) {
        act_and_wake(self);
        return;
    }
    plc_waker_t waker = intruder();
    plc_atomic_waker_register_by_ref(&place, &waker);
    plc_atomic_waker_register(&place, waker_of(&bells[0])); /* drops the intruder, if it is there */
    if (!all_acted())
        wait_for(&bells[0]);
    plc_waker_drop(&waker);
}

#define BOUND(n) .preemptions = (n), .stale = 2
MC_SCENARIOS(
    {.name = "atomic waker: register, then look", .threads = 2, .thread = register_then_look, .finish = nobody_is_left},
    {.name = "atomic waker: two wake", .threads = 3, .thread = register_then_look, .finish = nobody_is_left, BOUND(3)},
    {.name = "atomic waker: by reference", .threads = 2, .thread = register_by_reference, .finish = nobody_is_left},
    {.name = "atomic waker: by reference, two wake",
     .threads = 3,
     .thread = register_by_reference,
     .finish = nobody_is_left,
     BOUND(3)},
    {.name = "atomic waker: two wake while it is registered",
     .threads = 3,
     .thread = register_once,
     .finish = nobody_is_left},
    {.name = "atomic waker: changed before the wait",
     .threads = 2,
     .thread = change_the_waker,
     .finish = nobody_is_left},
    {.name = "atomic waker: publishes",
     .threads = 2,
     .setup = register_first,
     .thread = publish,
     .finish = nobody_is_left},
    {.name = "atomic waker: the same again publishes", .threads = 2, .thread = register_again, .finish = it_was_woken},
    {.name = "atomic waker: taken back and taken by another",
     .threads = 2,
     .thread = take_against_wake,
     .finish = one_got_it,
     .outcomes = "001 010 100"},
    {.name = "atomic waker: two register at once",
     .threads = 2,
     .thread = register_twice_at_once,
     .finish = one_is_kept_or_rung},
    {.name = "atomic waker: two register at once, and one wakes",
     .threads = 3,
     .thread = register_twice_at_once,
     .finish = one_is_kept_or_rung},
    {.name = "atomic waker: one that wakes, clones and drops into the place",
     .threads = 2,
     .thread = register_an_intruder,
     .finish = nobody_is_left});
