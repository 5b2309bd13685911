/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Growth of the bucket table, driven by load, and what happens to it on fork. */
#include <plc/detail/atomic.h>

#include "parking_lot/queue.h"
#include "parking_lot/table_state.h"
#include "parking_lot/thread.h"
#include "platform/platform.h"

/* Growth counts no threads, which would need a hook at thread exit. An unpark that walks past several waiters of other
   keys wishes for a larger table; a later parker, which is about to wait anyway and holds no bucket, begins to grow it. Each
   parker that follows moves some more of the buckets, so that nobody is held up for long: a bucket is locked only while it
   moves, and both tables serve until all have. Memory comes from mmap before any bucket is locked; if there is none the
   old table stays. */

void plc_bucket_table_wish_to_grow(void) {
    struct plc_table_state *state = plc_table_state();
    /* relaxed, and not even atomic as a whole: losing one wish of several does no harm */
    plc_store_relaxed(&state->wishes, plc_load_relaxed(&state->wishes) + 1);
}

static size_t size_of(const struct plc_bucket_table *table) {
    return (size_t)1 << table->bits;
}

/* Two colliding keys are bad luck and no load: a larger table pays once there is a waiter for every other bucket. Of a
   large table a sample tells. */
static bool is_loaded(const struct plc_bucket_table *table) {
    size_t stride = size_of(table) > PLC_GROWTH_SAMPLE ? size_of(table) / PLC_GROWTH_SAMPLE : 1;
    size_t waiters = 0;
    for (size_t i = 0; i < size_of(table); i += stride)
        waiters += plc_load_relaxed(&table->buckets[i].waiters); /* relaxed: an estimate */
    return waiters * stride * 2 >= size_of(table);
}

/* ---- What the system makes of many sleepers is beyond the table: its own may be smaller (platform/linux.c). It takes a hundredth of a
   second to make that larger, so this is done seldom and for many more than there are, by a thread that has
   joined a long queue, once nobody takes it for one that is awake. */

void plc_bucket_table_note_crowd(uint32_t threads) {
    if (threads >= PLC_CROWD &&
        threads >= plc_load_relaxed(&plc_table_state()->expected)) /* relaxed: a hint, as below */
        plc_thread_self()->crowd = threads;
}

void plc_bucket_table_tell_crowd(void) {
    struct plc_table_state *state = plc_table_state();
    uint32_t crowd = plc_thread_self()->crowd;
    uint32_t expected = crowd < PLC_CROWD_MOST / PLC_CROWD_ROOM ? crowd * PLC_CROWD_ROOM : PLC_CROWD_MOST;
    plc_thread_self()->crowd = 0;
    if (expected <= plc_load_relaxed(&state->expected))
        return;
    plc_store_relaxed(&state->expected, expected);
    plc_os_expect_sleepers(expected);
}

/* ---- */

/* The header and the buckets in one piece of memory; the header takes a bucket's room. */
static struct plc_bucket_table *make_table(unsigned bits) {
    size_t size = (((size_t)1 << bits) + 1) * sizeof(struct plc_bucket);
    size = (size + PLC_OS_MAX_PAGE_SIZE - 1) / PLC_OS_MAX_PAGE_SIZE * PLC_OS_MAX_PAGE_SIZE;
    struct plc_bucket_table *table = plc_os_pages_alloc(size);
    if (!table)
        return NULL;
    /* In the child of a fork the first table is current again: this one is memory that nobody reads. */
    plc_os_wipe_on_fork(table, size);
    table->buckets = (struct plc_bucket *)(void *)table + 1;
    table->bits = bits;
    return table;
}

/* Until it has moved and is unlocked, nobody comes to the buckets of the larger table that have this one's keys. */
static void move_bucket(struct plc_bucket *bucket, const struct plc_bucket_table *larger) {
    struct plc_waiter *next;
    plc_word_lock_lock(&bucket->lock);
    for (struct plc_waiter *waiter = bucket->head; waiter; waiter = next) {
        struct plc_bucket *to = plc_bucket_of(larger, waiter->address);
        next = waiter->next;
        plc_queue_push_back(to, waiter);
        to->tasks += waiter->is_task;
        to->asked_at = bucket->asked_at;
    }
    bucket->head = NULL;
    bucket->tail = NULL;
    plc_store_relaxed(&bucket->waiters, 0u); /* relaxed: an estimate */
    bucket->tasks = 0;
    bucket->has_moved = true;
    plc_word_lock_unlock(&bucket->lock);
}

