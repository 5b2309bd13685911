/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The stacks of a profile, each kept once. */
#include "tables.h"

#include "../stack.h"

#include <plc/detail/atomic.h>

#include <string.h>

/* Memory order
     [OS1] a stack is written: CAS-release of its index slot -> load-acquire by whoever compares with it. */

enum { PROBES_MOST = 64 };

static uint32_t hash_of(const uintptr_t *frames, unsigned depth) {
    uint64_t hash = depth;
    for (unsigned i = 0; i < depth; i++)
        hash = (hash ^ (uint64_t)frames[i]) * UINT64_C(0xff51afd7ed558ccd) + (hash >> 29);
    return profile_hash(hash);
}

static uint64_t head_of(uint32_t hash, unsigned depth) {
    return (uint64_t)hash << 32 | depth;
}

static bool is_same(uint32_t number, uint64_t head, const uintptr_t *frames, unsigned depth) {
    const uint64_t *words = &profile_region->stacks[number];
    if (words[0] != head)
        return false;
    for (unsigned i = 0; i < depth; i++)
        if (words[1 + i] != (uint64_t)frames[i])
            return false;
    return true;
}

/* Writes the stack where nobody else sees it yet; 0 if there is no room. */
static uint32_t write_down(uint64_t head, const uintptr_t *frames, unsigned depth) {
    struct profile_header *header = &profile_region->header;
    uint32_t room = PROFILE_STACK_WORDS - depth - 1;
    /* relaxed: a full table stays full */
    uint32_t number = plc_load_relaxed(&header->stack_words);
    if (number <= room)
        number = plc_fetch_add_relaxed(&header->stack_words, depth + 1);
    if (number > room)
        return 0;
    uint64_t *words = &profile_region->stacks[number];
    words[0] = head;
    for (unsigned i = 0; i < depth; i++)
        words[1 + i] = (uint64_t)frames[i];
    profile_modules_know(frames, depth);
    return number;
}

uint32_t profile_stack_keep(const uintptr_t *frames, unsigned depth) {
    uint32_t hash = hash_of(frames, depth);
    uint64_t head = head_of(hash, depth);
    uint32_t mine = 0;
    for (uint32_t probe = 0; probe < PROBES_MOST && depth != 0; probe++) {
        uint32_t *place = &profile_region->stack_index[(hash + probe) & (PROFILE_STACK_INDEX - 1)];
        uint32_t number = plc_load_acquire(place); /* acquire [OS1] */
        if (number == 0) {
            if (mine == 0 && (mine = write_down(head, frames, depth)) == 0)
                break;
            if (plc_cas_release_or_acquire(place, &number, mine)) /* release [OS1]; if it fails, acquire [OS1] */
                return mine;
        }
        if (is_same(number, head, frames, depth))
            return number;
    }
    if (depth != 0)
        (void)plc_fetch_add_relaxed(&profile_region->header.dropped_stacks, UINT64_C(1)); /* relaxed: a count */
    return 0;
}

uint32_t profile_stack_here(void) {
    uintptr_t frames[PROFILE_STACK_DEPTH];
    return profile_stack_keep(frames, observe_stack(frames, PROFILE_STACK_DEPTH));
}

/* Programs with a million locks make them at a few places: unwinding for each would cost more than it tells. */
uint32_t profile_stack_of_origin(const void *caller) {
    enum { DEPTH = 8, UNWOUND_MOST = 4096 };
    uintptr_t frames[DEPTH] = {(uintptr_t)caller};
    unsigned depth = 1;
    if (plc_load_relaxed(&profile_region->header.locks) < UNWOUND_MOST) /* relaxed: it only grows */
        depth = observe_stack(frames, DEPTH);
    return profile_stack_keep(frames, depth);
}

uint64_t profile_stack_caller(uint32_t number) {
    return number == 0 ? 0 : profile_region->stacks[number + 1];
}
