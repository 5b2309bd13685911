/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a thread has learnt about spinning before it sleeps: whether the next wait should spin at all. */
#ifndef PLC_SPIN_HABIT_H
#define PLC_SPIN_HABIT_H

#include "platform/platform.h"
#include "platform/tuning.h"

/* Zero: spin. Only the thread itself looks at it. */
struct plc_spin_habit {
    uint16_t skips;      /* how many waits sleep at once after the next spin in vain, at most doubled */
    uint16_t skips_left; /* how many of those are still to come */
};

/* Counts this wait if it is one of those that sleep at once. */
static inline bool plc_spin_habit_may_spin(struct plc_spin_habit *habit) {
    if (PLC_PARKER_SPIN_NS == 0 || plc_os_processor_count() == 1)
        return false;
    if (habit->skips_left == 0)
        return true;
    habit->skips_left--;
    return false;
}

/* A failure doubles how many of the next waits sleep at once; a success allows spinning at once and lets the number
   decay. */
static inline void plc_spin_habit_learn(struct plc_spin_habit *habit, bool paid) {
    if (paid) {
        habit->skips /= 4;
    } else {
        unsigned skips = habit->skips ? habit->skips * 2u : 1u;
        habit->skips = (uint16_t)(skips > PLC_PARKER_MAX_SKIPS ? PLC_PARKER_MAX_SKIPS : skips);
    }
    habit->skips_left = paid ? 0 : habit->skips;
}

#endif
