/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Getting a reader-writer lock when the inline attempt has failed: spinning, queueing, draining the readers. */
#include "sync/rwlock.h"

#include "parking_lot/queue.h"
#include "platform/platform.h"
#include "platform/spin.h"

/* The word, its legal values and the invariants I1 to I7 are in docs/design/rwlock.md:
 *   [F readers | H | W | U | D | Q]    F full   H an heir is on its way   W writer   U upgradable
 *                                      D the draining writer is queued   Q who gives up W or U must look into the queue
 *
 * Memory order (with rwlock_release.c and the inlines). Every change of the word is a read-modify-write, so a release
 * stays visible through all later changes, and one acquire sees them all.
 *   [R1] giving up W or U, release -> gaining any mode, acquire: the sections of writers and upgradable holders.
 *   [R2] read unlock, release -> the writer's acquire that finds no readers: what they read, before it is overwritten.
 *   A hand-over needs no edge of its own: the parker's [P1] orders it, and a writer passes through drain() anyway.
 *   Q, D and H carry no data: they are relaxed, and what is decided by them is decided under a bucket lock. */

struct waiter {
    plc_rwlock_t *lock;
    enum plc_rwlock_mode_ mode;
    bool is_heir;  /* it was woken to write or upgradably, and H stands for it (I2) */
    int64_t since; /* when it was first woken; never before that */
};

/* Does the word keep this mode out? */
static bool is_kept_out(uintptr_t state, enum plc_rwlock_mode_ mode) {
    switch (mode) {
    case PLC_RWLOCK_READ_:
        return (state & WRITER) != 0;
    case PLC_RWLOCK_RECURSIVE_READ_:
        return (state & (WRITER | READERS)) == WRITER;
    case PLC_RWLOCK_UPGRADABLE_MODE_:
    case PLC_RWLOCK_WRITE_:
        break;
    }
    return (state & (WRITER | UPGRADABLE)) != 0;
}

/* What a holder in this mode adds to the word; this is also its park token. */
static uintptr_t share_of(enum plc_rwlock_mode_ mode) {
    switch (mode) {
    case PLC_RWLOCK_READ_:
    case PLC_RWLOCK_RECURSIVE_READ_:
        return READER;
    case PLC_RWLOCK_UPGRADABLE_MODE_:
        return UPGRADABLE_READER;
    case PLC_RWLOCK_WRITE_:
        break;
    }
    return WRITER;
}

enum outcome { TAKEN, KEPT_OUT, TOO_MANY_READERS };

/* The heir's bit becomes Q: whoever has W or U then looks into the queue when it gives up (I2). */
static uintptr_t without_heir(const struct waiter *waiter, uintptr_t state) {
    return waiter->is_heir ? (state & ~(uintptr_t)HEIR) | PARKED : state;
}

/* Takes the mode's share of the word if nothing keeps it out. Upgradable holders are let in even if there is no room
   for readers: there is only one of them, and a woken one must not be refused (I3). */
static enum outcome try_take(const struct waiter *waiter) {
    uintptr_t share = share_of(waiter->mode);
    uintptr_t state = plc_load_relaxed(&waiter->lock->state); /* relaxed: the exchange checks it */
    while (!is_kept_out(state, waiter->mode)) {
        if (PLC_UNLIKELY(share == READER && (state & FULL)))
            return TOO_MANY_READERS;
        /* acquire [R1] */
        if (plc_cas_acquire_weak(&waiter->lock->state, &state, without_heir(waiter, state) + share))
            return TAKEN;
    }
    return KEPT_OUT;
}

/* ---- The queue of those who are kept out */

/* Is anybody queued? The bucket is locked. */
static bool somebody_is_queued(const plc_rwlock_t *lock) {
    struct plc_waiter *previous = NULL;
    return plc_queue_find(plc_bucket_locked(lock)->head, plc_rwlock_key(lock), &previous) != NULL;
}

/* The word that has the queue looked after once this waiter is in it. An heir that is on its way will see to that; but
   H is believed only if there is a queue, for an heir does not outlive a fork (I2). */
static uintptr_t with_queue(const struct waiter *waiter, uintptr_t state) {
    state = without_heir(waiter, state);
    return (state & HEIR) && somebody_is_queued(waiter->lock) ? state : state | PARKED;
}

/* Has the queue looked after, unless the lock lets this mode in by now. Runs under the bucket lock (I1). */
static bool validate(void *context) {
    struct waiter *waiter = context;
    uintptr_t state = plc_load_relaxed(&waiter->lock->state); /* relaxed: the exchange checks it, or see I2 */
    while (is_kept_out(state, waiter->mode)) {
        uintptr_t queued = with_queue(waiter, state);
        /* relaxed: Q and H carry no data */
        if (queued == state || plc_cas_relaxed_weak(&waiter->lock->state, &state, queued)) {
            waiter->is_heir = false;
            return true;
        }
    }
    return false;
}

