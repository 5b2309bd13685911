/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The thread parker on a futex: spins a little if that has paid lately, then sleeps; only a sleeper costs a system call. */
#include <plc/detail/atomic.h>

#include "platform/platform.h"
#include "platform/tuning.h"
#include "thread_parker/spin_habit.h"
#include "thread_parker/thread_parker.h"

/* parker->word
 *
 *   value      meaning                                  left by
 *   SIGNALLED  unparked, or no wait in progress         prepare_park (owner)
 *   AWAKE      waiting, the owner is running            owner: CAS to ASLEEP; waker: exchange to SIGNALLED
 *   ASLEEP     waiting, the owner sleeps or is about to waker: exchange to SIGNALLED, then a wake
 *
 * Memory order
 *   [P1] unpark's exchange-release -> the owner's load-acquire of SIGNALLED (or its failed CAS, acquire).
 *        The exchange is the waker's last access to the parker; the wake that may follow uses only the address.
 *   A time-out leaves the word as it is: nobody will unpark this wait, or the next park sees ASLEEP and sleeps again. */
enum parker_state {
    SIGNALLED = 0,
    AWAKE = 1,
    ASLEEP = 2,
};

void plc_thread_parker_init(struct plc_thread_parker *parker) {
    parker->word = SIGNALLED;
    parker->waker_processor = PLC_OS_UNKNOWN_PROCESSOR;
    parker->habit = (struct plc_spin_habit){0};
    parker->may_spin = false;
    parker->last_was_here = false;
}

void plc_thread_parker_destroy(struct plc_thread_parker *parker) {
    (void)parker;
}

void plc_thread_parker_prepare_park(struct plc_thread_parker *parker, bool may_spin) {
    parker->may_spin = may_spin;
    plc_store_relaxed(&parker->word, AWAKE); /* relaxed: the queue lock publishes it */
}

static bool is_signalled(const struct plc_thread_parker *parker) {
    return plc_load_acquire(&parker->word) == SIGNALLED; /* acquire [P1] */
}

/* ---- Spinning before the sleep: worth it if the waker runs on another processor and comes within one wake-up's time.
 */

/* Once signalled. A waker on our own processor runs only when we do not. */
static bool waker_was_here(const struct plc_thread_parker *parker) {
    return parker->waker_processor != PLC_OS_UNKNOWN_PROCESSOR && parker->waker_processor == plc_os_processor();
}

static bool is_signalled_at(const void *parker) {
    return is_signalled(parker);
}

static bool spin(struct plc_thread_parker *parker) {
    if (is_signalled(parker))
        return true;
    if (!parker->may_spin || !plc_spin_habit_may_spin(&parker->habit))
        return false;
    bool signalled = plc_spin_until(is_signalled_at, parker);
    /* One on this very processor ran only because the scheduler took it from us: sleeping would have been faster. In vain:
       the waker of the wait before is the best guess. */
    bool from_here = signalled ? waker_was_here(parker) : parker->last_was_here;
    /* The limit is higher where the wakers run on our own processor: there only the scheduler can make spinning pay again. */
    plc_spin_habit_learn(&parker->habit, signalled && !from_here,
                         from_here ? PLC_PARKER_MAX_SKIPS_HERE : PLC_PARKER_MAX_SKIPS);
    return signalled;
}

/* ---- Sleeping */

static bool sleep_until(struct plc_thread_parker *parker, plc_deadline_t deadline,
                        const struct plc_sleep_hooks *hooks) {
    uint32_t state = AWAKE;
    /* ASLEEP already if an earlier park of this wait ran out of time. */
    if (!plc_cas_acquire_or_acquire(&parker->word, &state, ASLEEP) && state == SIGNALLED) /* acquire [P1] */
        return true;
    do {
        if (hooks)
            hooks->begin(hooks->context);
        bool in_time = plc_os_futex_wait(&parker->word, ASLEEP, deadline);
        if (hooks)
            hooks->end(hooks->context);
        if (is_signalled(parker))
            return true;
        if (!in_time)
            return false;
    } while (true);
}

void plc_thread_parker_park(struct plc_thread_parker *parker, const struct plc_sleep_hooks *hooks) {
    if (!spin(parker))
        sleep_until(parker, PLC_NO_DEADLINE, hooks);
    parker->last_was_here = waker_was_here(parker);
}

bool plc_thread_parker_park_until(struct plc_thread_parker *parker, plc_deadline_t deadline,
                                  const struct plc_sleep_hooks *hooks) {
    if (plc_deadline_has_passed(deadline))
        return is_signalled(parker);
    bool signalled = spin(parker) || sleep_until(parker, deadline, hooks);
    if (signalled)
        parker->last_was_here = waker_was_here(parker);
    return signalled;
}

bool plc_thread_parker_timed_out(struct plc_thread_parker *parker) {
    /* relaxed: under the queue lock, and nobody unparks us any more */
    return plc_load_relaxed(&parker->word) != SIGNALLED;
}

bool plc_thread_parker_is_awake(const struct plc_thread_parker *parker) {
    return plc_load_relaxed(&parker->word) == AWAKE; /* relaxed: a guess; the exchange of unpark finds out */
}

void plc_thread_parker_unpark_lock(struct plc_thread_parker *parker) {
    (void)parker; /* the owner waits for our exchange, and the wake needs only the address */
}

void plc_thread_parker_unpark(struct plc_thread_parker *parker) {
    uint32_t *word = &parker->word;
    parker->waker_processor = plc_os_processor();
    if (plc_exchange_release(word, SIGNALLED) == ASLEEP) /* release [P1]; the last access */
        plc_os_futex_wake(word, 1);
}
