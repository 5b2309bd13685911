/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of objects, found by their addresses: open addressing, insertion by compare-and-swap, no removal. */
#include "tables.h"

#include <plc/detail/atomic.h>

/* Memory order
     [OL1] an entry is filled: CAS-release of its index slot -> load-acquire by whoever finds it. */

/* Far more than a table that is half full ever needs; a table that is full ends there. */
enum { PROBES_MOST = 128 };

static struct profile_lock *entry(uint32_t number) {
    size_t wide = (size_t)PROFILE_WIDE_LOCKS * PROFILE_WIDE_STRIDE;
    uint8_t *place =
        number < PROFILE_WIDE_LOCKS
            ? profile_region->locks + (size_t)number * PROFILE_WIDE_STRIDE
            : profile_region->locks + wide + (size_t)(number - PROFILE_WIDE_LOCKS) * sizeof(struct profile_lock);
    return (struct profile_lock *)(void *)place;
}

static uint32_t *slot(uint64_t object, uint32_t probe) {
    return &profile_region->index[(profile_hash(object) + probe) & (PROFILE_INDEX - 1)];
}

/* What the thread found lately. The index is large, and a slot of it is hardly ever in the processor's cache; this
   is. Entries are never removed, so nothing here goes out of date but by a fork: whoever is found says itself which
   object's it is. */
enum { RECENT = 128 };
static __thread struct profile_lock *recent[RECENT] __attribute__((tls_model("initial-exec")));

static struct profile_lock *search(uint64_t key) {
    for (uint32_t probe = 0; probe < PROBES_MOST; probe++) {
        uint32_t number = plc_load_acquire(slot(key, probe)); /* acquire [OL1] */
        if (number == 0)
            return NULL;
        struct profile_lock *lock = entry(number);
        if (PLC_LIKELY(lock->object == key))
            return lock;
    }
    return NULL;
}

struct profile_lock *profile_lock_find(const void *object) {
    uint64_t key = (uint64_t)(uintptr_t)object;
    struct profile_lock **place = &recent[profile_hash(key) % RECENT];
    struct profile_lock *lock = *place;
    if (PLC_LIKELY(lock != NULL && lock->object == key))
        return lock;
    lock = search(key);
    if (lock != NULL)
        *place = lock;
    return lock;
}

/* A new entry that nobody else sees yet; 0 if there is no room. */
static uint32_t make(uint64_t object, const struct profile_lock_birth *birth) {
    struct profile_header *header = &profile_region->header;
    /* relaxed, here and below: a full table stays full */
    uint32_t number = plc_load_relaxed(&header->locks);
    if (number <= PROFILE_LOCKS)
        number = plc_fetch_add_relaxed(&header->locks, 1u);
    if (number > PROFILE_LOCKS)
        return 0;
    struct profile_lock *lock = entry(number);
    lock->object = object;
    lock->type = birth->type;
    lock->kind = birth->kind;
    lock->lives = 1;
    lock->origin = profile_stack_of_origin(birth->caller);
    return number;
}

static __attribute__((noinline)) struct profile_lock *insert(uint64_t object, const struct profile_lock_birth *birth) {
    uint32_t mine = 0;
    for (uint32_t probe = 0; probe < PROBES_MOST; probe++) {
        uint32_t *place = slot(object, probe);
        uint32_t number = plc_load_acquire(place); /* acquire [OL1] */
        if (number == 0) {
            if (mine == 0 && (mine = make(object, birth)) == 0)
                return NULL;
            if (plc_cas_release_or_acquire(place, &number, mine)) /* release [OL1]; if it fails, acquire [OL1] */
                return entry(mine);
        }
        if (entry(number)->object == object) {
            if (mine != 0)
                entry(mine)->object = 0; /* two threads came at once: one entry is lost, and no report shows it */
            return entry(number);
        }
    }
    if (mine != 0)
        entry(mine)->object = 0;
    return NULL;
}

struct profile_lock *profile_lock_of(const void *object, const struct profile_lock_birth *birth) {
    struct profile_lock *lock = profile_lock_find(object);
    return PLC_LIKELY(lock != NULL) ? lock : insert((uint64_t)(uintptr_t)object, birth);
}
