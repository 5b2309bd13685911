/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tables of a profile: objects, details of their waits, stacks, and where in memory which file is. */
#ifndef PLC_PROFILE_TABLES_H
#define PLC_PROFILE_TABLES_H

#include "region.h"

struct profile_lock_birth {
    uint8_t type;
    uint8_t kind;
    const void *caller;
};

/* The object's entry, made if there is none; null if there is no room. */
struct profile_lock *profile_lock_of(const void *object, const struct profile_lock_birth *birth);

/* The same, but never made. */
struct profile_lock *profile_lock_find(const void *object);

/* The details of an object's waits, made if there are none; those of number 0 if there is no room. */
struct profile_waits *profile_waits_of(struct profile_lock *lock);

/* The lock at this address is another one from now on: its details stay as they are, for the report. */
void profile_waits_retire(struct profile_lock *lock);

/* Counts a wait at a place: `weight` waits of `ticks` in all. */
void profile_site_add(const struct profile_waits *waits, uint32_t stack, uint64_t weight, uint64_t ticks);

/* The number of a stack that is kept from now on; 0 if there is no room. */
uint32_t profile_stack_keep(const uintptr_t *frames, unsigned depth);

/* The number of the calling thread's stack. */
uint32_t profile_stack_here(void);

/* The number of a stack that says where an object was made: some frames of it for the first objects, then the caller
   alone. */
uint32_t profile_stack_of_origin(const void *caller);

/* The innermost address of a stack. */
uint64_t profile_stack_caller(uint32_t number);

/* Sees to it that the files behind these addresses are noted. Reads /proc/self/maps if not. */
void profile_modules_know(const uintptr_t *addresses, unsigned count);

#endif
