/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Spinning before a sleep, and what a thread has learnt about it: whether the next wait should spin at all. */
#ifndef PLC_SPIN_HABIT_H
#define PLC_SPIN_HABIT_H

#include "platform/platform.h"
#include "platform/tuning.h"

/* Zero: nothing learnt yet. Only the thread itself looks at it. */
struct plc_spin_habit {
    uint16_t skips;      /* how many waits were to sleep at once after the last spin in vain */
    uint16_t skips_left; /* how many of these are left */
    bool has_spun;
    bool is_sampled; /* this wait is the last of them: how it ends says whether a spin is worth trying */
    bool was_here;   /* the last sampled wait was ended by a waker on our own processor; for those who learn it so */
};

/* Whether a spin was in vain on this processor a few milliseconds ago, and none has paid since. */
bool plc_spin_was_vain_here(void);
void plc_spin_tell(bool paid);

/* For a sleep on a word, which has no room to say where its waker ran: a waker that is about to make its system call tells, by the word's
   address alone; whoever it has woken asks whether that was this processor. A guess: two words may share a place. */
void plc_spin_tell_waker(const void *word);
bool plc_spin_waker_was_here(const void *word);

/* Counts this wait if it is one of those that sleep at once. A thread that has not spun yet goes by what others have found
   out on its processor: of a thousand threads, each would else spend its first waits on finding out the same. */
static inline bool plc_spin_habit_may_spin(struct plc_spin_habit *habit) {
    if (PLC_PARKER_SPIN_NS == 0 || plc_os_processor_count() == 1)
        return false;
    if (habit->skips_left != 0) {
        habit->is_sampled = --habit->skips_left == 0;
        return false;
    }
    if (habit->has_spun || !plc_spin_was_vain_here())
        return true;
    habit->skips_left = PLC_SPIN_STRANGER_SKIPS;
    return false;
}

/* Doubles how many of the next waits sleep at once, up to max_skips: after a spin in vain, or a sampled wait in which a spin
   would have been in vain. */
static inline void plc_spin_habit_skip_more(struct plc_spin_habit *habit, unsigned max_skips) {
    unsigned skips = habit->skips ? habit->skips * 2u : 1u;
    habit->skips = (uint16_t)(skips > max_skips ? max_skips : skips);
    habit->skips_left = habit->skips;
}

/* A success allows spinning at once and lets the number of skips decay. */
static inline void plc_spin_habit_learn(struct plc_spin_habit *habit, bool paid, unsigned max_skips) {
    habit->has_spun = true;
    plc_spin_tell(paid);
    if (paid) {
        habit->skips = (uint16_t)(habit->skips / 4u);
        habit->skips_left = 0;
    } else {
        plc_spin_habit_skip_more(habit, max_skips);
    }
}

/* After a sampled wait: twice in a row its waker ran on our own processor, so that a spin would have kept it from running. It takes
   some spins in vain as well: of many threads that take turns on two processors, some are woken from their own now and then. */
static inline void plc_spin_habit_learn_waker(struct plc_spin_habit *habit, bool is_here) {
    if (is_here && habit->was_here && habit->skips >= PLC_SPIN_HERE_SKIPS)
        plc_spin_habit_skip_more(habit, PLC_PARKER_MAX_SKIPS_HERE);
    habit->was_here = is_here;
}

/* Spins until is_done(object), for as long as a spin may last; returns whether it is. Inlined, as each look counts. */
__attribute__((always_inline)) static inline bool plc_spin_until(bool (*is_done)(const void *object),
                                                                 const void *object) {
    int64_t start = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    do {
        for (int i = 0; i < 4; i++) {
            if (is_done(object))
                return true;
            plc_cpu_relax();
        }
    } while (plc_os_now_ns(PLC_CLOCK_MONOTONIC) - start < PLC_PARKER_SPIN_NS);
    return is_done(object);
}

#endif
