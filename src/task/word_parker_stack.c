/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one-word parker, second form: while its owner is parked the word points to a thread parker on the owner's stack. */
#include <plc/detail/atomic.h>

#include "platform/platform.h"
#include "task/forms.h"
#include "thread_parker/thread_parker.h"

/* parker->word
 *
 *   value      meaning                                        left by
 *   EMPTY      no permit; the owner is not parked             owner: CAS to its thread parker; anybody: exchange to NOTIFIED
 *   NOTIFIED   a permit                                       owner: exchange to EMPTY
 *   a pointer  no permit; the owner waits on what it points to   anybody: exchange to NOTIFIED, then unpark; owner, when its
 *                                                             time has run out: CAS to EMPTY
 *
 * Invariants
 *   I1  Only the owner stores a pointer, and it leaves its stack as it is until that pointer is gone from the word.
 *   I2  Whoever takes the pointer away by NOTIFIED unparks it, exactly once, and the owner waits for that, even if its time has
 *       run out. So what is on its stack is there as long as somebody may touch it.
 *   I3  The exchange is an unpark's last access to the word.
 *
 * Memory order
 *   [A3] the owner's CAS-release to the pointer -> the exchange-acquire of who takes it: the thread parker.
 *   [A4] an unpark's exchange-release -> the owner's exchange-acquire that takes the permit. */
enum { EMPTY = 0, NOTIFIED = 1 };

static bool take_permit(plc_word_parker_t *parker) {
    return plc_exchange_acquire(&parker->word, (uintptr_t)EMPTY) == NOTIFIED; /* acquire [A4] */
}

/* Takes the pointer back; false if somebody has it, and is about to unpark. */
static bool take_back(plc_word_parker_t *parker, struct plc_thread_parker *sleeper) {
    uintptr_t word = (uintptr_t)sleeper;
    return plc_cas_relaxed(&parker->word, &word, (uintptr_t)EMPTY) && /* relaxed: nobody has seen it */
           plc_thread_parker_timed_out(sleeper);
}

static bool wait_for_permit(plc_word_parker_t *parker, struct plc_thread_parker *sleeper, plc_deadline_t deadline) {
    if (!plc_thread_parker_park_until(sleeper, deadline, NULL)) {
        if (take_back(parker, sleeper))
            return false;
        plc_thread_parker_park(sleeper, NULL);
    }
    return take_permit(parker);
}

bool plc_word_parker_stack_park(plc_word_parker_t *parker, plc_deadline_t deadline) {
    struct plc_thread_parker sleeper;
    uintptr_t word = EMPTY;
    plc_thread_parker_init(&sleeper);
    plc_thread_parker_prepare_park(&sleeper, true);
    bool taken;
    if (plc_cas_release(&parker->word, &word, (uintptr_t)&sleeper)) /* release [A3] */
        taken = wait_for_permit(parker, &sleeper, deadline);
    else if (word == NOTIFIED)
        taken = take_permit(parker);
    else
        plc_os_fatal("parker", parker, "park while another thread is parked on it");
    plc_thread_parker_destroy(&sleeper);
    plc_lifetime_end_(&sleeper, sizeof sleeper);
    return taken;
}

void plc_word_parker_stack_unpark(plc_word_parker_t *parker) {
    uintptr_t old = plc_exchange_acq_rel(&parker->word, (uintptr_t)NOTIFIED); /* acquire [A3], release [A4] */
    if (old != EMPTY && old != NOTIFIED) {
        struct plc_thread_parker *sleeper = (struct plc_thread_parker *)old; /* NOLINT: the word held it */
        plc_thread_parker_unpark_lock(sleeper);
        plc_thread_parker_unpark(sleeper);
    }
}
