/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the parts of the reader-writer lock share: its keys, who is kept out, whose turn it is, and giving up. */
#ifndef PLC_SYNC_RWLOCK_H
#define PLC_SYNC_RWLOCK_H

#include <plc/rwlock.h>

#include "parking_lot/wake_list.h"

enum {
    PARKED = PLC_RWLOCK_PARKED_,
    WRITER_PARKED = PLC_RWLOCK_WRITER_PARKED_,
    UPGRADABLE = PLC_RWLOCK_UPGRADABLE_,
    WRITER = PLC_RWLOCK_WRITER_,
    HEIR = PLC_RWLOCK_HEIR_,
    QUEUE_BITS = PLC_RWLOCK_QUEUE_BITS_,
    EAGER = PLC_RWLOCK_EAGER_,
    READER = PLC_RWLOCK_READER_,
    UPGRADABLE_READER = PLC_RWLOCK_UPGRADABLE_READER_,
};
#define READERS PLC_RWLOCK_READERS_
#define FULL PLC_RWLOCK_FULL_

/* What a waiter is woken with. */
enum plc_rwlock_token {
    PLC_RWLOCK_TOKEN_HANDOFF,  /* what you wanted to add to the word has been added for you */
    PLC_RWLOCK_TOKEN_SUMMONED, /* you are still in the queue, and may be let in: come and see */
};

/* A waiter's phase; the table is in docs/design/rwlock.md. */
enum plc_rwlock_phase {
    PLC_RWLOCK_NEW = 0,
    PLC_RWLOCK_NAPS = 1, /* summoned, first in the queue, and beaten: it looks again by itself */
};

enum plc_rwlock_outcome { TAKEN, KEPT_OUT, TOO_MANY_READERS };

/* The queue of everybody who is kept out by a writer or an upgradable holder. */
static inline struct plc_lot_key plc_rwlock_key(const plc_rwlock_t *lock) {
    return plc_lot_key(lock, PLC_WAITER_RWLOCK);
}

/* The queue of the one writer that has W and waits for the readers to leave. */
static inline struct plc_lot_key plc_rwlock_drain_key(const plc_rwlock_t *lock) {
    return plc_lot_key((const char *)lock + 1, PLC_WAITER_RWLOCK_DRAIN);
}

/* What a holder in this mode adds to the word; this is also its park token. */
static inline uintptr_t plc_rwlock_share_of(enum plc_rwlock_mode_ mode) {
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

/* Does the word keep this mode out? */
static inline bool plc_rwlock_keeps_out(uintptr_t state, enum plc_rwlock_mode_ mode) {
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

/* Is there no room for this mode? Upgradable holders are let in all the same: there is only one of them, and a woken
   one must not be refused (I4). */
static inline bool plc_rwlock_is_full_for(uintptr_t state, uintptr_t share) {
    return share == READER && (state & FULL) != 0;
}

/* With the bucket locked: the first in the queue, or null. */
static inline struct plc_waiter *plc_rwlock_first_waiter(struct plc_bucket *bucket, const plc_rwlock_t *lock) {
    struct plc_waiter *previous = NULL;
    return plc_queue_find_first(bucket, plc_rwlock_key(lock), &previous);
}

/* With the bucket locked: what Q and H have to be while this thread, or none, is the first in the queue (I1, I2). */
static inline uintptr_t plc_rwlock_marks_for(const struct plc_bucket *bucket, const plc_rwlock_t *lock,
                                             const struct plc_waiter *first) {
    if (!first)
        return plc_tasks_sleep(bucket, plc_lot_key(lock, PLC_WAITER_RWLOCK_TASK)) ? PARKED : 0;
    return first->phase == PLC_RWLOCK_NAPS ? HEIR : PARKED;
}

/* With the bucket locked: wakes all whose turn it is beside those that have the lock, but leaves them in the queue.
   taken: the W and U of the word. */
void plc_rwlock_summon(const plc_rwlock_t *lock, struct plc_bucket *bucket, uintptr_t taken,
                       struct plc_wake_list *wakes);

/* The same for the tasks among them (rwlock_tasks.c). */
void plc_rwlock_summon_tasks_(const plc_rwlock_t *lock, struct plc_bucket *bucket, uintptr_t taken,
                              struct plc_wake_list *wakes);

/* With the bucket locked: the queue has changed, and nobody may be about to look at it. Summons the tasks whose turn it is
   beside those that have the lock, and clears Q if it is not needed any more. */
void plc_rwlock_serve_tasks_(plc_rwlock_t *lock, struct plc_bucket *bucket, struct plc_wake_list *wakes);

/* Queues until the mode's share has been added to the word (TAKEN), or until the deadline has passed (KEPT_OUT). Takes
   it at once if nothing keeps it out. */
enum plc_rwlock_outcome plc_rwlock_queue_up(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode, plc_deadline_t deadline);

/* The caller has W. Have the readers left, or do they while it spins, and yields a few times? It never sleeps, and has W still. */
bool plc_rwlock_drain_awake_(const plc_rwlock_t *lock);

/* Takes drop, which holds W or U, from the word, adds keep to it, and wakes whoever may have the lock now, or hands it
   over if they have waited long or if fair. The word is not touched after that. */
void plc_rwlock_release(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair);

/* Gives up the share of this mode, which nobody knows that the caller has; a writer's also while readers are still inside. */
void plc_rwlock_renounce(plc_rwlock_t *lock, enum plc_rwlock_mode_ mode);

#endif
