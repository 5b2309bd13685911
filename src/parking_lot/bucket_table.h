/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hash table of the parking lot: which bucket holds the waiters of an address, and how it is locked. */
#ifndef PLC_BUCKET_TABLE_H
#define PLC_BUCKET_TABLE_H

#include "parking_lot/waiter.h"
#include "word_lock/word_lock.h"

PLC_BEGIN_DECLS

/* One cache line. Waiters of several keys share a bucket's queue, in the order in which they came. */
struct plc_bucket {
    struct plc_word_lock lock;
    struct plc_waiter *head;
    struct plc_waiter *tail;
    uint32_t waiters;      /* how many are queued; written under the lock, read without it (relaxed: an estimate) */
    uint32_t tasks;        /* how many of them are tasks; both read and written under the lock */
    uint8_t vain_searches; /* how many notifications in a row found nobody awake here; under the lock (notify.c) */
    bool has_moved;        /* nobody is queued here any more: the larger table has this bucket's keys; set once */
    int64_t asked_at;      /* when somebody was asked last whether a waiter is due (wake_list.h); 0: never */
} __attribute__((aligned(64)));

PLC_STATIC_ASSERT(sizeof(struct plc_bucket) == 64, "a bucket is one cache line");

/* To be called before a thread parks, with no bucket locked: marks the table to be wiped on fork when it is first used,
   and lets the table grow, or go on growing, if unparks wished for it. Nothing here is needed for correctness: failure means a smaller
   table. */
void plc_bucket_table_prepare(void);

/* Which lot this is: another one in the child of a fork, where nobody is queued. To be called with a bucket locked, after
   plc_bucket_table_prepare. Never zero. */
uint32_t plc_bucket_table_incarnation(void);

/* Says that an unpark walked past more waiters of other keys than it should have. */
void plc_bucket_table_wish_to_grow(void);

/* So many threads wait, as the caller, who is about to, has seen: it is to tell the system when it sleeps, if that was not told of as
   many before. */
void plc_bucket_table_note_crowd(uint32_t threads);
void plc_bucket_table_tell_crowd(void);

/* Locks the bucket of an address. */
struct plc_bucket *plc_bucket_lock(const void *address);

/* Locks the bucket in which a waiter is queued, or was last, wherever a requeue has moved it. For its owner. */
struct plc_bucket *plc_bucket_lock_of_waiter(const struct plc_waiter *waiter);

/* The bucket of an address that the caller has locked. */
struct plc_bucket *plc_bucket_locked(const void *address);

void plc_bucket_unlock(struct plc_bucket *bucket);

/* The same for one under which wakes were promised: signals stay blocked, where they are, until plc_lot_leave or
   plc_wake_list_wake. So no handler jumps away with a wake that a waiter relies on. */
void plc_bucket_unlock_to_wake(struct plc_bucket *bucket);

/* Locks the buckets of two addresses in an order that cannot deadlock; they may be one and the same. */
struct plc_bucket_pair {
    struct plc_bucket *from;
    struct plc_bucket *to;
};
struct plc_bucket_pair plc_bucket_lock_pair(const void *from, const void *to);
/* The same while the bucket of `from` is locked, if that is possible without waiting. */
bool plc_bucket_try_lock_too(struct plc_bucket *from, const void *to, struct plc_bucket_pair *pair);
void plc_bucket_unlock_pair(struct plc_bucket_pair pair);
void plc_bucket_unlock_pair_to_wake(struct plc_bucket_pair pair);

/* How many buckets there are now; for tests and statistics. */
size_t plc_bucket_table_size(void);

/* Empties the table in the child of a fork where the platform cannot wipe pages: every queued thread is gone there. */
void plc_bucket_table_forget(void);

PLC_END_DECLS

#endif
