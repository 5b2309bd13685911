/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The walk over the lot's buckets: each is locked for as long as it takes to copy a few waiters, if it can be had. */
#include "debug/walk.h"

#include <plc/detail/atomic.h>

#include "parking_lot/queue.h"
#include "parking_lot/table_state.h"
#include "platform/platform.h"
#include "platform/tuning.h"

/* The caller may be a signal handler that has interrupted the very thread that holds a bucket, or works on the queue of
 * its word lock, or is about to sleep in that queue. So
 *   - a bucket is only tried, a bounded number of times, and only taken while nobody waits for its word lock: then those
 *     that its unlock wakes have come since, and are other threads than the interrupted one;
 *   - what is shown is shown after the bucket was unlocked: it may be written to a pipe that is full.
 * A larger table in the making is followed bucket by bucket: the waiters of one that has moved are in a few successive
 * buckets of the larger table, which may itself have moved on by then. */

static bool try_lock(struct plc_bucket *bucket) {
    plc_lot_enter();
    for (unsigned tries = 0; tries < PLC_WALK_TRIES; tries++) {
        if (plc_word_lock_try_lock_idle(&bucket->lock))
            return true;
        if (tries % PLC_WALK_TRIES_TO_YIELD == PLC_WALK_TRIES_TO_YIELD - 1)
            plc_os_yield();
        else
            plc_cpu_relax();
    }
    plc_lot_leave();
    return false;
}

static struct plc_lot_key key_of(const struct plc_waiter *waiter) {
    return plc_lot_key(waiter->address, waiter->kind);
}

static size_t count_from(const struct plc_waiter *waiter, struct plc_lot_key key) {
    size_t count = 0;
    for (; waiter; waiter = waiter->next)
        count += plc_waiter_matches(waiter, key);
    return count;
}

static bool is_first_of_its_key(const struct plc_bucket *bucket, const struct plc_waiter *waiter) {
    const struct plc_waiter *first = bucket->head;
    while (!plc_waiter_matches(first, key_of(waiter)))
        first = first->next;
    return first == waiter;
}

/* With the bucket locked: copies what comes after the first `skip` of the queue. Tasks that are due wait no more. */
static size_t copy(const struct plc_bucket *bucket, size_t skip, struct plc_seen_waiter *batch) {
    size_t count = 0;
    for (const struct plc_waiter *waiter = bucket->head; waiter && count < PLC_WALK_BATCH; waiter = waiter->next) {
        struct plc_lot_key key = key_of(waiter);
        if (key.kind == PLC_WAITER_TASK_DUE)
            continue;
        if (skip > 0) {
            skip--;
            continue;
        }
        size_t companions = is_first_of_its_key(bucket, waiter) ? count_from(waiter, key) : 0;
        batch[count++] =
            (struct plc_seen_waiter){key, waiter->park_token, waiter->thread_id, waiter->began_at, companions};
    }
    return count;
}

struct walk {
    plc_walk_callback see;
    void *context;
    size_t busy;
    bool is_over;
};

/* Shows the waiters of one bucket; true if it has moved to the larger table. Not inlined: the batch shall be gone from the
   stack before the larger table is walked. */
__attribute__((noinline)) static bool show_bucket(struct walk *walk, struct plc_bucket *bucket) {
    struct plc_seen_waiter batch[PLC_WALK_BATCH];
    size_t seen = 0;
    size_t count;
    do {
        if (!try_lock(bucket)) {
            walk->busy++;
            return false;
        }
        bool has_moved = bucket->has_moved;
        count = copy(bucket, seen, batch);
        plc_bucket_unlock(bucket);
        if (has_moved)
            return true;
        if (count > 0 && !walk->see(walk->context, batch, count))
            walk->is_over = true;
        seen += count;
    } while (count == PLC_WALK_BATCH && !walk->is_over);
    return false;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table has grown, a few times in the life of a process */
static void walk_buckets(struct walk *walk, const struct plc_bucket_table *table, size_t from, size_t to) {
    for (size_t i = from; i < to && !walk->is_over; i++) {
        if (show_bucket(walk, &table->buckets[i])) {
            unsigned more = table->larger->bits - table->bits;
            walk_buckets(walk, table->larger, i << more, (i + 1) << more);
        }
    }
}

size_t plc_walk(plc_walk_callback see, void *context) {
    struct walk walk = {see, context, 0, false};
    const struct plc_bucket_table *table = plc_current_table();
    walk_buckets(&walk, table, 0, (size_t)1 << table->bits);
    return walk.busy;
}
