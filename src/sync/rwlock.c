/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Getting a reader-writer lock when the inline attempt has failed: spinning, queueing, draining the readers. */
#include "sync/rwlock.h"

#include "parking_lot/undo.h"
#include "platform/platform.h"
#include "platform/spin.h"

/* The word, its legal values, the waiters and the invariants I1 to I9 are in docs/design/rwlock.md:
 *   [F readers | E | H | W | U | D | Q]    F full   E a reader spins   H the first in the queue naps   W writer
 *                                          U upgradable   D the draining writer sleeps
 *                                          Q who gives up W or U must look into the queue
 *
 * Memory order (with rwlock_queue.c, rwlock_release.c and the inlines)
 *   Every change of the word is a read-modify-write, so a release stays visible through all later changes, and one
 *   acquire sees them all.
 *   [R1] giving up W or U, release -> gaining any mode, acquire: the sections of writers and upgradable holders.
 *   [R2] read unlock, release -> the writer's acquire that finds no readers: what they read, before it is overwritten.
 *   A hand-over needs no edge of its own: the parker's [P1] orders it, or the bucket lock's [W1] where the waiter
 *   finds it by itself, and a writer passes through drain() anyway.
 *   Q, D and H carry no data: they are relaxed, and what is decided by them is decided under a bucket lock. E is a hint. */

/* For debuggers, as plc_debug_layout_lot_ is (parking_lot/bucket_table.c): the bits of the word, which are the waiters'
   tokens, too. */
struct rwlock_layout {
    size_t version, upgradable, writer, reader;
};
PLC_API extern const struct rwlock_layout plc_debug_layout_rwlock_;
const struct rwlock_layout plc_debug_layout_rwlock_ = {1, UPGRADABLE, WRITER, READER};

/* ---- Readers that meet
 *
 * Two readers keep each other out of nothing but the word's cache line, and that is enough: while it goes to and fro, a lock and
 * unlock take 75 ns instead of 12. So a reader whose exchange fails although nothing keeps it out, which only others' changes
 * of the word can do, stands aside for a while, in which the others get a hundred locks done, and then they for it. A writer
 * goes on trying: as soon as it has set W it is the readers who wait. */

static void stand_aside(unsigned *pauses) {
    for (unsigned i = 0; i < *pauses; i++)
        plc_cpu_relax();
    if (*pauses < PLC_RWLOCK_ASIDE_MOST_PAUSES)
        *pauses *= 2;
}

/* Adds the mode's share to the word unless that keeps it out, whoever is queued: Q and H stay as they are. Whoever gets
   in takes E away: who still spins sets it again. How long a reader stands aside is remembered in *aside. */
static enum plc_rwlock_outcome barge_aside(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode, unsigned *aside) {
    const uintptr_t share = plc_rwlock_share_of(mode);
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it */
    for (unsigned failures = 1; !plc_rwlock_keeps_out(state, mode); failures++) {
        if (PLC_UNLIKELY(plc_rwlock_is_full_for(state, share)))
            return TOO_MANY_READERS;
        if (plc_cas_acquire_weak(&lock->state, &state, (state & ~(uintptr_t)EAGER) + share)) /* acquire [R1] */
            return TAKEN;
        /* The first failure may be due to what was known of the word being old, as it is after each time aside. */
        if (share == READER && failures % 2 == 0)
            stand_aside(aside);
    }
    return KEPT_OUT;
}

static enum plc_rwlock_outcome barge(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode) {
    unsigned aside = PLC_RWLOCK_ASIDE_PAUSES;
    return barge_aside(lock, mode, &aside);
}

/* The same for a thread whose inline attempts have failed: if nothing keeps it out it has met others already. */
static enum plc_rwlock_outcome barge_again(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode) {
    unsigned aside = PLC_RWLOCK_ASIDE_PAUSES;
    /* relaxed: a hint */
    if (plc_rwlock_share_of(mode) == READER && !plc_rwlock_keeps_out(plc_load_relaxed(&lock->state), mode))
        stand_aside(&aside);
    return barge_aside(lock, mode, &aside);
}

/* ---- Readers that spin
 *
 * A writer that unlocks and locks again at once leaves the word free for some 20 ns: a reader that looks now and then
 * never sees it, and among many writers it would read once in all their slices. So a reader that spins sets E, and a writer
 * that finds the lock free but for E, as it does in its fast path, waits for a moment until a reader is in. E is only a
 * hint: it costs a writer that moment if the reader has lost its processor, and writers in the queue ignore it. */

