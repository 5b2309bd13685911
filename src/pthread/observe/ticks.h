/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The observers' clock: the processor's counter where it runs at one speed, else nanoseconds of CLOCK_MONOTONIC. */
#ifndef PLC_OBSERVE_TICKS_H
#define PLC_OBSERVE_TICKS_H

#include <plc/detail/config.h>

#include <time.h>

/* The counter may be read at every lock and unlock; a call of clock_gettime takes twice as long. */
#if defined(__x86_64__)
extern bool observe_has_counter __attribute__((visibility("hidden")));
#endif

static inline uint64_t observe_monotonic_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t observe_ticks(void) {
#if defined(__x86_64__)
    if (PLC_LIKELY(observe_has_counter))
        return __builtin_ia32_rdtsc();
#endif
    return observe_monotonic_ns();
}

/* Processors' counters may differ by a little: nothing lasts less than no time. */
static inline uint64_t observe_ticks_since(uint64_t begin) {
    uint64_t now = observe_ticks();
    return now > begin ? now - begin : 0;
}

/* Chooses the clock; before anything else. */
void observe_ticks_start(void);

/* How many ticks a second has, by what has passed since the start: the longer, the better. Not for frequent use. */
double observe_ticks_per_second(void);

#endif
