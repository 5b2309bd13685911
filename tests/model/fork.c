/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The child of a fork: one thread goes on alone with a copy of all memory. */
#include "internal.h"

#include <string.h>

/* The search does not need the parent: it goes on as if there had been no fork, which other scenarios cover. So the
   forking thread simply becomes the child's only one. */

enum { MAX_RANGES = 8 };

static struct range {
    void *pages;
    size_t size;
} ranges[MAX_RANGES];
static int range_count;

void fork_reset(void) {
    range_count = 0;
}

void mc_wipe_on_fork(void *pages, size_t size) {
    for (int i = 0; i < range_count; i++) {
        if (ranges[i].pages == pages)
            return;
    }
    if (range_count == MAX_RANGES)
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "more than %d ranges to be wiped on fork", MAX_RANGES);
    ranges[range_count++] = (struct range){pages, size};
}

void mc_fork(bool wipes) {
    if (mc.mode != MODE_MODEL)
        return;
    contention_everywhere();
    operation_begin(OP_FORK, NULL, 0, RELAXED, __builtin_return_address(0))->operand = wipes;
    operation_run();
}

/* The copy of memory is complete: it holds the newest of everything that any thread did. */
static void inherit_memory(struct thread *child) {
    for (int i = 0; i < mc.threads; i++)
        view_join(&child->current, &mc.thread[i].current);
    for (int i = 0; i < mc.location_count; i++) {
        if (!mc.locations[i].reload)
            child->current.seen[i] = mc.locations[i].last_stamp;
    }
}

/* Ideal locks stand for words in wiped memory: who is gone holds none. */
static void lose_others(int self) {
    for (int i = 0; i < mc.threads; i++) {
        if (i != self)
            mc.thread[i].op.kind = OP_DONE;
    }
    for (int i = 0; i < mc.lock_count; i++)
        mc.locks[i].held &= mc.locks[i].holder == self;
    mc.sleeper_count = 0; /* the child is not asleep */
}

void fork_execute(int self, const struct operation *op) {
    inherit_memory(&mc.thread[self]);
    lose_others(self);
    for (int i = 0; i < range_count && op->operand; i++) {
        race_plain((uintptr_t)ranges[i].pages, ranges[i].size, true, op->site);
        static_data_dirty((uintptr_t)ranges[i].pages, ranges[i].size);
        memset(ranges[i].pages, 0, ranges[i].size);
    }
}
