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
 *   [P2] a waker's addition-release to a shared word, after its exchange -> the load-acquire of that word by a thread that
 *        is going to sleep there, before the look at its own: who has read the new number finds itself signalled, and the
 *        kernel does not let anybody sleep on an old one.
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
    parker->had_company = false;
    parker->place = 0;
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

static unsigned max_skips(bool from_here) {
    return from_here ? PLC_PARKER_MAX_SKIPS_HERE : PLC_PARKER_MAX_SKIPS;
}

static bool spin(struct plc_thread_parker *parker) {
    parker->habit.is_sampled = false;
    if (is_signalled(parker))
        return true;
    if (!parker->may_spin || !plc_spin_habit_may_spin(&parker->habit))
        return false;
    bool signalled = plc_spin_until(is_signalled_at, parker);
    /* One on this very processor ran only because the scheduler took it from us: sleeping would have been faster. In vain:
       the waker of the wait before is the best guess. */
    bool from_here = signalled ? waker_was_here(parker) : parker->last_was_here;
    /* The limit is higher where the wakers run on our own processor: there only the scheduler can make spinning pay again. */
    plc_spin_habit_learn(&parker->habit, signalled && !from_here, max_skips(from_here));
    return signalled;
}

/* ---- Where to sleep
 *
 * A wake is a system call for each word that somebody sleeps on. One who sleeps alone does so on the parker's own word.
 * One that has a place sleeps on a word that it shares with 31 other places: it names its own bit, and one call wakes all
 * whose bits it names. The shared word is a number that each wake changes first. Two threads may have the same bit: who is
 * woken in vain sleeps again. */

enum { PLACES_PER_WORD = 32 };
static uint32_t shared_words[PLC_PARKER_SHARED_WORDS];

struct bed {
    uint32_t *word;
    uint32_t bits; /* 0: the word is the parker's own */
};

static struct bed bed_of(struct plc_thread_parker *parker) {
    if (!parker->place)
        return (struct bed){&parker->word, 0};
    return (struct bed){&shared_words[parker->place / PLACES_PER_WORD % PLC_PARKER_SHARED_WORDS],
                        UINT32_C(1) << parker->place % PLACES_PER_WORD};
}

void plc_thread_parker_sleep_at(struct plc_thread_parker *parker, uint32_t place) {
    parker->place = place;
}

bool plc_thread_parker_had_company(const struct plc_thread_parker *parker) {
    return parker->had_company;
}

/* What the word must not differ from while its owner sleeps. Before the look at the parker's own word. */
static uint32_t number_of(struct bed bed) {
    return bed.bits ? plc_load_acquire(bed.word) : ASLEEP; /* acquire [P2] */
}

static bool lie_in(struct bed bed, uint32_t number, plc_deadline_t deadline) {
    return bed.bits ? plc_os_futex_wait_bits(bed.word, number, bed.bits, deadline)
                    : plc_os_futex_wait(bed.word, number, deadline);
}

/* ---- Sleeping */

void plc_thread_parker_fall_asleep(struct plc_thread_parker *parker) {
    uint32_t state = AWAKE;
    plc_cas_relaxed(&parker->word, &state, ASLEEP); /* relaxed: park looks again */
}

/* Inlined, as the next one: see nap in parking_lot/park.c. */
__attribute__((always_inline)) static inline bool sleep_until(struct plc_thread_parker *parker, plc_deadline_t deadline,
                                                              const struct plc_sleep_hooks *hooks) {
    const struct bed bed = bed_of(parker);
    uint32_t number = number_of(bed);
    uint32_t state = AWAKE;
    /* ASLEEP already if an earlier park of this wait ran out of time. */
    if (!plc_cas_acquire_or_acquire(&parker->word, &state, ASLEEP) && state == SIGNALLED) /* acquire [P1] */
        return true;
    do {
        if (hooks)
            hooks->begin(hooks->context);
        bool in_time = lie_in(bed, number, deadline);
        if (hooks)
            hooks->end(hooks->context);
        number = number_of(bed);
        if (is_signalled(parker))
            return true;
        if (!in_time)
            return false;
    } while (true);
}

