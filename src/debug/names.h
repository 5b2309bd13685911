/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The names of plc/debug.h: one static table, read without a lock. */
#ifndef PLC_DEBUG_NAMES_H
#define PLC_DEBUG_NAMES_H

#include <plc/debug.h>

#include "platform/tuning.h"

enum { PLC_NAME_WORDS = PLC_NAME_BYTES / sizeof(uint64_t) };
#ifndef PLC_MODEL
PLC_STATIC_ASSERT((int)PLC_NAME_CAPACITY == (int)PLC_DEBUG_NAMES && (int)PLC_NAME_BYTES == (int)PLC_DEBUG_NAME_SIZE,
                  "as the public header says");
#endif

/* Apart from the texts, so that a search goes through little memory. Zero is a table without names. */
struct plc_name_table {
    const void *objects[PLC_NAME_CAPACITY]; /* null: free */
    uint32_t versions[PLC_NAME_CAPACITY];   /* odd: being changed */
    uint64_t texts[PLC_NAME_CAPACITY][PLC_NAME_WORDS];
};
extern struct plc_name_table plc_name_table;

/* How many names did not fit since the process began. */
uint32_t plc_names_dropped(void);

#endif
