/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hash table of buckets: the static first table, lookups, and the locking of one bucket or two. */
#include "parking_lot/bucket_table.h"

#include <plc/detail/atomic.h>

#include "parking_lot/table_state.h"
#include "platform/platform.h"

/* All state lies in pages that the kernel wipes in the child of a fork: zero means "the first table, empty, not
   prepared". Both fill whole pages, so that nothing else is wiped with them. */
#define WHOLE_PAGES(size) (((size) + PLC_OS_MAX_PAGE_SIZE - 1) / PLC_OS_MAX_PAGE_SIZE * PLC_OS_MAX_PAGE_SIZE)

static union {
    struct plc_bucket buckets[PLC_FIRST_TABLE_SIZE];
    char whole_pages[WHOLE_PAGES(PLC_FIRST_TABLE_SIZE * sizeof(struct plc_bucket))];
} first_pages __attribute__((aligned(PLC_OS_MAX_PAGE_SIZE)));

static union {
    struct plc_table_state state;
    char whole_pages[WHOLE_PAGES(sizeof(struct plc_table_state))];
} lot __attribute__((aligned(PLC_OS_MAX_PAGE_SIZE)));

static struct plc_bucket_table first_table = {.buckets = first_pages.buckets, .bits = PLC_FIRST_TABLE_BITS};

struct plc_table_state *plc_table_state(void) {
    return &lot.state;
}

struct plc_bucket_table *plc_current_table(void) {
    struct plc_bucket_table *table = plc_load_acquire(&lot.state.table); /* acquire [T1] */
    return table ? table : &first_table;
}

bool plc_first_table_wipe_on_fork(void) {
    return plc_os_wipe_on_fork(&first_pages, sizeof first_pages) && plc_os_wipe_on_fork(&lot, sizeof lot);
}

void plc_bucket_table_forget(void) {
    for (size_t i = 0; i < PLC_FIRST_TABLE_SIZE; i++)
        first_pages.buckets[i] = (struct plc_bucket){0};
    lot.state = (struct plc_table_state){0};
}

size_t plc_bucket_table_size(void) {
    return (size_t)1 << plc_current_table()->bits;
}

/* ---- Locking
 *
 * A bucket belongs to the current table if the table is still current once the bucket is locked: the thread that grows
 * the table holds every bucket of the old one when it publishes the new one. */

static bool is_current(const struct plc_bucket_table *table) {
    struct plc_bucket_table *now =
        plc_load_relaxed(&lot.state.table); /* relaxed: a bucket that growth unlocked orders it */
    return (now ? now : &first_table) == table;
}

struct plc_bucket *plc_bucket_lock(const void *address) {
    plc_lot_enter();
    for (;;) {
        struct plc_bucket_table *table = plc_current_table();
        struct plc_bucket *bucket = plc_bucket_of(table, address);
        plc_word_lock_lock(&bucket->lock);
        if (PLC_LIKELY(is_current(table)))
            return bucket;
        plc_word_lock_unlock(&bucket->lock);
    }
}

struct plc_bucket *plc_bucket_locked(const void *address) {
    return plc_bucket_of(plc_current_table(), address); /* it cannot be replaced while one of its buckets is locked */
}

void plc_bucket_unlock(struct plc_bucket *bucket) {
    plc_word_lock_unlock(&bucket->lock);
    plc_lot_leave();
}

struct plc_bucket *plc_bucket_lock_of_waiter(const struct plc_waiter *waiter) {
    for (;;) {
        const void *address = plc_load_relaxed(&waiter->address); /* relaxed: looked at again under the lock */
        struct plc_bucket *bucket = plc_bucket_lock(address);
        if (PLC_LIKELY(plc_load_relaxed(&waiter->address) == address)) /* relaxed: only changed under this lock */
            return bucket;
        plc_bucket_unlock(bucket);
    }
}

struct plc_bucket_pair plc_bucket_lock_pair(const void *from, const void *to) {
    plc_lot_enter();
    for (;;) {
        struct plc_bucket_table *table = plc_current_table();
        struct plc_bucket_pair pair = {plc_bucket_of(table, from), plc_bucket_of(table, to)};
        /* By address, which is by index: the order in which growth locks them all. */
        struct plc_bucket *first = pair.from < pair.to ? pair.from : pair.to;
        struct plc_bucket *second = pair.from < pair.to ? pair.to : pair.from;
        plc_word_lock_lock(&first->lock);
        if (second != first)
            plc_word_lock_lock(&second->lock);
        if (PLC_LIKELY(is_current(table)))
            return pair;
        if (second != first)
            plc_word_lock_unlock(&second->lock);
        plc_word_lock_unlock(&first->lock);
    }
}

bool plc_bucket_try_lock_too(struct plc_bucket *from, const void *to, struct plc_bucket_pair *pair) {
    *pair = (struct plc_bucket_pair){from, plc_bucket_locked(to)};
    return pair->to == from || plc_word_lock_try_lock(&pair->to->lock); /* who does not wait needs no order */
}

void plc_bucket_unlock_pair(struct plc_bucket_pair pair) {
    plc_word_lock_unlock(&pair.from->lock);
    if (pair.to != pair.from)
        plc_word_lock_unlock(&pair.to->lock);
    plc_lot_leave();
}