static void give_way(const plc_rwlock_t *lock) {
    for (unsigned looks = 0; looks < PLC_RWLOCK_GIVE_WAY_LOOKS; looks++) {
        /* relaxed: a hint */
        if ((plc_load_relaxed(&lock->state) & ~(uintptr_t)QUEUE_BITS) != EAGER)
            return;
        for (unsigned i = 0; i < PLC_RWLOCK_EAGER_PAUSES; i++)
            plc_cpu_relax();
    }
}

/* Looks so many times, and sets E. */
static enum plc_rwlock_outcome read_eagerly(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode, unsigned looks,
                                            bool *has_set) {
    enum plc_rwlock_outcome outcome = KEPT_OUT;
    for (unsigned i = 0; outcome == KEPT_OUT && i < looks; i++) {
        uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: looked at again */
        if (!plc_rwlock_keeps_out(state, mode))
            outcome = barge(lock, mode);
        else if (!(state & EAGER) && plc_cas_relaxed_weak(&lock->state, &state, state | EAGER)) /* relaxed: a hint */
            *has_set = true;
        for (unsigned j = 0; j < PLC_RWLOCK_EAGER_PAUSES; j++)
            plc_cpu_relax();
    }
    return outcome;
}

/* Looks late at first, then often: the first look, if it comes early, disturbs who is busy with short sections. */
static bool spin_once(struct plc_spin *spin) {
    return plc_spin_once_evenly(spin, spin->rounds == 0 ? PLC_RWLOCK_SPIN_FIRST_PAUSES : PLC_RWLOCK_SPIN_PAUSES,
                                PLC_RWLOCK_SPIN_ROUNDS);
}

/* The first rounds are those of the others: most get in by then. */
static enum plc_rwlock_outcome spin_and_read(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode) {
    enum plc_rwlock_outcome outcome = KEPT_OUT;
    bool has_set = false;
    struct plc_spin spin;
    plc_spin_init(&spin);
    while (outcome == KEPT_OUT && spin_once(&spin)) {
        if (spin.rounds < PLC_RWLOCK_SPIN_ROUNDS)
            outcome = barge(lock, mode);
        else
            outcome = read_eagerly(lock, mode, PLC_RWLOCK_EAGER_LOOKS, &has_set);
    }
    if (has_set && outcome != TAKEN)
        plc_fetch_and_relaxed(&lock->state, ~(uintptr_t)EAGER); /* relaxed: a hint */
    return outcome;
}

/* ---- The others */

/* Spins whether or not somebody is queued: the queue's turn comes by slices of time. */
static enum plc_rwlock_outcome spin_and_barge(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode) {
    enum plc_rwlock_outcome outcome = KEPT_OUT;
    struct plc_spin spin;
    if (plc_rwlock_share_of(mode) == READER)
        return spin_and_read(lock, mode);
    plc_spin_init(&spin);
    while (outcome == KEPT_OUT && spin_once(&spin))
        outcome = barge(lock, mode);
    return outcome;
}

/* Takes the mode's share of the word, by force of waiting. TAKEN, KEPT_OUT when the deadline passed, or
   TOO_MANY_READERS. */
static enum plc_rwlock_outcome take(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode, plc_deadline_t deadline) {
    struct plc_thread *self = plc_thread_self();
    if (mode == PLC_RWLOCK_WRITE_)
        give_way(lock);
    enum plc_rwlock_outcome outcome = barge_again(lock, mode);
    /* A thread that has just handed the lock over lets others have it: it would only steal it back. */
    if (outcome == KEPT_OUT && self->handed_over != lock)
        outcome = spin_and_barge(lock, mode);
    if (outcome != KEPT_OUT)
        return outcome;
    if (self->handed_over == lock)
        self->handed_over = NULL;
    return plc_rwlock_queue_up(lock, mode, deadline);
}

/* ---- The queue of the writer that drains */

/* Sets D, unless the readers have left by now. Runs under the bucket lock (I5). */
static bool validate_drain(void *context) {
    plc_rwlock_t *lock = context;
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it; drain() acquires */
    while (state & READERS) {
        /* relaxed: D carries no data, and is cleared only under this bucket lock (I5) */
        if ((state & WRITER_PARKED) || plc_cas_relaxed_weak(&lock->state, &state, state | WRITER_PARKED))
            return true;
    }
    return false;
}

/* The writer's deadline has passed; runs under the bucket lock. */
static void drain_timed_out(void *context, const void *key, bool was_last) {
    plc_rwlock_t *lock = context;
    (void)key;
    if (was_last) /* no task waits for the readers, and no other writer does (I5, I8) */
        plc_fetch_and_relaxed(&lock->state, ~(uintptr_t)WRITER_PARKED); /* relaxed: D carries no data (I5) */
}

