/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The side table of PLC_CHECKED builds: static shards, more entries by mmap, nothing from the heap. */
#include "debug/owner_table.h"

#include <plc/detail/atomic.h>

#include "platform/platform.h"

/* In the child of a fork the table is empty: the locks of the other threads stay held for ever there, their shards may
   have been locked, and what the forking thread held is forgotten with the rest, which only means that fewer mistakes
   are seen. Pages that the kernel wipes do this without a handler, also for a bare _Fork. */

enum {
    SHARD_BITS = 6,
    SHARDS = 1 << SHARD_BITS,
    SLAB_SIZE = 16384, /* entries are added to a shard in pieces of this many bytes */
};

#define WHOLE_PAGES(size) (((size) + PLC_OS_MAX_PAGE_SIZE - 1) / PLC_OS_MAX_PAGE_SIZE * PLC_OS_MAX_PAGE_SIZE)

static union {
    struct {
        struct plc_owner_shard shards[SHARDS];
        uint32_t prepared; /* the pages are marked to be wiped, or a handler is registered */
    } table;
    char whole_pages[WHOLE_PAGES(SHARDS * sizeof(struct plc_owner_shard) + sizeof(uint32_t))];
} pages __attribute__((aligned(PLC_OS_MAX_PAGE_SIZE)));

/* For debuggers, as plc_debug_layout_lot_ is (parking_lot/bucket_table.c). */
struct owner_layout {
    size_t version;
    const struct plc_owner_shard *shards;
    size_t count, shard_size, shard_owners, owner_next, owner_lock, owner_thread_id, owner_mode;
};
PLC_API extern const struct owner_layout plc_debug_layout_owners_;
const struct owner_layout plc_debug_layout_owners_ = {
    .version = 1,
    .shards = pages.table.shards,
    .count = SHARDS,
    .shard_size = sizeof(struct plc_owner_shard),
    .shard_owners = offsetof(struct plc_owner_shard, owners),
    .owner_next = offsetof(struct plc_owner, next),
    .owner_lock = offsetof(struct plc_owner, lock),
    .owner_thread_id = offsetof(struct plc_owner, thread_id),
    .owner_mode = offsetof(struct plc_owner, mode),
};

uint64_t plc_owner_self(void) {
    static uint64_t last_given;
    static __thread uint64_t self; /* zero: not given yet */
    if (PLC_UNLIKELY(self == 0))
        self = plc_fetch_add_relaxed(&last_given, UINT64_C(1)) + 1; /* relaxed: only has to be unique */
    return self;
}

/* ---- Shards */

static void forget_all(void) {
    for (size_t i = 0; i < SHARDS; i++) {
        struct plc_owner_shard *shard = &pages.table.shards[i];
        shard->lock.word = 0;
        shard->owners = NULL;
        shard->spare = NULL;
        shard->fresh = 0;
    }
}

static void prepare_for_fork(void) {
    if (plc_exchange_relaxed(&pages.table.prepared, 1u)) /* relaxed: says only who does it */
        return;
    /* Registering a handler may allocate. Where pages cannot be wiped, the first lock of a checked program must not be
       taken inside malloc. */
    if (!plc_os_wipe_on_fork(&pages, sizeof pages))
        plc_os_at_fork_child(forget_all);
}

static struct plc_owner_shard *shard_of(const void *lock) {
    uint64_t hash = (uint64_t)(uintptr_t)lock * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing */
    return &pages.table.shards[hash >> (64 - SHARD_BITS)];
}

struct plc_owner_shard *plc_owner_shard_lock(const void *lock) {
    if (PLC_UNLIKELY(!plc_load_relaxed(&pages.table.prepared))) /* relaxed: see above */
        prepare_for_fork();
    struct plc_owner_shard *shard = shard_of(lock);
    plc_word_lock_lock(&shard->lock);
    return shard;
}

struct plc_owner_shard *plc_owner_shard_try_lock(const void *lock) {
    struct plc_owner_shard *shard = shard_of(lock);
    return plc_word_lock_try_lock_idle(&shard->lock) ? shard : NULL;
}

void plc_owner_shard_unlock(struct plc_owner_shard *shard) {
    plc_word_lock_unlock(&shard->lock);
}

/* ---- Entries */

static void add_slab(struct plc_owner_shard *shard) {
    struct plc_owner *slab = plc_os_pages_alloc(SLAB_SIZE);
    if (!slab)
        return;
    plc_os_wipe_on_fork(slab, SLAB_SIZE); /* or not: the child's shards do not lead here */
    for (size_t i = 0; i < SLAB_SIZE / sizeof *slab; i++) {
        slab[i].next = shard->spare;
        shard->spare = &slab[i];
    }
}

/* An unused entry, or null if there is no memory. */
static struct plc_owner *make_entry(struct plc_owner_shard *shard) {
    if (!shard->spare && shard->fresh < PLC_OWNERS_PER_SHARD)
        return &shard->entries[shard->fresh++];
    if (!shard->spare)
        add_slab(shard);
    struct plc_owner *entry = shard->spare;
    if (entry)
        shard->spare = entry->next;
    return entry;
}

struct plc_owner *plc_owner_find(struct plc_owner *owner, const void *lock) {
    while (owner && owner->lock != lock)
        owner = owner->next;
    return owner;
}

void plc_owner_add(struct plc_owner_shard *shard, const void *lock, enum plc_checked_mode mode) {
    uint64_t self = plc_owner_self();
    struct plc_owner *owner = plc_owner_find(shard->owners, lock);
    while (owner && (owner->thread != self || owner->mode != mode))
        owner = plc_owner_find(owner->next, lock);
    if (owner) {
        owner->count++;
        return;
    }
    owner = make_entry(shard);
    if (owner) {
        *owner = (struct plc_owner){shard->owners, lock, self, plc_os_thread_id(), 1, mode};
        shard->owners = owner;
    }
}

void plc_owner_drop(struct plc_owner_shard *shard, struct plc_owner *owner) {
    struct plc_owner **link = &shard->owners;
    while (*link != owner)
        link = &(*link)->next;
    *link = owner->next;
    owner->next = shard->spare;
    shard->spare = owner;
}

void plc_owner_drop_one(struct plc_owner_shard *shard, struct plc_owner *owner) {
    if (--owner->count == 0)
        plc_owner_drop(shard, owner);
}
