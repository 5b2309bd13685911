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

/* Where a debugger finds all this, that has no debug information (tools/gdb/plc_gdb.py knows the order of the members). */
PLC_API extern const struct plc_lot_layout plc_debug_layout_lot_;
const struct plc_lot_layout plc_debug_layout_lot_ = {
    .version = 1,
    .current_table = &lot.state.table,
    .first_table = &first_table,
    .table_buckets = offsetof(struct plc_bucket_table, buckets),
    .table_bits = offsetof(struct plc_bucket_table, bits),
    .table_larger = offsetof(struct plc_bucket_table, larger),
    .bucket_size = sizeof(struct plc_bucket),
    .bucket_head = offsetof(struct plc_bucket, head),
    .bucket_has_moved = offsetof(struct plc_bucket, has_moved),
    .waiter_next = offsetof(struct plc_waiter, next),
    .waiter_address = offsetof(struct plc_waiter, address),
    .waiter_kind = offsetof(struct plc_waiter, kind),
    .waiter_token = offsetof(struct plc_waiter, park_token),
    .waiter_thread_id = offsetof(struct plc_waiter, thread_id),
    .waiter_began_at = offsetof(struct plc_waiter, began_at),
};

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
 * A bucket that is locked and has not moved is the one of its keys: while it is locked it cannot move. One that has moved
 * leads to the larger table. */

struct plc_bucket *plc_bucket_lock(const void *address) {
    plc_lot_enter();
    for (struct plc_bucket_table *table = plc_current_table();; table = table->larger) {
        struct plc_bucket *bucket = plc_bucket_of(table, address);
        plc_word_lock_lock(&bucket->lock);
        if (PLC_LIKELY(!bucket->has_moved))
            return bucket;
        plc_word_lock_unlock(&bucket->lock);
    }
}

/* The caller came by all buckets that have moved, and none moves twice: looking at them needs no lock. */
struct plc_bucket *plc_bucket_locked(const void *address) {
    const struct plc_bucket_table *table = plc_current_table();
    while (PLC_UNLIKELY(plc_bucket_of(table, address)->has_moved))
        table = table->larger;
    return plc_bucket_of(table, address);
}

void plc_bucket_unlock(struct plc_bucket *bucket) {
    plc_word_lock_unlock(&bucket->lock);
    plc_lot_leave();
}

void plc_bucket_unlock_to_wake(struct plc_bucket *bucket) {
    plc_word_lock_unlock(&bucket->lock);
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

/* In the order of their addresses. Growth locks one bucket at a time. */
static void lock_both(struct plc_bucket_pair pair) {
    struct plc_bucket *first = pair.from < pair.to ? pair.from : pair.to;
    struct plc_bucket *second = pair.from < pair.to ? pair.to : pair.from;
    plc_word_lock_lock(&first->lock);
    if (second != first)
        plc_word_lock_lock(&second->lock);
}

static void unlock_both(struct plc_bucket_pair pair) {
    plc_word_lock_unlock(&pair.from->lock);
    if (pair.to != pair.from)
        plc_word_lock_unlock(&pair.to->lock);
}

struct plc_bucket_pair plc_bucket_lock_pair(const void *from, const void *to) {
    struct plc_bucket_table *table_of_from = plc_current_table();
    struct plc_bucket_table *table_of_to = table_of_from;
    plc_lot_enter();
    for (;;) {
        struct plc_bucket_pair pair = {plc_bucket_of(table_of_from, from), plc_bucket_of(table_of_to, to)};
        lock_both(pair);
        bool from_has_moved = pair.from->has_moved;
        bool to_has_moved = pair.to->has_moved;
        if (PLC_LIKELY(!from_has_moved && !to_has_moved))
            return pair;
        unlock_both(pair);
        if (from_has_moved)
            table_of_from = table_of_from->larger;
        if (to_has_moved)
            table_of_to = table_of_to->larger;
    }
}

/* Who does not wait needs no order. A bucket that has moved is left to the way that waits. */
bool plc_bucket_try_lock_too(struct plc_bucket *from, const void *to, struct plc_bucket_pair *pair) {
    *pair = (struct plc_bucket_pair){from, plc_bucket_of(plc_current_table(), to)};
    if (pair->to == from)
        return true;
    if (!plc_word_lock_try_lock(&pair->to->lock))
        return false;
    if (PLC_LIKELY(!pair->to->has_moved))
        return true;
    plc_word_lock_unlock(&pair->to->lock);
    return false;
}

void plc_bucket_unlock_pair(struct plc_bucket_pair pair) {
    unlock_both(pair);
    plc_lot_leave();
}

void plc_bucket_unlock_pair_to_wake(struct plc_bucket_pair pair) {
    unlock_both(pair);
}