/* Have the readers left? Then they do not come back (I6). */
static bool is_drained(const plc_rwlock_t *lock) {
    return !(plc_load_acquire(&lock->state) & READERS); /* acquire [R1] [R2] */
}

/* A writer that waits for the readers to leave. */
struct drainage {
    struct plc_undo undo;
    plc_rwlock_t *lock;
    uintptr_t keep; /* what it has instead of W if it gives up */
};

/* It was torn out of its wait. */
static void give_up_draining(struct plc_undo *undo) {
    const struct drainage *drainage = (const struct drainage *)(const void *)undo;
    plc_rwlock_release(drainage->lock, WRITER, drainage->keep, false);
}

static void unwind(struct drainage *drainage) {
    plc_undo_unwind(&drainage->undo);
}

/* Looks soon at first, for a reader of a short section. */
static unsigned drain_pauses(const struct plc_spin *spin) {
    unsigned pauses = (unsigned)PLC_RWLOCK_DRAIN_FIRST_PAUSES << spin->rounds;
    return pauses < PLC_RWLOCK_DRAIN_PAUSES ? pauses : PLC_RWLOCK_DRAIN_PAUSES;
}

bool plc_rwlock_drain_awake_(const plc_rwlock_t *lock) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    while (!is_drained(lock)) {
        if (spin.rounds >= PLC_RWLOCK_DRAIN_ROUNDS + PLC_RWLOCK_POLL_YIELDS)
            return false;
        plc_spin_once_evenly(&spin, drain_pauses(&spin), PLC_RWLOCK_DRAIN_ROUNDS);
    }
    return true;
}

/* Not inlined: all of it is within the clean-up of its caller (parking_lot/undo.h). */
static __attribute__((noinline)) bool drain_within(plc_rwlock_t *lock, plc_deadline_t deadline) {
    static const struct plc_park_ops ops = {
        .validate = validate_drain, .timed_out = drain_timed_out, .flags = PLC_PARK_CANCELLABLE};
    struct plc_spin spin;
    plc_spin_init(&spin);
    while (!is_drained(lock)) {
        if (plc_spin_once_evenly(&spin, drain_pauses(&spin), PLC_RWLOCK_DRAIN_ROUNDS))
            continue;
        struct plc_park_result result = plc_lot_park(plc_rwlock_drain_key(lock), &ops, lock, 0, deadline);
        if (result.status == PLC_PARK_TIMED_OUT && !is_drained(lock))
            return false;
        plc_spin_init(&spin);
    }
    return true;
}

/* The caller has W: waits for the readers to leave. If the deadline passes first, gives W up and keeps `keep`. */
static bool drain(plc_rwlock_t *lock, plc_deadline_t deadline, uintptr_t keep) {
    if (is_drained(lock))
        return true;
    __attribute__((cleanup(unwind))) struct drainage drainage = {.lock = lock, .keep = keep};
    plc_undo_push(&drainage.undo, give_up_draining);
    bool drained = drain_within(lock, deadline);
    plc_undo_pop(&drainage.undo);
    if (!drained)
        plc_rwlock_release(lock, WRITER, keep, false);
    return drained;
}

/* ---- Entry points of the inlines */

void plc_rwlock_lock_slow_(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode) {
    if (take(lock, mode, PLC_NO_DEADLINE) == TOO_MANY_READERS)
        plc_os_fatal("rwlock", lock, "read lock: there are too many readers");
    if (mode == PLC_RWLOCK_WRITE_)
        drain(lock, PLC_NO_DEADLINE, 0);
}

bool plc_rwlock_lock_until_slow_(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode, plc_deadline_t deadline) {
    if (take(lock, mode, deadline) != TAKEN)
        return false;
    return mode != PLC_RWLOCK_WRITE_ || drain(lock, deadline, 0);
}

bool plc_rwlock_try_recursive_read_lock_slow_(plc_rwlock_t *lock) {
    return barge(lock, PLC_RWLOCK_RECURSIVE_READ_) == TAKEN;
}

bool plc_rwlock_upgrade_slow_(plc_rwlock_t *lock, plc_deadline_t deadline) {
    /* One step from U to W, so that no other writer comes between. relaxed: drain() acquires [R2] */
    uintptr_t old = plc_fetch_add_relaxed(&lock->state, (uintptr_t)WRITER - UPGRADABLE_READER);
    if (PLC_UNLIKELY(!(old & UPGRADABLE)))
        plc_os_fatal("rwlock", lock, "upgrade of a lock that nobody holds upgradably");
    return drain(lock, deadline, UPGRADABLE_READER);
}
