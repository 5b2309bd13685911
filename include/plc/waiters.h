/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  Many threads wait on one word until one wakes them all.
 *
 *  The word holds a value of five bits, and who waits. A thread waits while the value is what it expects, and until the
 *  next plc_waiters_store_and_wake, which stores a value, that one or another, and wakes all who wait. It is what a
 *  once, a latch or an event need, and no more: one word, no allocation, no table.
 *
 *  Zeroed memory has the value 0 and no waiters; nothing is destroyed. A store that wakes does not touch the word once it
 *  has stored: whoever sees the new value may free it.
 *
 *  Ordering: all that happened before a store that wakes, or before a compare-exchange, happens before the return of each
 *  wait that it ended, and of each plc_waiters_value that sees its value. Waits never end for no reason. errno is preserved.
 *
 *  After valet_parking's Waiters. docs/design/task.md has both forms of the word. */
#ifndef PLC_WAITERS_H
#define PLC_WAITERS_H

#include <plc/deadline.h>

PLC_BEGIN_DECLS

/** A value and who waits for it to change; `word` is private. */
typedef union plc_waiters {
    uintptr_t word;    /**< private */
    uint32_t sequence; /**< private */
} plc_waiters_t;

/** The value 0, and nobody waits. So is any zeroed memory. */
#define PLC_WAITERS_INIT                                                                                               \
    { 0 }

/** Values are below this. Greater ones abort with a message. */
enum { PLC_WAITERS_VALUES = 32 };

/** How a wait ended. */
enum plc_waiters_status {
    PLC_WAITERS_WOKEN,     /**< By a store that wakes; the value may have changed again since. */
    PLC_WAITERS_CHANGED,   /**< The value was not the expected one to begin with; the thread did not wait. */
    PLC_WAITERS_TIMED_OUT, /**< The deadline passed first. */
};

/** The value. Never blocks. */
PLC_API unsigned plc_waiters_value(const plc_waiters_t *waiters);

/** Waits until the next store that wakes, if the value is @p expected. */
PLC_API enum plc_waiters_status plc_waiters_wait(plc_waiters_t *waiters, unsigned expected);

/** As plc_waiters_wait, but no longer than until @p deadline. */
PLC_API enum plc_waiters_status plc_waiters_wait_until(plc_waiters_t *waiters, unsigned expected,
                                                       plc_deadline_t deadline);

/** Stores @p value and wakes all who wait. Never blocks (but for a moment, where it is built on POSIX). */
PLC_API void plc_waiters_store_and_wake(plc_waiters_t *waiters, unsigned value);

/** Stores @p value if the value is @p *expected, and wakes nobody; else stores what it is there and returns false, which orders
 *  nothing. */
PLC_API bool plc_waiters_compare_exchange(plc_waiters_t *waiters, unsigned *expected, unsigned value);

PLC_END_DECLS
#endif
