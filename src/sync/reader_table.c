/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of readers: entering, leaving, and the writer that waits for them. */
#include "sync/reader_table.h"

#include <plc/detail/atomic.h>

#include "parking_lot/lot.h"
#include "parking_lot/thread.h"
#include "platform/platform.h"
#include "platform/spin.h"
#include "platform/tuning.h"

/* Invariants T1 to T4: docs/design/rwlock_scalable.md.
 *
 * Memory order
 *   [S1] leaving a slot, store-release -> whoever sees it free or reused, load-acquire or CAS-acquire: what was read in
 *        the section, before the writer overwrites it. A slot is reused by a CAS that acquires, so that the next reader's
 *        own release hands on what the first one did.
 *   [S2] entering, CAS then fence, then the look at the lock's flag | clearing the flag, then fence, then the looks at
 *        the slots: relaxed accesses between two seq_cst fences. One of the two sees the other.
 *   [S3] leaving, store then light fence, then the look at sleepers | sleepers counted up, then heavy fence, then the
 *        look at the slot: relaxed likewise. The light fence is the compiler's, and the heavy one the kernel's, which
 *        makes all threads pass a full barrier; where that is not to be had both are seq_cst fences. */

/* A row belongs to one processor. Two lines, because some processors fetch lines in pairs. */
struct row {
    struct plc_reader_slot slots[PLC_READER_ROW_SLOTS];
} __attribute__((aligned(128)));

/* The child of a fork keeps the table: what its thread reads it goes on reading, and what the others read stays read,
   as any lock stays held that another thread has at a fork. */
static struct row rows[PLC_READER_MAX_ROWS];

/* Zero: not decided yet; then never changed: the number of rows in use, and LIGHT if readers leave without a fence. */
enum { LIGHT = 1 << 30 };
static uint32_t shape;

static uint32_t rows_for(unsigned processors) {
    uint32_t count = 1;
    while (count < processors * PLC_READER_ROWS_PER_PROCESSOR && count < PLC_READER_MAX_ROWS)
        count *= 2;
    return count;
}

static uint32_t decide_shape(void) {
    uint32_t decided = 0;
    uint32_t mine = rows_for(plc_os_processor_count());
    mine |= plc_os_process_barrier_prepare() ? LIGHT : 0;
    /* relaxed: a number that is never changed once it is there, and that all threads take from here */
    return plc_cas_relaxed(&shape, &decided, mine) ? mine : decided;
}

static inline uint32_t current_shape(void) {
    uint32_t decided = plc_load_relaxed(&shape); /* relaxed: see decide_shape */
    return PLC_LIKELY(decided != 0) ? decided : decide_shape();
}

void plc_reader_table_prepare(void) {
    current_shape();
}

uint32_t plc_reader_table_rows(void) {
    return plc_load_relaxed(&shape) & ~(uint32_t)LIGHT; /* relaxed: see decide_shape */
}

static uint32_t hash_of(const void *address) {
    return (uint32_t)((uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15) >> 32); /* Fibonacci hashing */
}

/* The row of the processor on which the thread runs now, or where that is not known, one for the thread. */
static struct row *row_at_hand(const struct plc_thread *self) {
    uint32_t count = current_shape() & ~(uint32_t)LIGHT;
    uint32_t processor = plc_os_processor();
    if (PLC_UNLIKELY(processor == PLC_OS_UNKNOWN_PROCESSOR))
        processor = hash_of(self);
    return &rows[processor & (count - 1)];
}

struct plc_reader_slot *plc_reader_table_enter(const void *lock) {
    struct plc_thread *self = plc_thread_self();
    if (PLC_UNLIKELY(self->reads.count == PLC_READER_HOLDS))
        return NULL;
    struct row *row = row_at_hand(self);
    uint32_t first = hash_of(lock);
    for (uint32_t i = 0; i < PLC_READER_ROW_SLOTS; i++) {
        struct plc_reader_slot *slot = &row->slots[(first + i) % PLC_READER_ROW_SLOTS];
        const void *nobody = NULL;
        if (plc_load_relaxed(&slot->lock)) /* relaxed: the exchange checks it */
            continue;
        if (PLC_LIKELY(plc_cas_acquire(&slot->lock, &nobody, lock))) { /* acquire [S1]; before the fence of [S2] */
            self->reads.slots[self->reads.count++] = slot;
            plc_fence_seq_cst_after_rmw(); /* [S2] */
            return slot;
        }
    }
    return NULL;
}

