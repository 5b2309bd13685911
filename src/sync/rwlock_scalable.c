/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reader-writer lock whose readers scale: who goes by the table, who by the lock's word, and when that changes. */
#include <plc/detail/atomic.h>
#include <plc/rwlock_scalable.h>

#include "platform/tuning.h"
#include "sync/reader_table.h"

/* States, invariants B1 to B4 and the proof: docs/design/rwlock_scalable.md.
 *
 * Memory order (with reader_table.c, and rwlock.c for inner)
 *   [B1] opening the table, store-release -> the reader's second look, after it entered, load-acquire: all that writers
 *        did before. Who opens it holds inner, and so has acquired that.
 *   That a reader which entered and a writer which closed the table cannot miss each other is [S2] of reader_table.c. */

/* ---- The table */

/* Reads by way of the table, if it is open and there is room. */
static bool read_by_table(plc_rwlock_scalable_t *lock) {
    if (!plc_load_relaxed(&lock->table_is_open)) /* relaxed: looked at again below */
        return false;
    struct plc_reader_slot *slot = plc_reader_table_enter(lock); /* [S2] */
    if (PLC_UNLIKELY(!slot))
        return false;
    if (PLC_LIKELY(plc_load_acquire(&lock->table_is_open))) /* acquire [B1] */
        return true;
    plc_reader_table_leave(slot); /* a writer is looking through the table: it may have seen us and wait */
    return false;
}

/* The caller holds inner. */
static void open_table(plc_rwlock_scalable_t *lock) {
    plc_store_release(&lock->table_is_open, 1u); /* release [B1] */
}

/* The caller holds inner. Opens the table when enough readers have come this way since the last write. */
static void read_by_inner(plc_rwlock_scalable_t *lock) {
    uint32_t left = plc_load_relaxed(&lock->counted_reads); /* relaxed: an estimate; readers may count as one */
    if (left > 0)
        plc_store_relaxed(&lock->counted_reads, left - 1); /* relaxed: likewise */
    else if (!plc_load_relaxed(&lock->table_is_open))      /* relaxed: nobody closes it while we hold inner (B1) */
        open_table(lock);
}

/* The caller holds inner for writing. Waits until no reader is left in the table; false, with everything as it was,
   when the deadline passes first. */
static bool close_table(plc_rwlock_scalable_t *lock, plc_deadline_t deadline) {
    if (!plc_load_relaxed(&lock->table_is_open)) /* relaxed: changed only by who holds inner (B1) */
        return true;
    plc_store_relaxed(&lock->table_is_open, 0u); /* relaxed: carries no data; before the fence of [S2] */
    if (PLC_LIKELY(plc_reader_table_drain(lock, deadline)))
        return true;
    open_table(lock);
    return false;
}

static bool close_table_at_once(plc_rwlock_scalable_t *lock) {
    if (!plc_load_relaxed(&lock->table_is_open)) /* relaxed: as above */
        return true;
    if (plc_reader_table_count(lock) > 0) /* the common case of failure costs no fence, and readers no detour */
        return false;
    plc_store_relaxed(&lock->table_is_open, 0u); /* relaxed: as above [S2] */
    if (plc_reader_table_is_clear(lock))
        return true;
    open_table(lock);
    return false;
}

/* ---- Reading */

void plc_rwlock_scalable_read_lock_(plc_rwlock_scalable_t *lock) {
    if (PLC_LIKELY(read_by_table(lock)))
        return;
    plc_reader_table_prepare();
    plc_rwlock_read_lock(&lock->inner);
    read_by_inner(lock);
}

bool plc_rwlock_scalable_try_read_lock_(plc_rwlock_scalable_t *lock) {
    if (PLC_LIKELY(read_by_table(lock)))
        return true;
    plc_reader_table_prepare();
    if (!plc_rwlock_try_read_lock(&lock->inner))
        return false;
    read_by_inner(lock);
    return true;
}

bool plc_rwlock_scalable_read_lock_until_(plc_rwlock_scalable_t *lock, plc_deadline_t deadline) {
    if (PLC_LIKELY(read_by_table(lock)))
        return true;
    plc_reader_table_prepare();
    if (!plc_rwlock_read_lock_until(&lock->inner, deadline))
        return false;
    read_by_inner(lock);
    return true;
}

void plc_rwlock_scalable_read_unlock_(plc_rwlock_scalable_t *lock) {
    struct plc_reader_slot *slot = plc_reader_table_find(lock);
    if (PLC_LIKELY(slot != NULL))
        plc_reader_table_leave(slot);
    else
        plc_rwlock_read_unlock(&lock->inner); /* or a mistake, which inner reports */
}

/* ---- Writing */

void plc_rwlock_scalable_write_lock_(plc_rwlock_scalable_t *lock) {
    plc_rwlock_write_lock(&lock->inner);
    close_table(lock, PLC_NO_DEADLINE);
}

bool plc_rwlock_scalable_try_write_lock_(plc_rwlock_scalable_t *lock) {
    if (!plc_rwlock_try_write_lock(&lock->inner))
        return false;
    if (close_table_at_once(lock))
        return true;
    plc_rwlock_write_unlock(&lock->inner);
    return false;
}

bool plc_rwlock_scalable_write_lock_until_(plc_rwlock_scalable_t *lock, plc_deadline_t deadline) {
    if (!plc_rwlock_write_lock_until(&lock->inner, deadline))
        return false;
    if (close_table(lock, deadline))
        return true;
    plc_rwlock_write_unlock(&lock->inner);
    return false;
}

/* The caller is about to let readers in again: how many are to come before the table is worth another sweep. */
static void count_reads_anew(plc_rwlock_scalable_t *lock) {
    uint32_t reads = PLC_READER_COUNTED + PLC_READER_COUNTED_PER_ROW * plc_reader_table_rows();
    plc_store_relaxed(&lock->counted_reads, reads); /* relaxed: an estimate */
}

void plc_rwlock_scalable_write_unlock_(plc_rwlock_scalable_t *lock) {
    count_reads_anew(lock);
    plc_rwlock_write_unlock(&lock->inner);
}

void plc_rwlock_scalable_downgrade_(plc_rwlock_scalable_t *lock) {
    count_reads_anew(lock);
    plc_rwlock_downgrade(&lock->inner);
}

size_t plc_rwlock_scalable_readers_(const plc_rwlock_scalable_t *lock) {
    uintptr_t state = plc_load_relaxed(&lock->inner.state); /* relaxed: out of date as soon as it is known */
    return (state & PLC_RWLOCK_READERS_) / PLC_RWLOCK_READER_ + plc_reader_table_count(lock);
}
