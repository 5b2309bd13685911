/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Chooses the observers' clock, and measures its speed. */
#include "ticks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static uint64_t first_ticks;
static uint64_t first_ns;

#if defined(__x86_64__)
bool observe_has_counter;

/* Does the counter run at one speed whatever the processor does? (CPUID 80000007H, EDX bit 8: invariant TSC.) */
static bool counter_is_steady(void) {
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}
#endif

void observe_ticks_start(void) {
#if defined(__x86_64__)
    observe_has_counter = counter_is_steady();
#endif
    first_ticks = observe_ticks();
    first_ns = observe_monotonic_ns();
}

double observe_ticks_per_second(void) {
    uint64_t ticks = observe_ticks_since(first_ticks);
    uint64_t ns = observe_monotonic_ns() - first_ns;
    return ns == 0 ? 1e9 : (double)ticks * 1e9 / (double)ns;
}
