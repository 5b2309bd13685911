/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the two halves of the reader-writer lock share: its keys, its tokens, and giving up. */
#ifndef PLC_SYNC_RWLOCK_H
#define PLC_SYNC_RWLOCK_H

#include <plc/rwlock.h>

#include "parking_lot/lot.h"

enum {
    PARKED = PLC_RWLOCK_PARKED_,
    WRITER_PARKED = PLC_RWLOCK_WRITER_PARKED_,
    UPGRADABLE = PLC_RWLOCK_UPGRADABLE_,
    WRITER = PLC_RWLOCK_WRITER_,
    HEIR = PLC_RWLOCK_HEIR_,
    READER = PLC_RWLOCK_READER_,
    UPGRADABLE_READER = PLC_RWLOCK_UPGRADABLE_READER_,
};
#define READERS PLC_RWLOCK_READERS_
#define FULL PLC_RWLOCK_FULL_

/* What a release tells the threads that it wakes. */
enum plc_rwlock_token {
    PLC_RWLOCK_TOKEN_NORMAL = 0, /* the lock may let you in: try */
    PLC_RWLOCK_TOKEN_HANDOFF,    /* what you wanted to add to the word has been added for you */
    PLC_RWLOCK_TOKEN_HEIR,       /* try; and whoever among you wants W or U: H stands for you */
};

/* The queue of everybody who is kept out by a writer or an upgradable holder. */
static inline struct plc_lot_key plc_rwlock_key(const plc_rwlock_t *lock) {
    return plc_lot_key(lock, PLC_WAITER_RWLOCK);
}

/* The queue of the one writer that has W and waits for the readers to leave. */
static inline struct plc_lot_key plc_rwlock_drain_key(const plc_rwlock_t *lock) {
    return plc_lot_key((const char *)lock + 1, PLC_WAITER_RWLOCK_DRAIN);
}

/* Takes drop, which holds W or U, from the word, adds keep to it, and wakes whoever may have the lock now, or hands it
   over if they have waited long or if fair. The word is not touched after that. */
void plc_rwlock_release(plc_rwlock_t *lock, uintptr_t drop, uintptr_t keep, bool fair);

#endif
