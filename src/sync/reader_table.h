/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table in which readers of scalable locks say that they read, each processor in a row of its own. */
#ifndef PLC_READER_TABLE_H
#define PLC_READER_TABLE_H

#include <plc/deadline.h>

PLC_BEGIN_DECLS

/* One table for all locks and all shared objects of the process. What it promises, and why: reader_table.c. */

/* One reader of one lock, or nobody. */
struct plc_reader_slot {
    const void *lock;  /* null: free */
    uint32_t sleepers; /* writers that sleep, or are about to, until this slot is left */
};

/* To be called, with nothing locked, before a lock's readers first use the table: decides how many rows it has, and
   whether readers do without fences. May take milliseconds the first time in a process. */
void plc_reader_table_prepare(void);

/* How many rows it has: a measure of what a look through it costs; 0 while nobody has called prepare. */
uint32_t plc_reader_table_rows(void);

/* Puts the lock into a slot of the calling thread, and passes a full fence; null if there is no free one at hand. The
   caller then looks whether readers of the lock still use the table, and if not leaves the slot again. */
struct plc_reader_slot *plc_reader_table_enter(const void *lock);

/* The calling thread's newest slot with this lock in it, or null. */
struct plc_reader_slot *plc_reader_table_find(const void *lock);

/* Leaves one of the calling thread's own slots, and wakes the writers that wait for that. The lock is not touched. */
void plc_reader_table_leave(struct plc_reader_slot *slot);

/* Waits until each slot that has the lock in it has been left; false when the deadline passes first. The caller has
   seen to it that those who enter from now on leave at once. */
bool plc_reader_table_drain(const void *lock, plc_deadline_t deadline);

/* The same without waiting: is there no slot that has the lock in it? */
bool plc_reader_table_is_clear(const void *lock);

/* How many slots have the lock in them; exact only while nobody enters or leaves. */
size_t plc_reader_table_count(const void *lock);

PLC_END_DECLS
#endif