/* Moves a few buckets; with the last one the larger table replaces this one. */
static void go_on_growing(struct plc_table_state *state, struct plc_bucket_table *table) {
    plc_lot_enter();
    for (size_t i = 0; i < PLC_GROWTH_STEP && state->moved < size_of(table); i++)
        move_bucket(&table->buckets[state->moved++], table->larger);
    plc_lot_leave();
    if (state->moved < size_of(table)) {
        plc_bucket_table_wish_to_grow(); /* has the next parker go on */
        return;
    }
    state->moved = 0;
    plc_store_release(&state->table, table->larger); /* release [T1] */
}

static bool begin_to_grow(struct plc_bucket_table *table) {
    if (table->bits == PLC_MAX_TABLE_BITS || !is_loaded(table))
        return false;
    table->larger = make_table(table->bits + 2 <= PLC_MAX_TABLE_BITS ? table->bits + 2 : PLC_MAX_TABLE_BITS);
    if (!table->larger)
        return false;
    table->larger->previous = table;
    plc_bucket_table_note_crowd((uint32_t)(size_of(table) / 2)); /* there are as many, or it would not grow */
    return true;
}

static void consider_growth(struct plc_table_state *state) {
    struct plc_bucket_table *table = plc_current_table();
    plc_store_relaxed(&state->wishes, 0u); /* relaxed: a hint */
    if (state->moved > 0 || begin_to_grow(table)) {
        plc_store_relaxed(&state->wishes_needed, 0u); /* relaxed: a hint */
        go_on_growing(state, table);
    } else if (state->wishes_needed < UINT32_MAX / 4) {
        plc_store_relaxed(&state->wishes_needed, state->wishes_needed * 2 + 1); /* relaxed: a hint */
    }
}

static void prepare_for_fork(struct plc_table_state *state) {
    static uint32_t last_given; /* not wiped: the child goes on counting */
    uint32_t none = 0;
    plc_first_table_wipe_on_fork(); /* doing it twice does no harm */
    /* relaxed: only has to be unique; the first to come decides */
    plc_cas_relaxed(&state->prepared, &none, plc_fetch_add_relaxed(&last_given, 1u) + 1);
}

uint32_t plc_bucket_table_incarnation(void) {
    return plc_load_relaxed(&plc_table_state()->prepared); /* relaxed: changes only by a fork */
}

/* The child of a fork has another lot, and the thread in it is another one for the kernel. */
static void remember_thread_id(void) {
    struct plc_thread *self = plc_thread_self();
    uint32_t incarnation = plc_bucket_table_incarnation();
    if (PLC_LIKELY(self->incarnation == incarnation))
        return;
    self->incarnation = incarnation;
    self->thread_id = plc_os_thread_id();
}

void plc_bucket_table_prepare(void) {
    struct plc_table_state *state = plc_table_state();
    if (PLC_UNLIKELY(!plc_load_relaxed(&state->prepared))) /* relaxed: see above */
        prepare_for_fork(state);
    remember_thread_id();
    /* relaxed: hints, all of them */
    if (PLC_UNLIKELY(plc_load_relaxed(&state->wishes) > plc_load_relaxed(&state->wishes_needed)) &&
        !plc_exchange_acquire(&state->growing, 1u)) { /* acquire [T2] */
        consider_growth(state);
        plc_store_release(&state->growing, 0u); /* release [T2] */
    }
}

/* Where pages cannot be wiped, a handler empties the table in the child. Registering one allocates, so it is done here
   rather than when a lock is first contended, which may be inside malloc. */
__attribute__((constructor)) static void forget_on_fork_if_not_wiped(void) {
    if (!plc_first_table_wipe_on_fork())
        plc_os_at_fork_child(plc_bucket_table_forget);
}
