/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parker's slow paths: spinning and sleeping until a permit comes, and waking the owner. */
#include <plc/parker.h>

#include "parking_lot/thread.h"
#include "platform/platform.h"
#include "platform/tuning.h"
#include "task/word_wait.h"
#include "thread_parker/spin_habit.h"

/* parker->state
 *
 *   value     meaning                                      left by
 *   EMPTY     no permit; the owner does not sleep          owner: CAS to PARKED; anybody: exchange to NOTIFIED
 *   PARKED    no permit; the owner sleeps or is about to   anybody: exchange to NOTIFIED, then a wake; owner, at its
 *                                                          deadline: exchange to EMPTY
 *   NOTIFIED  a permit                                     owner: CAS or exchange to EMPTY
 *   others    not a parker; reported by the slow path
 *
 * Invariants
 *   I1  Only the owner takes NOTIFIED away, and only the owner makes EMPTY into PARKED. So what the owner sees in the
 *       word can only become NOTIFIED meanwhile.
 *   I2  The exchange that takes PARKED away is followed by a wake, and the sleep compares the word with PARKED: nobody
 *       sleeps beside a permit.
 *   I3  An unpark's exchange is its last access; the wake uses the address alone, and whoever it hits by mistake looks
 *       at its own word again.
 *
 * Memory order
 *   [A1] unpark's exchange-release -> the acquire of the CAS or exchange that takes the permit. Every change of the
 *        word is a read-modify-write, so a permit carries the release of every unpark since the last park.
 *   The CAS to PARKED is relaxed: it publishes nothing. */
enum {
    EMPTY = PLC_PARKER_EMPTY_,
    PARKED = PLC_PARKER_PARKED_,
    NOTIFIED = PLC_PARKER_NOTIFIED_,
};

static bool has_permit(const void *parker) {
    const uint32_t *state = &((const plc_parker_t *)parker)->state;
    return plc_load_relaxed(state) == NOTIFIED; /* relaxed: the caller takes the permit with an acquire */
}

static void spin(struct plc_spin_habit *habit, const plc_parker_t *parker) {
    habit->is_sampled = false;
    if (plc_spin_habit_may_spin(habit))
        plc_spin_habit_learn(habit, plc_spin_until(has_permit, parker),
                             habit->was_here ? PLC_PARKER_MAX_SKIPS_HERE : PLC_PARKER_MAX_SKIPS);
}

/* Takes the permit, or announces that the owner is about to sleep. */
static bool take_or_announce(plc_parker_t *parker) {
    uint32_t state = EMPTY;
    if (plc_cas_relaxed(&parker->state, &state, (uint32_t)PARKED)) /* relaxed: publishes nothing */
        return false;
    if (state == PARKED)
        plc_os_fatal("parker", parker, "park while another thread is parked on it");
    if (state != NOTIFIED)
        plc_os_fatal("parker", parker, "park on memory that does not hold a parker, or was overwritten");
    plc_exchange_acquire(&parker->state, (uint32_t)EMPTY); /* acquire [A1]: of a later unpark than the CAS saw, too */
    return true;
}

static bool sleep_for_permit(plc_parker_t *parker, plc_deadline_t deadline) {
    for (;;) {
        bool in_time = plc_word_wait(&parker->state, PARKED, deadline);
        if (plc_parker_try_park(parker))
            return true;
        if (!in_time) /* a permit that came last is taken: acquire [A1] */
            return plc_exchange_acquire(&parker->state, (uint32_t)EMPTY) == NOTIFIED;
    }
}

bool plc_parker_park_slow_(plc_parker_t *parker, plc_deadline_t deadline) {
    struct plc_spin_habit *habit = &plc_thread_self()->spin_habit;
    spin(habit, parker);
    if (take_or_announce(parker))
        return true;
    bool taken = sleep_for_permit(parker, deadline);
    if (PLC_UNLIKELY(habit->is_sampled) && taken)
        plc_spin_habit_learn_waker(habit, plc_spin_waker_was_here(&parker->state));
    return taken;
}

void plc_parker_wake_(plc_parker_t *parker) {
    plc_spin_tell_waker(&parker->state); /* uses its address alone, as the wake does */
    plc_word_wake_one(&parker->state);
}
