/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What threads tell each other about spinning: on which processors it was in vain lately. */
#include "thread_parker/spin_habit.h"

#include <plc/detail/atomic.h>

/* One line for each processor, or for each of many: who writes it is running there. Relaxed: a guess, and nothing hangs on it. */
enum { PLACES = 64 };
static struct place {
    _Alignas(64) uint32_t vain_at; /* when a spin was in vain here, in ticks; 0: none was, or one has paid since */
} places[PLACES];

/* Where the wakers of words ran last, by the words' addresses; plus one, as 0 says nothing. Written only if it changes. */
static struct waker { _Alignas(64) uint32_t processor; } wakers[PLACES];

static struct waker *waker_of(const void *word) {
    uintptr_t number = (uintptr_t)word / sizeof(uint32_t);
    return &wakers[(number ^ number / PLACES) % PLACES]; /* neighbours have places of their own */
}

/* About a millisecond; never 0. Wraps after seven weeks, when one thread sleeps once where it would have spun. */
static uint32_t tick_now(void) {
    return (uint32_t)(plc_os_now_ns(PLC_CLOCK_MONOTONIC) >> 20) | 1u;
}

static struct place *this_place(void) {
    uint32_t processor = plc_os_processor();
    return processor == PLC_OS_UNKNOWN_PROCESSOR ? NULL : &places[processor % PLACES];
}

bool plc_spin_was_vain_here(void) {
    const struct place *place = this_place();
    uint32_t vain_at = place ? plc_load_relaxed(&place->vain_at) : 0;
    return vain_at != 0 && tick_now() - vain_at <= PLC_SPIN_VAIN_TICKS;
}

void plc_spin_tell(bool paid) {
    struct place *place = this_place();
    if (!place)
        return;
    if (!paid)
        plc_store_relaxed(&place->vain_at, tick_now());
    else if (plc_load_relaxed(&place->vain_at) != 0)
        plc_store_relaxed(&place->vain_at, 0u);
}

void plc_spin_tell_waker(const void *word) {
    struct waker *waker = waker_of(word);
    uint32_t here = plc_os_processor() + 1; /* 0 if that cannot be told */
    if (here != 0 && plc_load_relaxed(&waker->processor) != here)
        plc_store_relaxed(&waker->processor, here);
}

bool plc_spin_waker_was_here(const void *word) {
    uint32_t here = plc_os_processor() + 1;
    return here != 0 && plc_load_relaxed(&waker_of(word)->processor) == here;
}
