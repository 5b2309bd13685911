/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the bucket table share: the table itself, the state that a fork wipes, the hash. */
#ifndef PLC_TABLE_STATE_H
#define PLC_TABLE_STATE_H

#include "parking_lot/bucket_table.h"
#include "platform/tuning.h"

#define PLC_FIRST_TABLE_SIZE ((size_t)1 << PLC_FIRST_TABLE_BITS)

/* A table never changes once it is published; only its buckets do, and what it is grown into. Tables that were grown out of stay: another thread
   may just be about to lock one of their buckets. Each is at least twice its predecessor, so all together are less than
   one. */
struct plc_bucket_table {
    struct plc_bucket *buckets;
    unsigned bits;                     /* log2 of the number of buckets */
    struct plc_bucket_table *previous; /* keeps what was grown out of reachable for leak checkers */
    struct plc_bucket_table *larger;   /* where buckets that have moved are; set before the first of them has */
};

/* Memory order
 *   [T1] growth's store-release of table -> lookups' load-acquire: the new table's contents. Before that is done, the
 *        lock of a bucket that has moved orders them.
 *   [T2] growth's store-release of growing -> the next growth's exchange-acquire: the counters below.
 *   All else here is a hint. */
struct plc_table_state {
    struct plc_bucket_table *table; /* null: the first table */
    size_t moved;                   /* how many of its buckets have moved to the larger one; 0: it does not grow */
    uint32_t
        prepared; /* not 0: the pages are marked to be wiped on fork, or this was tried in vain; which lot this is */
    uint32_t growing;       /* some thread is busy growing the table */
    uint32_t wishes;        /* unparks that wished for a larger table since the last time it was considered */
    uint32_t wishes_needed; /* growth is considered above this; doubles each time that it turns out not to pay */
    uint32_t expected;      /* how many sleepers the system was told to expect; a hint */
};

/* What a debugger has to know of the lot; the order and the sizes of the members are part of the interface with it. */
struct plc_lot_layout {
    size_t version;
    struct plc_bucket_table *const *current_table; /* null there: the first */
    const struct plc_bucket_table *first_table;
    size_t table_buckets, table_bits, table_larger; /* offsets, as all that follow but the size */
    size_t bucket_size, bucket_head, bucket_has_moved;
    size_t waiter_next, waiter_address, waiter_kind, waiter_token, waiter_thread_id, waiter_began_at;
};

struct plc_table_state *plc_table_state(void);

struct plc_bucket_table *plc_current_table(void);
bool plc_first_table_wipe_on_fork(void);

/* Each bucket's keys are those of a few successive buckets of a larger table, and of no others. */
static inline struct plc_bucket *plc_bucket_of(const struct plc_bucket_table *table, const void *address) {
    /* Fibonacci hashing: the upper bits of a product with 2^64 / golden ratio. Shifted twice, for a table of one
     * bucket. */
    uint64_t hash = (uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    return &table->buckets[(hash >> 1) >> (63 - table->bits)];
}

#endif
