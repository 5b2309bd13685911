/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sleeping on a word: in the parking lot, whose bucket lock makes the comparison and the queueing one step. */
#include <plc/detail/atomic.h>

#include "parking_lot/lot.h"
#include "task/word_wait.h"

struct expectation {
    uint32_t *word;
    uint32_t expected;
};

/* Runs under the bucket lock. A waker changes the word first and locks the bucket then, so it finds whoever saw the old
   value here. */
static bool is_unchanged(void *context) {
    const struct expectation *expectation = context;
    return plc_load_relaxed(expectation->word) == expectation->expected; /* relaxed: the caller looks again */
}

/* The caller has spun. */
static const struct plc_park_ops sleep_at_once = {.validate = is_unchanged, .flags = PLC_PARK_NO_SPIN};

static struct plc_lot_key key_of(const uint32_t *word) {
    return plc_lot_key(word, PLC_WAITER_WORD);
}

bool plc_word_wait(uint32_t *word, uint32_t expected, plc_deadline_t deadline) {
    struct expectation expectation = {word, expected};
    return plc_lot_park(key_of(word), &sleep_at_once, &expectation, 0, deadline).status != PLC_PARK_TIMED_OUT;
}

void plc_word_wake_one(uint32_t *word) {
    plc_lot_unpark_one(key_of(word), NULL, NULL);
}

void plc_word_wake_all(uint32_t *word) {
    plc_lot_unpark_all(key_of(word), 0);
}
