/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The place for one waker: two bits decide who may touch it. */
#include <plc/atomic_waker.h>

/* place->state
 *
 *   K R  meaning                                                       left by
 *   0 0  WAITING: nobody touches the waker                             register: CAS to R; take: sets K
 *   0 1  REGISTERING: the consumer has the waker                       register: CAS to 0; take: sets K and leaves
 *   1 0  WAKING: a taker has the waker                                 that taker: CAS to 0
 *   1 1  the consumer has the waker, and somebody wanted to wake       register: takes it out, CAS to 0, wakes it
 *
 * Invariants
 *   I1  Only one thread has the waker: whose CAS made 0 to R, or whose fetch_or made 0 to K.
 *   I2  A taker that finds R or K set leaves it to the one who has it: with R, register sees K when it is done, and
 *       wakes; with K alone, another taker takes what was registered, and this wake came no later than that one's end.
 *   I3  A register that finds K set wakes its own waker: the wake that is going on may have missed it.
 *   I4  The waker's functions are called only by who does not have the place: they may use it again.
 *
 * Memory order
 *   [K1] register's CAS-release to 0 -> the taker's fetch_or-acquire: the waker.
 *   [K2] the taker's CAS-release to 0 -> register's CAS-acquire to R: the empty place.
 *   [K3] a wake's fetch_or-release -> register's CAS-acquire to R: what the producer did before it woke. Every change is
 *        a read-modify-write, so each continues the release sequences of those before it. A register that wakes its own
 *        waker acquires nothing: the consumer, once woken, registers again.
 *   [K4] register's CAS-release to 0 -> the next CAS-acquire to R and fetch_or-acquire: the empty place. */
enum {
    WAITING = 0u,
    REGISTERING = 1u,
    WAKING = 2u,
};

/* Gives the place up: whoever has it knows the state, for nobody else changes it now. A compare-and-swap all the same, not
   an exchange: clang 14 makes a plain store of an exchange whose result is not used, and a store ends the release
   sequences that [K3] builds on. */
static void release_place(plc_atomic_waker_t *place, uint32_t state) {
    plc_cas_release(&place->state, &state, (uint32_t)WAITING); /* release [K2] [K4] */
}

static plc_waker_t take_out(plc_atomic_waker_t *place) {
    plc_waker_t waker = place->waker;
    plc_store_relaxed(&place->waker.vtable, NULL); /* relaxed: seems_empty looks at it from outside */
    return waker;
}

static void put_in(plc_atomic_waker_t *place, plc_waker_t waker) {
    place->waker.data = waker.data;
    plc_store_relaxed(&place->waker.vtable, waker.vtable); /* relaxed: likewise */
}

/* A hint, without having the place: right or wrong, the result is the same, but for a clone more. */
static bool seems_empty(const plc_atomic_waker_t *place) {
    return plc_load_relaxed(&place->state) == WAITING && /* relaxed: a hint */
           plc_load_relaxed(&place->waker.vtable) == NULL;
}

/* Gives the place up after registering. If somebody wanted to wake meanwhile, the waker is woken now. */
static void end_registering(plc_atomic_waker_t *place) {
    uint32_t state = REGISTERING;
    if (plc_cas_release(&place->state, &state, (uint32_t)WAITING)) /* release [K1]; relaxed if it fails: see [K3] */
        return;
    plc_waker_t waker = take_out(place);
    release_place(place, REGISTERING | WAKING);
    if (plc_waker_is_set(&waker))
        plc_waker_wake(&waker);
}

static bool begin_registering(plc_atomic_waker_t *place) {
    uint32_t state = WAITING;
    return plc_cas_acquire(&place->state, &state, (uint32_t)REGISTERING); /* acquire [K2] [K3] */
}

static inline void register_it(plc_atomic_waker_t *place, plc_waker_t waker) {
    if (!begin_registering(place)) {
        plc_waker_wake(&waker); /* I3 */
        return;
    }
    plc_waker_t old = place->waker;
    put_in(place, waker);
    end_registering(place);
    plc_waker_drop(&old);
}

void plc_atomic_waker_register_(plc_atomic_waker_t *place, plc_waker_t waker) {
    register_it(place, waker);
}

void plc_atomic_waker_register_by_ref_(plc_atomic_waker_t *place, const plc_waker_t *waker) {
    if (seems_empty(place)) { /* it was woken: nothing to compare with, so the place is entered once and not twice */
        register_it(place, plc_waker_clone(waker));
        return;
    }
    if (!begin_registering(place)) {
        plc_waker_wake_by_ref(waker); /* I3 */
        return;
    }
    bool there_already = plc_waker_is_set(&place->waker) && plc_waker_will_wake(&place->waker, waker);
    end_registering(place);
    if (!there_already)
        register_it(place, plc_waker_clone(waker));
}

static inline plc_waker_t take(plc_atomic_waker_t *place) {
    plc_waker_t waker = {NULL, NULL};
    if (plc_fetch_or_acq_rel(&place->state, (uint32_t)WAKING) == WAITING) { /* acq_rel [K1] [K3] [K4] */
        waker = take_out(place);
        release_place(place, WAKING);
    }
    return waker;
}

plc_waker_t plc_atomic_waker_take_(plc_atomic_waker_t *place) {
    return take(place);
}

void plc_atomic_waker_wake_(plc_atomic_waker_t *place) {
    plc_waker_t waker = take(place);
    if (plc_waker_is_set(&waker))
        plc_waker_wake(&waker);
}
