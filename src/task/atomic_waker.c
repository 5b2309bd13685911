/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The place for one waker: a word says whether it is there, and which one it is; whoever makes it "not there" has taken it. */
#include <plc/atomic_waker.h>

/* place->state
 *
 *   all others   3   2   1   0
 *  [ generation    | S | K | R ]
 *   S  the waker is there      K  somebody wanted to wake meanwhile      R  a consumer writes the waker
 *
 *   S K R  meaning                                                   left by
 *   0 0 0  EMPTY: nothing is there                                   register: CAS to R; take: CAS to itself
 *   1 0 0  SET: the waker is there                                   register: CAS to R; take: CAS to EMPTY;
 *                                                                    register of the same: CAS to itself
 *   0 0 1  REGISTERING: the consumer writes the waker                register: CAS to SET; take: CAS to R K
 *   0 1 1  the consumer writes it, and somebody wanted to wake       register: CAS to EMPTY, and wakes its own waker
 *   The generation counts registrations. The others do not occur.
 *
 * Invariants
 *   I1  Only whose CAS made R writes the waker, and before S is set again the generation is another one. So what a taker read
 *       while it saw S is the waker that was there, and all of it, if its CAS finds the state unchanged: then it has made S go
 *       away, and owns the waker. If not, it has read for nothing, perhaps a mixture of two, and forgets it.
 *   I2  A taker that finds R leaves K behind, and the consumer wakes its own waker: what the taker's thread has done may be
 *       seen only after that.
 *   I3  A register that finds R, which takes two consumers at once, wakes its own waker.
 *   I4  The waker's functions are called only by who does not have the place: they may use it again.
 *   I5  Where a word has 32 bits, a taker that loses its processor between its two steps for exactly a multiple of 2^29
 *       registrations would be deceived: this takes some ten seconds of nothing else, to the very last one.
 *
 * Memory order
 *   [K1] end_registering's CAS-release that sets S -> the taker's load-acquire, or failed CAS-acquire, that sees S: the waker,
 *        and what the consumer did before.
 *   [K2] the taker's CAS-release -> begin_registering's CAS-acquire: its reads of the waker come before the next writes.
 *   [K3] a wake's CAS-release -> begin_registering's CAS-acquire: what the producer did before it woke. Every change is a
 *        read-modify-write, so each continues the release sequences of those before it; therefore a wake that changes nothing
 *        makes its CAS all the same. A register that wakes its own waker acquires nothing: the consumer, once woken,
 *        registers again. Nor does one that finds its waker there: nobody has woken since that was registered.
 *   [K4] end_registering's CAS-release -> the next begin_registering's CAS-acquire: one waker is written after the other.
 *   [K5] the CAS-release of a register that finds its waker there -> the taker's CAS-acquire: what the consumer did before. */
enum {
    REGISTERING = 1u,
    WOKEN = 2u,
    SET = 4u,
    GENERATION = 8u,
};

/* Whoever does not have the place may read half of one waker and half of the next: I1. */
static inline plc_waker_t look(const plc_atomic_waker_t *place) {
    /* relaxed: [K1] has made them visible */
    plc_waker_t waker = {plc_load_relaxed(&place->waker.vtable), plc_load_relaxed(&place->waker.data)};
    return waker;
}

static inline void put_in(plc_atomic_waker_t *place, plc_waker_t waker) {
    plc_store_relaxed(&place->waker.vtable, waker.vtable); /* relaxed: [K1] publishes them */
    plc_store_relaxed(&place->waker.data, waker.data);     /* likewise */
}

/* Takes the place, and the waker that is there. Returns the state that has R; 0: another consumer has it. */
static inline uintptr_t begin_registering(plc_atomic_waker_t *place, plc_waker_t *old) {
    uintptr_t state = plc_load_relaxed(&place->state), next; /* relaxed: the CAS looks again */
    do {
        if (state & REGISTERING)
            return 0;
        next = (state & ~(uintptr_t)SET) | REGISTERING;
    } while (!plc_cas_acquire_weak(&place->state, &state, next)); /* acquire [K2] [K3] [K4] */
    if (state & SET)
        *old = look(place);
    return next;
}

/* Gives the place up with the waker in it, or without it, if somebody wanted to wake meanwhile; then it is woken now. */
static inline void end_registering(plc_atomic_waker_t *place, uintptr_t state, plc_waker_t waker) {
    const uintptr_t next = state - REGISTERING + GENERATION;
    if (plc_cas_release(&place->state, &state, next | SET)) /* release [K1] [K4]; relaxed if it fails: see [K3] */
        return;
    plc_cas_release(&place->state, &state, next); /* release [K4]; nobody else changes it now */
    plc_waker_wake(&waker);
}

static inline void register_it(plc_atomic_waker_t *place, plc_waker_t waker) {
    plc_waker_t old = {NULL, NULL};
    uintptr_t state = begin_registering(place, &old);
    if (PLC_UNLIKELY(state == 0)) {
        plc_waker_wake(&waker); /* I3 */
        return;
    }
    put_in(place, waker);
    end_registering(place, state, waker);
    plc_waker_drop(&old);
}

void plc_atomic_waker_register_(plc_atomic_waker_t *place, plc_waker_t waker) {
    register_it(place, waker);
}

/* It stays there then, as if it had been registered now. */
static inline bool is_there(plc_atomic_waker_t *place, const plc_waker_t *waker) {
    uintptr_t state = plc_load_relaxed(&place->state); /* relaxed: the consumer has written it itself */
    if (!(state & SET))
        return false;
    const plc_waker_t there = look(place);
    return plc_waker_will_wake(&there, waker) && plc_cas_release(&place->state, &state, state); /* release [K5] */
}

void plc_atomic_waker_register_by_ref_(plc_atomic_waker_t *place, const plc_waker_t *waker) {
    if (!is_there(place, waker))
        register_it(place, plc_waker_clone(waker));
}

static inline plc_waker_t take(plc_atomic_waker_t *place) {
    const plc_waker_t nothing = {NULL, NULL};
    uintptr_t state = plc_load_acquire(&place->state), next; /* acquire [K1] */
    plc_waker_t waker;
    do {
        waker = state & SET ? look(place) : nothing;
        next = state & REGISTERING ? state | WOKEN : state & ~(uintptr_t)SET;
    } while (!plc_cas_acq_rel_or_acquire_weak(&place->state, &state, next)); /* release [K2] [K3]; acquire [K1] [K5] */
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