struct plc_reader_slot *plc_reader_table_find(const void *lock) {
    const struct plc_reader_holds *reads = &plc_thread_self()->reads;
    for (uint32_t i = reads->count; i > 0; i--) {
        if (plc_load_relaxed(&reads->slots[i - 1]->lock) == lock) /* relaxed: the thread's own store */
            return reads->slots[i - 1];
    }
    return NULL;
}

static void forget(struct plc_reader_holds *reads, const struct plc_reader_slot *slot) {
    uint32_t last = --reads->count;
    uint32_t at = last;
    while (reads->slots[at] != slot)
        at--;
    reads->slots[at] = reads->slots[last];
}

void plc_reader_table_leave(struct plc_reader_slot *slot) {
    forget(&plc_thread_self()->reads, slot);
    plc_store_release(&slot->lock,
                      NULL); /* release [S1]; before the fence of [S3]; from here on the lock may be gone */
    if (PLC_LIKELY(current_shape() & LIGHT))
        plc_fence_compiler(); /* [S3] */
    else
        plc_fence_seq_cst();                             /* [S3] */
    if (PLC_UNLIKELY(plc_load_relaxed(&slot->sleepers))) /* relaxed [S3] */
        plc_lot_unpark_all(plc_lot_key(slot, PLC_WAITER_READER_SLOT), 0);
}

/* ---- The writer's side */

static bool has_left(const struct plc_reader_slot *slot, const void *lock) {
    return plc_load_acquire(&slot->lock) != lock; /* acquire [S1] */
}

struct wait {
    const struct plc_reader_slot *slot;
    const void *lock;
};

/* Runs under the bucket lock, which each reader that sees a sleeper takes after it has left (T3). */
static bool is_still_there(void *context) {
    const struct wait *wait = context;
    return !has_left(wait->slot, wait->lock);
}

static void heavy_fence(const void *lock) {
    if (!(current_shape() & LIGHT))
        plc_fence_seq_cst();                          /* [S3] */
    else if (PLC_UNLIKELY(!plc_os_process_barrier())) /* [S3] */
        plc_os_fatal("rwlock_scalable", lock, "the system call membarrier worked before, but is refused now");
}

static bool sleep_until_left(struct plc_reader_slot *slot, const void *lock, plc_deadline_t deadline) {
    static const struct plc_park_ops ops = {.validate = is_still_there};
    struct wait wait = {slot, lock};
    bool in_time = true;
    plc_fetch_add_relaxed(&slot->sleepers, 1u); /* relaxed: the fence orders it [S3] */
    heavy_fence(lock);
    while (in_time && !has_left(slot, lock)) {
        struct plc_park_result result =
            plc_lot_park(plc_lot_key(slot, PLC_WAITER_READER_SLOT), &ops, &wait, (uintptr_t)lock, deadline);
        in_time = result.status != PLC_PARK_TIMED_OUT;
    }
    plc_fetch_sub_relaxed(&slot->sleepers, 1u); /* relaxed: a reader that still sees it finds nobody asleep */
    return in_time || has_left(slot, lock);
}

static bool wait_until_left(struct plc_reader_slot *slot, const void *lock, plc_deadline_t deadline) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    while (!has_left(slot, lock)) {
        if (!plc_spin_once_evenly(&spin, PLC_RWLOCK_DRAIN_PAUSES, PLC_RWLOCK_DRAIN_ROUNDS))
            return sleep_until_left(slot, lock, deadline);
    }
    return true;
}

bool plc_reader_table_drain(const void *lock, plc_deadline_t deadline) {
    plc_fence_seq_cst(); /* [S2] */
    uint32_t count = current_shape() & ~(uint32_t)LIGHT;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < PLC_READER_ROW_SLOTS; j++) {
            if (PLC_UNLIKELY(!wait_until_left(&rows[i].slots[j], lock, deadline)))
                return false;
        }
    }
    return true;
}

size_t plc_reader_table_count(const void *lock) {
    size_t readers = 0;
    uint32_t count = plc_reader_table_rows();
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < PLC_READER_ROW_SLOTS; j++)
            readers += !has_left(&rows[i].slots[j], lock);
    }
    return readers;
}

bool plc_reader_table_is_clear(const void *lock) {
    plc_fence_seq_cst(); /* [S2] */
    return plc_reader_table_count(lock) == 0;
}