/* Of those who are woken together all but a few wait for a processor then. */
static bool is_long(const struct plc_thread_parker *parker, bool signalled, int64_t ns) {
    return ns >= (signalled && parker->had_company ? PLC_SPIN_LONG_IN_COMPANY_NS : PLC_SPIN_LONG_WAIT_NS);
}

/* Does it share its processor with its wakers? It takes several spins in vain, and two wakes: of many threads that take turns on
   two processors, some are woken from their own now and then. */
static bool wakers_are_here(const struct plc_thread_parker *parker) {
    return parker->habit.skips >= PLC_SPIN_HERE_SKIPS && parker->last_was_here && waker_was_here(parker);
}

/* A wait that slept at once, and was the last to do so, costs little to look at: if it was long, or ended by one of the wakers
   on our own processor, a spin now would be in vain. Whoever is idle, or is woken there, would else spin for nothing again
   and again. */
__attribute__((always_inline)) static inline bool
sleep_and_learn(struct plc_thread_parker *parker, plc_deadline_t deadline, const struct plc_sleep_hooks *hooks) {
    if (PLC_LIKELY(!parker->habit.is_sampled))
        return sleep_until(parker, deadline, hooks);
    int64_t start = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    bool signalled = sleep_until(parker, deadline, hooks);
    bool from_here = signalled && wakers_are_here(parker);
    if (from_here || is_long(parker, signalled, plc_os_now_ns(PLC_CLOCK_MONOTONIC) - start))
        plc_spin_habit_skip_more(&parker->habit, max_skips(from_here));
    return signalled;
}

PLC_INLINED_BY_LTO void plc_thread_parker_park(struct plc_thread_parker *parker, const struct plc_sleep_hooks *hooks) {
    if (!spin(parker))
        sleep_and_learn(parker, PLC_NO_DEADLINE, hooks);
    parker->last_was_here = waker_was_here(parker);
}

bool plc_thread_parker_park_until(struct plc_thread_parker *parker, plc_deadline_t deadline,
                                  const struct plc_sleep_hooks *hooks) {
    if (plc_deadline_has_passed(deadline))
        return is_signalled(parker);
    bool signalled = spin(parker) || sleep_and_learn(parker, deadline, hooks);
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

/* ---- Waking */

/* Lets the owner go; returns whether it must be woken, and in *bed where it sleeps. */
static bool let_go(struct plc_thread_parker *parker, bool with_others, struct bed *bed) {
    *bed = bed_of(parker);
    parker->waker_processor = plc_os_processor();
    parker->had_company = with_others;
    return plc_exchange_release(&parker->word, SIGNALLED) == ASLEEP; /* release [P1]; the last access */
}

static void wake(struct bed bed) {
    uint32_t *word = bed.word;
    if (!bed.bits) {
        plc_os_futex_wake(word, 1);
    } else {
        plc_fetch_add_release(word, 1u); /* release [P2] */
        plc_os_futex_wake_bits(word, bed.bits);
    }
}

void plc_thread_parker_unpark(struct plc_thread_parker *parker) {
    struct bed bed;
    if (let_go(parker, false, &bed))
        wake(bed);
}

static void add_to_batch(struct plc_wake_batch *batch, struct bed bed) {
    unsigned at = 0;
    while (at < batch->count && batch->words[at].word != bed.word)
        at++;
    if (at == PLC_WAKE_BATCH_WORDS) {
        plc_wake_batch_finish(batch);
        at = 0;
    }
    if (at == batch->count) {
        batch->words[at].word = bed.word;
        batch->words[at].bits = 0;
        batch->count++;
    }
    batch->words[at].bits |= bed.bits;
}

void plc_thread_parker_unpark_with_others(struct plc_thread_parker *parker, struct plc_wake_batch *batch) {
    struct bed bed;
    if (!let_go(parker, true, &bed))
        return;
    if (bed.bits)
        add_to_batch(batch, bed);
    else
        wake(bed);
}

void plc_wake_batch_finish(struct plc_wake_batch *batch) {
    for (unsigned at = 0; at < batch->count; at++)
        wake((struct bed){batch->words[at].word, batch->words[at].bits});
    batch->count = 0;
}
