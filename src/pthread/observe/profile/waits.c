/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The details of objects for which somebody waited, and the places where they waited. */
#include "tables.h"

#include <plc/debug.h>
#include <plc/detail/atomic.h>

/* Memory order
     [OW1] the details of an object are filled: CAS-release of their number -> load-acquire by whoever counts there.
     [OW2] a name is written: store-release of its flag -> exchange-acquire by the next thread that would write it. */

PLC_STATIC_ASSERT((int)PROFILE_NAME_SIZE == (int)PLC_DEBUG_NAME_SIZE, "no name is cut");

/* One thread at a time; the others need not wait for it. */
static void name(struct profile_waits *waits) {
    if (plc_exchange_acquire(&waits->is_being_named, 1u) != 0) /* acquire [OW2] */
        return;
    if (waits->name[0] == '\0')
        (void)plc_debug_name_of((const void *)(uintptr_t)waits->object, waits->name, sizeof waits->name);
    plc_store_release(&waits->is_being_named, (uint8_t)0); /* release [OW2] */
}

static uint16_t make(struct profile_lock *lock) {
    struct profile_header *header = &profile_region->header;
    /* relaxed: a full table stays full */
    uint32_t number = plc_load_relaxed(&header->waits);
    if (number < PROFILE_WAITS)
        number = plc_fetch_add_relaxed(&header->waits, 1u);
    if (number >= PROFILE_WAITS)
        return 0;
    struct profile_waits *waits = &profile_region->waits[number];
    waits->object = lock->object;
    waits->origin = lock->origin;
    waits->type = lock->type;
    waits->kind = lock->kind;
    name(waits);
    return (uint16_t)number;
}

struct profile_waits *profile_waits_of(struct profile_lock *lock) {
    uint16_t number = lock == NULL ? 0 : plc_load_acquire(&lock->waits); /* acquire [OW1] */
    if (number == 0 && lock != NULL) {
        uint16_t mine = make(lock);
        if (mine == 0 || plc_cas_release_or_acquire(&lock->waits, &number, mine)) /* release [OW1], or acquire [OW1] */
            number = mine;
        else
            profile_region->waits[mine].object = 0; /* another thread was faster: these are lost, and not shown */
    }
    struct profile_waits *waits = &profile_region->waits[number];
    /* A name may be given late. Looked for seldom: at the powers of two. */
    uint64_t count = plc_load_relaxed(&waits->count); /* relaxed: a hint */
    if (number != 0 && (count & (count - 1)) == 0)
        name(waits);
    return waits;
}

/* Only the thread that initialises the object anew comes here. */
void profile_waits_retire(struct profile_lock *lock) {
    uint16_t number = plc_load_relaxed(&lock->waits);
    if (number == 0)
        return;
    profile_region->waits[number].acquisitions = lock->acquisitions;
    plc_store_relaxed(&lock->waits, (uint16_t)0); /* relaxed: nobody else may use the object yet */
    lock->acquisitions = 0;
}

void profile_site_add(const struct profile_waits *waits, uint32_t stack, uint64_t weight, uint64_t ticks) {
    enum { PROBES_MOST = 64 };
    struct profile_header *header = &profile_region->header;
    uint64_t key = (uint64_t)(waits - profile_region->waits) << 32 | stack;
    /* relaxed throughout: a slot's key never changes once it is there, and numbers are only added up */
    for (uint32_t probe = 0; probe < PROBES_MOST && stack != 0; probe++) {
        struct profile_site *site = &profile_region->sites[(profile_hash(key) + probe) & (PROFILE_SITES - 1)];
        uint64_t present = plc_load_relaxed(&site->key);
        if (present == 0 && plc_cas_relaxed(&site->key, &present, key)) {
            (void)plc_fetch_add_relaxed(&header->sites, 1u);
            present = key;
        }
        if (present == key) {
            (void)plc_fetch_add_relaxed(&site->weight, weight);
            (void)plc_fetch_add_relaxed(&site->ticks, ticks);
            return;
        }
    }
    (void)plc_fetch_add_relaxed(&header->dropped_sites, weight);
}
