/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The short spin of a lock's slow path before it queues. */
#ifndef PLC_SPIN_H
#define PLC_SPIN_H

#include "platform/platform.h"
#include "platform/tuning.h"

/* Rounds of pauses, each twice as long as the last, for a holder that is about to leave; then yields, for one that lost its
   processor; then the caller should park. The shape is parking_lot's SpinWait. */
struct plc_spin {
    unsigned rounds;
};

static inline void plc_spin_init(struct plc_spin *spin) {
    spin->rounds = 0;
}

/* Spins for one round, the first of which takes so many pauses; false, without spinning, when it is time to park. */
static inline bool plc_spin_once_from(struct plc_spin *spin, unsigned first_pauses) {
    if (spin->rounds >= PLC_SPIN_PAUSE_ROUNDS + PLC_SPIN_YIELD_ROUNDS)
        return false;
    spin->rounds++;
    if (spin->rounds <= PLC_SPIN_PAUSE_ROUNDS) {
        for (unsigned pauses = first_pauses << (spin->rounds - 1); pauses > 0; pauses--)
            plc_cpu_relax();
    } else {
        plc_os_yield();
    }
    return true;
}

/* The same with so many rounds of equal length before the yields. */
static inline bool plc_spin_once_evenly(struct plc_spin *spin, unsigned pauses, unsigned pause_rounds) {
    if (spin->rounds >= pause_rounds + PLC_SPIN_YIELD_ROUNDS)
        return false;
    spin->rounds++;
    if (spin->rounds <= pause_rounds) {
        for (; pauses > 0; pauses--)
            plc_cpu_relax();
    } else {
        plc_os_yield();
    }
    return true;
}

static inline bool plc_spin_once(struct plc_spin *spin) {
    return plc_spin_once_from(spin, PLC_SPIN_FIRST_PAUSES);
}

#endif
