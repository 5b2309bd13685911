/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tables of a profile: threads that insert the same at once find one entry, all of it, and no count is lost. */
#define _GNU_SOURCE
#include <plc/debug.h>
#include <plc/detail/atomic.h>

#include "mc.h"
#include "pthread/observe/profile/tables.h"
#include "pthread/observe/stack.h"

#include <sys/mman.h>

struct profile_region *profile_region;

/* Not static data, which would be too much to restore: fresh pages for each execution, where they were in the last one. */
static void region_setup(void) {
    void *pages = mmap((void *)0x230000000000, sizeof *profile_region, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    MC_ASSERT(pages != MAP_FAILED);
    profile_region = pages;
    profile_region->header.stack_words = 1;
    profile_region->header.waits = 1;
}

/* ---- What the tables need of others */

unsigned observe_stack(uintptr_t *frames, unsigned most) {
    (void)frames;
    (void)most;
    return 0;
}

void profile_modules_know(const uintptr_t *addresses, unsigned count) {
    (void)addresses;
    (void)count;
}

enum { OBJECT = 42 };

bool plc_debug_name_of(const void *object, char *name, size_t size) {
    MC_ASSERT((uintptr_t)object == OBJECT && size > 1);
    name[0] = 'x';
    name[1] = '\0';
    return true;
}

/* ---- Stacks: each is kept once, and whoever has its number can read it */

static uint32_t number_of[MC_MAX_THREADS];

static void keep_a_stack(int self) {
    static const uintptr_t frames[] = {7, 8};
    number_of[self] = profile_stack_keep(frames, 2);
    MC_ASSERT(profile_stack_caller(number_of[self]) == 7);
}

static void kept_once(void) {
    MC_ASSERT(number_of[0] != 0 && number_of[0] == number_of[1]);
    MC_ASSERT(profile_region->header.dropped_stacks == 0);
}

/* ---- Details of waits: one entry for an object, and one that is not shown if two threads came at once */

static struct profile_lock lock;

/* Nobody looks for a name when it counts there: that would order the same. */
static void counted_before(void) {
    region_setup();
    lock.object = OBJECT;
    profile_region->waits[1].count = profile_region->waits[2].count = 3;
}

static void count_a_wait(int self) {
    (void)self;
    struct profile_waits *waits = profile_waits_of(&lock);
    MC_ASSERT(waits->object == OBJECT && waits->name[0] == 'x');
    (void)plc_fetch_add_relaxed(&waits->count, UINT64_C(1)); /* relaxed: a count */
}

static void counted_in_one_entry(void) {
    uint32_t shown = 0;
    for (uint32_t i = 1; i < profile_region->header.waits; i++)
        shown += profile_region->waits[i].object == OBJECT;
    MC_ASSERT(shown == 1);
    MC_ASSERT(profile_region->waits[lock.waits].count == 3 + 2);
}

/* ---- A name that is given late */

static void without_a_name(void) {
    region_setup();
    lock.object = OBJECT;
    lock.waits = 1;
    profile_region->header.waits = 2;
    profile_region->waits[1].object = OBJECT;
}

static void look_for_the_name(int self) {
    (void)self;
    (void)profile_waits_of(&lock);
}

static void has_a_name(void) {
    MC_ASSERT(profile_region->waits[1].name[0] == 'x' && !profile_region->waits[1].is_being_named);
}

/* ---- Places */

static void wait_at_one_place(int self) {
    (void)self;
    profile_site_add(&profile_region->waits[1], 5, 1, 10);
}

static void added_up(void) {
    uint64_t weight = 0, ticks = 0;
    for (uint32_t i = 0; i < PROFILE_SITES; i++) {
        weight += profile_region->sites[i].weight;
        ticks += profile_region->sites[i].ticks;
    }
    MC_ASSERT(weight == 2 && ticks == 20 && profile_region->header.sites == 1);
    MC_ASSERT(profile_region->header.dropped_sites == 0);
}

#define TWO .threads = 2
MC_SCENARIOS({.name = "profile: two threads keep one stack",
              TWO,
              .setup = region_setup,
              .thread = keep_a_stack,
              .finish = kept_once},
             {.name = "profile: two threads wait for one object",
              TWO,
              .setup = counted_before,
              .thread = count_a_wait,
              .finish = counted_in_one_entry},
             {.name = "profile: two threads look for a name",
              TWO,
              .setup = without_a_name,
              .thread = look_for_the_name,
              .finish = has_a_name},
             {.name = "profile: two threads wait at one place",
              TWO,
              .setup = region_setup,
              .thread = wait_at_one_place,
              .finish = added_up});
