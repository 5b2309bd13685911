/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_once in glibc's own 32-bit protocol, with the parking lot for those that wait. */
#include "once.h"

#include "layout.h"
#include "statistics.h"
#include "thread.h"

#include "parking_lot/lot.h"
#include "parking_lot/undo_record.h"

#include <plc/parking_lot.h>

/* The word, as in glibc, so that objects which its inline code or its older functions touched are understood:
     31                    2  1  0
    [ generation of the fork  D  R ]
     generation  D  R   meaning                                       left by
     0           0  0   never begun, or the last routine unwound      the first caller: CAS to generation | R
     any         0  1   a thread of that generation runs the routine  that thread: D, or 0 when it unwinds
     0           1  0   done                                          nothing

   A word that says "running" with another generation than this process's is left from the parent of a fork: the thread
   that ran the routine does not exist here, and the routine runs anew.

   There is no bit for waiters: whoever finishes wakes the key in any case, which happens once in a word's life.

   Memory order
     [D1] what the routine wrote: store-release of the new word -> load-acquire by whoever sees D, and the CAS-acquire
          of the next runner after an unwound routine. */
enum {
    RUNNING = 1u,
    DONE = 2u,
};

PLC_STATIC_ASSERT(sizeof(pthread_once_t) == sizeof(uint32_t), "pthread_once_t is one word");

struct wait {
    const uint32_t *word;
    uint32_t value;
};

static bool still_running(void *context) {
    const struct wait *wait = context;
    return plc_load_relaxed(wait->word) == wait->value; /* relaxed: read again with acquire after the wait */
}

/* Not the word's own address: a key inside the object, which no other user of the lot can have. */
static const void *key_of(const uint32_t *word) {
    return (const char *)word + 1;
}

static void wait_while(uint32_t *word, uint32_t value) {
    static const struct plc_park_ops ops = {.validate = still_running, .flags = PLC_PARK_CANCELLABLE};
    struct wait wait = {word, value};
    (void)plc_park(key_of(word), &ops, &wait, 0, PLC_NO_DEADLINE);
}

struct run {
    struct plc_undo undo;
    uint32_t *word;
};

static void finish(uint32_t *word, uint32_t outcome) {
    plc_store_release(word, outcome); /* release [D1]; the word may be gone from here on */
    (void)plc_unpark_all(key_of(word), 0);
}

/* The routine was left by an exception, a cancellation or a jump, all three of which undo it in glibc as well. */
static void give_up(struct plc_undo *undo) {
    finish(((const struct run *)(const void *)undo)->word, 0);
}

static void unwind(struct run *run) {
    if (PLC_UNLIKELY(run->undo.action != NULL)) {
        plc_undo_pop_(&run->undo);
        give_up(&run->undo);
    }
}

static void run_routine(uint32_t *word, void (*routine)(void)) {
    __attribute__((cleanup(unwind))) struct run run = {.word = word};
    plc_undo_push_(&run.undo, give_up);
    routine();
    plc_undo_pop_(&run.undo);
    finish(word, DONE);
}

static __attribute__((noinline)) int once_slow(uint32_t *word, void (*routine)(void)) {
    for (;;) {
        uint32_t value = plc_load_acquire(word); /* acquire [D1] */
        uint32_t mine = dropin_fork_generation() | RUNNING;
        if ((value & DONE) != 0)
            return 0;
        if (value == mine) {
            wait_while(word, value);
        } else if (plc_cas_acquire(word, &value, mine)) { /* acquire [D1] */
            run_routine(word, routine);
            return 0;
        }
    }
}

int dropin_once(pthread_once_t *control, void (*routine)(void)) {
    uint32_t *word = (uint32_t *)(void *)control;
    dropin_count(DROPIN_COUNT_ONCE);
    if (PLC_LIKELY((plc_load_acquire(word) & DONE) != 0)) /* acquire [D1] */
        return 0;
    return once_slow(word, routine);
}

DROPIN_EXPORT(pthread_once, dropin_once);
DROPIN_EXPORT(__pthread_once, dropin_once);
