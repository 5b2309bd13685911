/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The public names of plc_waiters_t and plc_word_parker_t: numbers where threads are parked with futexes, else stacks. */
#include "task/forms.h"

#include "platform/platform.h"

#if defined(PLC_WORDS_ON_STACK)
#define WAITERS(operation) plc_waiters_stack_##operation
#define WORD_PARKER(operation) plc_word_parker_stack_##operation
#else
#define WAITERS(operation) plc_waiters_number_##operation
#define WORD_PARKER(operation) plc_word_parker_number_##operation
#endif

static unsigned checked(const plc_waiters_t *waiters, unsigned value) {
    if (value >= PLC_WAITERS_VALUES)
        plc_os_fatal("waiters", waiters, "a value that does not fit into five bits");
    return value;
}

unsigned plc_waiters_value(const plc_waiters_t *waiters) {
    return WAITERS(value)(waiters);
}

enum plc_waiters_status plc_waiters_wait_until(plc_waiters_t *waiters, unsigned expected, plc_deadline_t deadline) {
    return WAITERS(wait)(waiters, checked(waiters, expected), deadline);
}

enum plc_waiters_status plc_waiters_wait(plc_waiters_t *waiters, unsigned expected) {
    return plc_waiters_wait_until(waiters, expected, PLC_NO_DEADLINE);
}

void plc_waiters_store_and_wake(plc_waiters_t *waiters, unsigned value) {
    WAITERS(store)(waiters, checked(waiters, value));
}

bool plc_waiters_compare_exchange(plc_waiters_t *waiters, unsigned *expected, unsigned value) {
    return WAITERS(compare_exchange)(waiters, expected, checked(waiters, value));
}

bool plc_word_parker_park_until(plc_word_parker_t *parker, plc_deadline_t deadline) {
    return WORD_PARKER(park)(parker, deadline);
}

void plc_word_parker_park(plc_word_parker_t *parker) {
    (void)WORD_PARKER(park)(parker, PLC_NO_DEADLINE);
}

void plc_word_parker_unpark(plc_word_parker_t *parker) {
    WORD_PARKER(unpark)(parker);
}
