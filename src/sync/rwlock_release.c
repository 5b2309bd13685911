/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Giving up a reader-writer lock when others may wait for it: whom to wake, and whether to hand over. */
#include "platform/platform.h"
#include "sync/rwlock.h"

/* Invariants I1 to I7: docs/design/rwlock.md. Memory order: sync/rwlock.c. */

struct release {
    plc_rwlock_t *lock;
    uintptr_t drop;    /* what the caller gives up */
    uintptr_t keep;    /* what it has from now on */
    uintptr_t granted; /* what those that are woken would add to the word, together */
    bool fair;         /* hand over, however short they have waited */
};

/* Chooses whom to wake: all readers up to the first writer that is woken, and one writer or upgradable (I2). Runs under
   the bucket lock, oldest waiter first; `wanted` is its share of the word. */
static enum plc_filter_op choose(void *context, uintptr_t wanted) {
    struct release *release = context;
    uintptr_t taken = release->keep | release->granted;
    if (taken & WRITER)
        return PLC_FILTER_STOP;
    if ((taken & UPGRADABLE) && (wanted & (WRITER | UPGRADABLE)))
        return PLC_FILTER_SKIP;
    release->granted += wanted;
    return PLC_FILTER_UNPARK;
}

/* What those that are woken are told. */
static enum plc_rwlock_token token_for(const struct release *release, struct plc_unpark_result result) {
    if (result.unparked && (release->fair || result.be_fair))
        return PLC_RWLOCK_TOKEN_HANDOFF;
    if (result.have_more && (release->granted & (WRITER | UPGRADABLE)))
        return PLC_RWLOCK_TOKEN_HEIR;
    return PLC_RWLOCK_TOKEN_NORMAL;
}

/* Changes the word when it is known who is woken; runs under the bucket lock. */
static uintptr_t give_up(void *context, struct plc_unpark_result result) {
    const struct release *release = context;
    enum plc_rwlock_token token = token_for(release, result);
    uintptr_t more = token == PLC_RWLOCK_TOKEN_HEIR ? HEIR : PARKED; /* who looks after those that are left (I1, I2) */
    uintptr_t added = release->keep + (token == PLC_RWLOCK_TOKEN_HANDOFF ? release->granted : 0);
    uintptr_t state = plc_load_relaxed(&release->lock->state); /* relaxed: the exchange checks it */
    uintptr_t next;
    do {
        next = ((state - release->drop) & ~(uintptr_t)PARKED) + added;
        next |= result.have_more ? more : 0;
    } while (!plc_cas_release_weak(&release->lock->state, &state, next)); /* release [R1]; the last access (I6) */
    return token;
}

void plc_rwlock_release(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair) {
    struct release release = {lock, drop, keep, 0, fair};
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the exchange checks it */
    while (!(state & PARKED)) {
        if (plc_cas_release_weak(&lock->state, &state, state - drop + keep)) /* release [R1]; the last access (I6) */
            return;
    }
    plc_lot_unpark_filter(plc_rwlock_key(lock), choose, give_up, &release);
}

/* ---- Entry points of the inlines */

void plc_rwlock_give_up_slow_(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair) {
    uintptr_t state = plc_load_relaxed(&lock->state); /* relaxed: the caller's own share, or a mistake */
    if (PLC_UNLIKELY((drop & WRITER) && (state & (WRITER | READERS)) != WRITER))
        plc_os_fatal("rwlock", lock, "write unlock or downgrade of a lock that is not locked for writing");
    if (PLC_UNLIKELY((drop & UPGRADABLE) && !(state & UPGRADABLE)))
        plc_os_fatal("rwlock", lock, "upgradable unlock or downgrade of a lock that nobody holds upgradably");
    plc_rwlock_release(lock, drop, keep, fair);
}

/* Finds the writer that drains, if it has not left: then it keeps the lock alive until it is woken, after this (I6). */
static uintptr_t clear_writer_parked(void *context, struct plc_unpark_result result) {
    plc_rwlock_t *lock = context;
    if (result.unparked)
        plc_fetch_and_relaxed(&lock->state, ~(uintptr_t)WRITER_PARKED); /* relaxed: D carries no data (I4) */
    return PLC_RWLOCK_TOKEN_NORMAL;
}

void plc_rwlock_last_reader_slow_(plc_rwlock_t *lock, uintptr_t old) {
    if (PLC_UNLIKELY(!(old & READERS)))
        plc_os_fatal("rwlock", lock, "read unlock of a lock that is not locked for reading");
    if (old & WRITER_PARKED)
        plc_lot_unpark_one(plc_rwlock_drain_key(lock), clear_writer_parked, lock);
}
