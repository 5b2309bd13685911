/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A permit in one word of a pointer's size: plc/parker.h for code that must do without a table, also where there is no
 *  futex: then the word points to what the parked thread keeps on its stack.
 *
 *  The interface is that of plc_parker_t: one owner parks, anybody unparks at any time and any number of times, permits do
 *  not add up, and the ordering is the same. An unpark that has left its permit does not touch the word again, so it may
 *  be freed as soon as nobody will unpark it any more. Nothing allocates; errno is preserved.
 *
 *  After valet_parking's Parker. */
#ifndef PLC_WORD_PARKER_H
#define PLC_WORD_PARKER_H

#include <plc/deadline.h>

PLC_BEGIN_DECLS

/** A parker of one word; the members are private. */
typedef union plc_word_parker {
    uintptr_t word; /**< private */
    uint32_t state; /**< private */
} plc_word_parker_t;

/** A parker without a permit. So is any zeroed memory. */
#define PLC_WORD_PARKER_INIT                                                                                           \
    { 0 }

/** Owner: takes the permit; waits for it if there is none. */
PLC_API void plc_word_parker_park(plc_word_parker_t *parker);

/** As plc_word_parker_park, but gives up when @p deadline has passed; returns whether it took a permit. A permit that is
 *  there is taken even after the deadline. */
PLC_API bool plc_word_parker_park_until(plc_word_parker_t *parker, plc_deadline_t deadline);

/** Any thread: leaves a permit, and wakes the owner if it is parked. Never blocks. */
PLC_API void plc_word_parker_unpark(plc_word_parker_t *parker);

PLC_END_DECLS
#endif
