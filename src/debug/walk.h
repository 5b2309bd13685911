/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks at every waiter of the parking lot from anywhere, without ever waiting for a lock. */
#ifndef PLC_DEBUG_WALK_H
#define PLC_DEBUG_WALK_H

#include "parking_lot/lot.h"

PLC_BEGIN_DECLS

/* What a waiter's node said while its bucket was locked. */
struct plc_seen_waiter {
    struct plc_lot_key key;
    uintptr_t park_token;
    uint64_t thread_id;
    int64_t began_at;
    size_t companions; /* in the first of its key: how many are queued for that; zero in the others */
};

/* So many are copied at a time: they lie on the stack, which may be that of a signal handler. */
enum { PLC_WALK_BATCH = 32 };

/* Called with no bucket locked; false: that is enough. */
typedef bool (*plc_walk_callback)(void *context, const struct plc_seen_waiter *batch, size_t count);

/* Shows the waiters of all buckets, batch by batch, each with one bucket's. Returns how many buckets were busy. */
size_t plc_walk(plc_walk_callback see, void *context);

PLC_END_DECLS
#endif