/* The deadline has passed; runs under the bucket lock. */
static void timed_out(void *context, const void *key, bool was_last) {
    const struct waiter *waiter = context;
    (void)key;
    if (was_last)
        plc_fetch_and_relaxed(&waiter->lock->state, ~(uintptr_t)PARKED); /* relaxed: Q carries no data (I1) */
}

/* The waiter was woken, but not handed the lock: if it is beaten to it, it queues in front, and is overtaken for half a
   millisecond at most from now on. */
static void was_woken(struct waiter *waiter, struct plc_park_ops *ops, uintptr_t token) {
    waiter->is_heir = token == PLC_RWLOCK_TOKEN_HEIR && share_of(waiter->mode) != READER;
    if (!ops->flags) {
        ops->flags = PLC_PARK_AT_FRONT;
        waiter->since = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    }
}

/* Takes the mode's share of the word, by force of waiting. TAKEN, KEPT_OUT when the deadline passed, or
   TOO_MANY_READERS. */
static enum outcome take(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode, plc_deadline_t deadline) {
    struct waiter waiter = {lock, mode, false, INT64_MAX};
    struct plc_park_ops ops = {.validate = validate, .timed_out = timed_out};
    struct plc_spin spin;
    plc_spin_init(&spin);
    for (;;) {
        enum outcome outcome = try_take(&waiter);
        if (outcome != KEPT_OUT)
            return outcome;
        if (plc_spin_once(&spin))
            continue;
        struct plc_park_result result =
            plc_lot_park(plc_rwlock_key(lock), &ops, &waiter, share_of(mode), deadline, &waiter.since);
        if (result.status == PLC_PARK_TIMED_OUT)
            return KEPT_OUT;
        if (result.status == PLC_PARK_UNPARKED) {
            if (result.token == PLC_RWLOCK_TOKEN_HANDOFF)
                return TAKEN;
            was_woken(&waiter, &ops, result.token);
        }
        plc_spin_init(&spin);
    }
}

/* ---- The queue of the writer that drains */

/* Sets D, unless the readers have left by now. Runs under the bucket lock (I4). */
static bool validate_drain(void *context) {
    plc_rwlock_t *lock = context;
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it; drain() acquires */
    while (state & READERS) {
        /* relaxed: D carries no data, and is cleared only under this bucket lock (I4) */
        if ((state & WRITER_PARKED) || plc_cas_relaxed_weak(&lock->state, &state, state | WRITER_PARKED))
            return true;
    }
    return false;
}

/* The writer's deadline has passed; runs under the bucket lock. */
static void drain_timed_out(void *context, const void *key, bool was_last) {
    plc_rwlock_t *lock = context;
    (void)key;
    (void)was_last;                                                 /* nobody else queues here (I4, I7) */
    plc_fetch_and_relaxed(&lock->state, ~(uintptr_t)WRITER_PARKED); /* relaxed: D carries no data (I4) */
}

/* Have the readers left? Then they do not come back (I5). */
static bool is_drained(const plc_rwlock_t *lock) {
    return !(plc_load_acquire(&lock->state) & READERS); /* acquire [R1] [R2] */
}

/* The caller has W: waits for the readers to leave. If the deadline passes first, gives W up and keeps `keep`. */
static bool drain(plc_rwlock_t *lock, plc_deadline_t deadline, uintptr_t keep) {
    static const struct plc_park_ops ops = {.validate = validate_drain, .timed_out = drain_timed_out};
    struct plc_spin spin;
    plc_spin_init(&spin);
    while (!is_drained(lock)) {
        if (plc_spin_once(&spin))
            continue;
        struct plc_park_result result = plc_lot_park(plc_rwlock_drain_key(lock), &ops, lock, 0, deadline, NULL);
        if (result.status == PLC_PARK_TIMED_OUT && !is_drained(lock)) {
            plc_rwlock_release(lock, WRITER, keep, false);
            return false;
        }
        plc_spin_init(&spin);
    }
    return true;
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
    struct waiter waiter = {lock, PLC_RWLOCK_RECURSIVE_READ_, false, 0};
    return try_take(&waiter) == TAKEN;
}

bool plc_rwlock_upgrade_slow_(plc_rwlock_t *lock, plc_deadline_t deadline) {
    /* One step from U to W, so that no other writer comes between. relaxed: drain() acquires [R2] */
    uintptr_t old = plc_fetch_add_relaxed(&lock->state, (uintptr_t)WRITER - UPGRADABLE_READER);
    if (PLC_UNLIKELY(!(old & UPGRADABLE)))
        plc_os_fatal("rwlock", lock, "upgrade of a lock that nobody holds upgradably");
    return drain(lock, deadline, UPGRADABLE_READER);
}
