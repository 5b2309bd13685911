/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Waiters, first form: value, a flag and a count of the wakes in the 32 bits that the sleep compares. */
#include <plc/detail/atomic.h>

#include "platform/platform.h"
#include "task/forms.h"
#include "task/word_wait.h"

/* waiters->sequence
 *
 *   31        6 5     1   0
 *  [ wakes ....| value | W ]     W      somebody may sleep
 *                                wakes  how many stores that wake there were, modulo 2^26
 *
 *   W set by   a wait, in the exchange that finds the expected value
 *     cleared  by the store that wakes; stays set after a time-out, which costs the next store a system call in vain
 *
 * Invariants
 *   I1  A wait has begun when its exchange left W set with the expected value; from then on it ends only by a change of
 *       `wakes`, or by its deadline. The sleep compares all 32 bits: a value that changes and comes back, with W set again by
 *       another thread, does not look as it did before.
 *   I2  Each store that wakes changes `wakes`, and is followed by a wake if W was set.
 *   I3  The store is the waker's last access; the wake uses the address alone.
 *   Not more than 2^26 stores that wake may happen between a waiter's look and its sleep.
 *
 * Memory order
 *   [V1] a store's exchange-release, or a compare-exchange's -> the acquire load that sees `wakes` or the value changed, or
 *        the next compare-exchange's acquire. */
enum { W = 1u, VALUE_SHIFT = 1, WAKES_SHIFT = 6 };

static unsigned value_in(uint32_t sequence) {
    return (sequence >> VALUE_SHIFT) % PLC_WAITERS_VALUES;
}

static uint32_t wakes_in(uint32_t sequence) {
    return sequence >> WAKES_SHIFT;
}

unsigned plc_waiters_number_value(const plc_waiters_t *waiters) {
    return value_in(plc_load_acquire(&waiters->sequence)); /* acquire [V1] */
}

/* Sets W if the value is the expected one; *sequence is what is there then. */
static bool announce(plc_waiters_t *waiters, unsigned expected, uint32_t *sequence) {
    uint32_t found;
    do {
        found = plc_load_acquire(&waiters->sequence); /* acquire [V1]: for who finds the value changed */
        if (value_in(found) != expected)
            return false;
        *sequence = found | W;
    } while (!plc_cas_relaxed_weak(&waiters->sequence, &found, *sequence)); /* relaxed: W publishes nothing */
    return true;
}

enum plc_waiters_status plc_waiters_number_wait(plc_waiters_t *waiters, unsigned expected, plc_deadline_t deadline) {
    uint32_t sequence;
    if (!announce(waiters, expected, &sequence))
        return PLC_WAITERS_CHANGED;
    const uint32_t wakes = wakes_in(sequence);
    for (;;) {
        bool in_time = plc_word_wait(&waiters->sequence, sequence, deadline);
        sequence = plc_load_acquire(&waiters->sequence); /* acquire [V1] */
        if (wakes_in(sequence) != wakes)
            return PLC_WAITERS_WOKEN;
        if (!in_time)
            return PLC_WAITERS_TIMED_OUT;
    }
}

void plc_waiters_number_store(plc_waiters_t *waiters, unsigned value) {
    uint32_t old = plc_load_relaxed(&waiters->sequence); /* relaxed: the exchange looks again */
    uint32_t new;
    do {
        new = (wakes_in(old) + 1) << WAKES_SHIFT | value << VALUE_SHIFT;
    } while (!plc_cas_release_weak(&waiters->sequence, &old, new)); /* release [V1]; the last access */
    if (old & W)
        plc_word_wake_all(&waiters->sequence);
}

bool plc_waiters_number_compare_exchange(plc_waiters_t *waiters, unsigned *expected, unsigned value) {
    uint32_t old = plc_load_relaxed(&waiters->sequence); /* relaxed: the exchange acquires; a failure orders nothing */
    while (value_in(old) == *expected) {
        uint32_t new = wakes_in(old) << WAKES_SHIFT | value << VALUE_SHIFT | (old & W);
        if (plc_cas_acq_rel(&waiters->sequence, &old, new)) /* release and acquire [V1] */
            return true;
    }
    *expected = value_in(old);
    return false;
}
