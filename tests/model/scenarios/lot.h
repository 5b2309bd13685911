/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the scenarios of the parking lot share. */
#ifndef PLC_MODEL_LOT_H
#define PLC_MODEL_LOT_H

#include <plc/detail/atomic.h>
#include <plc/parking_lot.h>

#include "mc.h"
#include "parking_lot/bucket_table.h"
#include "parking_lot/table_state.h"

/* The table's first use is not what these scenarios are about: it is over before they start. */
static inline void lot_setup(void) {
    plc_bucket_table_prepare();
}

/* Nobody is queued in any bucket, be it of the current table or of the one that it grows into. */
static inline void lot_must_be_empty(void) {
    for (const struct plc_bucket_table *table = plc_current_table(); table; table = table->larger) {
        for (size_t i = 0; i < (size_t)1 << table->bits; i++) {
            MC_ASSERT(!table->buckets[i].head && !table->buckets[i].tail);
            MC_ASSERT(table->buckets[i].waiters == 0);
            MC_ASSERT(table->buckets[i].lock.word == 0);
        }
    }
}

/* The first key from `from` on that lies in this bucket (or the last one, if there are fewer). Where the linker puts two
   variables decides nothing then. Room for 64 keys is enough for two buckets. */
static inline const char *lot_key_in_bucket(const char *from, size_t bucket) {
    const struct plc_bucket_table *table = plc_current_table();
    size_t last = plc_bucket_table_size() - 1;
    const struct plc_bucket *wanted = &table->buckets[bucket < last ? bucket : last];
    while (plc_bucket_of(table, from) != wanted)
        from++;
    return from;
}

/* For invariants, which hold while nobody works on the bucket. */
static inline bool lot_is_locked(const struct plc_bucket *bucket) {
#ifdef IDEAL
    return mc_is_locked(&bucket->lock);
#else
    return bucket->lock.word & 1;
#endif
}

static inline plc_deadline_t soon(void) {
    return plc_deadline_after_ns(10);
}

static const struct plc_park_ops no_ops;

#endif
