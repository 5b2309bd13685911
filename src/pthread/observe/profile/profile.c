/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The observer behind plc-run --profile: counts, times and places of waits and holds. */
#include "profile.h"

#include "../stack.h"
#include "region.h"
#include "tables.h"

#include <plc/detail/atomic.h>

/* What costs what. An acquisition is counted and its time is taken by the holder, without an atomic operation: the lock
   itself keeps others out. A wait is counted in a histogram. Unwinding a stack takes some microseconds and is done

     - before a wait, while there is nothing else to do anyway: always if waits for this lock are long on the average,
       else for one in 2^n of them, so that unwinding stays below a twentieth of the waiting; it then counts for 2^n
       waits;
     - after a wait of a millisecond, if it was not done before: such waits count for themselves;
     - before an unlock, if the hold was the longest so far by an eighth and 20 microseconds at least.

   So the totals of a lock are exact, and the shares of the places within them are estimates where waits are short. */
enum {
    SAMPLED_BELOW_NS = 100000, /* the average wait from which on every stack is taken */
    SAMPLED_LOG2_MOST = 6,     /* at least one in 64 */
    SAMPLED_AFTER = 16,        /* waits of which all stacks are taken, until the average says something */
    LONG_WAIT_NS = 1000000,    /* its stack is taken in any case */
    LONG_HOLD_NS = 20000,      /* the stack of a longest hold is taken from here on */
};

/* What a thread remembers while it waits, and of the locks that it reads. */
enum { READS_MOST = 8 };
struct profile_thread {
    uint32_t stack;       /* taken before the wait; 0: none */
    uint32_t weight_log2; /* how many waits it stands for */
    uint32_t random;
    uint32_t reads; /* in use */
    struct {
        const void *object;
        uint64_t since;
    } read[READS_MOST];
};
static __thread struct profile_thread profile_thread __attribute__((tls_model("initial-exec")));

/* The limits above in ticks. One tick for each nanosecond is assumed until the process has run long enough to know. */
static uint64_t sampled_below = SAMPLED_BELOW_NS;
static uint64_t long_wait = LONG_WAIT_NS;
static uint64_t long_hold = LONG_HOLD_NS;

static bool start(const char *socket_name) {
    return profile_region_start(socket_name);
}

static void after_fork(void) {
    profile_thread = (struct profile_thread){.random = 0};
    profile_region_after_fork();
}

static uint8_t kind_of(enum observe_type type, int kind) {
    unsigned flags = (unsigned)kind & PROFILE_KIND;
    if (type == OBSERVE_MUTEX_TYPE && kind > 0 && (kind & ~PROFILE_KIND) != 0)
        flags |= PROFILE_FOREIGN;
    return (uint8_t)flags;
}

static enum observe_type type_of(enum observe_mode mode) {
    return mode == OBSERVE_MUTEX ? OBSERVE_MUTEX_TYPE : OBSERVE_RWLOCK_TYPE;
}

/* ---- Birth and death */

static void created(const void *object, enum observe_type type, int kind, const void *caller) {
    uint8_t flags = (uint8_t)(kind_of(type, kind) | PROFILE_INITIALISED);
    const struct profile_lock_birth birth = {(uint8_t)type, flags, caller};
    if (profile_region == NULL)
        return;
    struct profile_lock *lock = profile_lock_find(object);
    if (lock == NULL) {
        if (profile_lock_of(object, &birth) == NULL)
            (void)plc_fetch_add_relaxed(&profile_region->header.dropped_locks, UINT64_C(1)); /* relaxed: a count */
        return;
    }
    /* An address that had another lock. Of the same place it is one of many alike, and goes on; else it begins anew. */
    if (profile_stack_caller(lock->origin) != (uint64_t)(uintptr_t)caller || lock->type != (uint8_t)type) {
        profile_waits_retire(lock);
        lock->origin = profile_stack_of_origin(caller);
        lock->longest_hold = 0;
        lock->hold_stack = 0;
        lock->type = (uint8_t)type;
    }
    lock->kind = flags;
    lock->since = 0;
    lock->lives++;
}

static void destroyed(const void *object, enum observe_type type) {
    struct profile_lock *lock = profile_region == NULL ? NULL : profile_lock_find(object);
    (void)type;
    if (lock != NULL)
        lock->kind |= PROFILE_DESTROYED;
}

/* The object's entry; it is counted as dropped if there is no room. */
static struct profile_lock *lock_of(const void *object, enum observe_type type, int kind, const void *caller) {
    const struct profile_lock_birth birth = {(uint8_t)type, kind_of(type, kind), caller};
    if (PLC_UNLIKELY(profile_region == NULL))
        return NULL;
    return profile_lock_of(object, &birth);
}

/* ---- Stacks, some of them */

static uint32_t random_number(void) {
    uint32_t value = profile_thread.random;
    if (value == 0)
        value = (uint32_t)(uintptr_t)&profile_thread ^ (uint32_t)observe_ticks();
    value |= value == 0;
    value ^= value << 13;
    value ^= value >> 17;
    value ^= value << 5;
    profile_thread.random = value;
    return value;
}

/* One wait in 2^n: n from the average so far. */
static uint32_t weight_log2_of(const struct profile_waits *waits) {
    uint64_t count = plc_load_relaxed(&waits->count); /* relaxed, both: a hint */
    uint64_t total = plc_load_relaxed(&waits->total);
    if (count < SAMPLED_AFTER)
        return 0;
    uint64_t average = total / count;
    uint32_t n = 0;
    while (n < SAMPLED_LOG2_MOST && average << n < sampled_below)
        n++;
    return n;
}

static void take_stack_before(const struct profile_waits *waits) {
    uint32_t n = weight_log2_of(waits);
    profile_thread.stack = 0;
    profile_thread.weight_log2 = n;
    if ((random_number() >> 8 & ((1u << n) - 1)) == 0)
        profile_thread.stack = profile_stack_here();
}

/* Long waits stand for themselves; short ones for others of their kind that had no stack taken. */
static void count_place(struct profile_waits *waits, uint64_t waited) {
    uint32_t stack = profile_thread.stack;
    uint32_t n = profile_thread.weight_log2;
    profile_thread.stack = 0;
    if (waited >= long_wait) {
        n = 0;
        if (stack == 0)
            stack = profile_stack_here();
    }
    if (stack == 0)
        return;
    profile_site_add(waits, stack, UINT64_C(1) << n, waited << n);
    if (waited >= plc_load_relaxed(&waits->longest)) /* relaxed: if two were longest at once, either will do */
        plc_store_relaxed(&waits->longest_stack, stack);
}

/* ---- Waits */

/* The process is young at the first wait and older at the later ones: look at the clock now and then. */
static void calibrate(uint64_t count) {
    if ((count & (count - 1)) != 0)
        return;
    double ticks_per_ns = observe_ticks_per_second() / 1e9;
    plc_store_relaxed(&sampled_below, (uint64_t)(SAMPLED_BELOW_NS * ticks_per_ns)); /* relaxed: limits, roughly */
    plc_store_relaxed(&long_wait, (uint64_t)(LONG_WAIT_NS * ticks_per_ns));
    plc_store_relaxed(&long_hold, (uint64_t)(LONG_HOLD_NS * ticks_per_ns));
}

static void begin(struct profile_lock *lock) {
    struct profile_waits *waits = profile_waits_of(lock);
    (void)plc_fetch_add_relaxed(&waits->waiting, 1u);
    take_stack_before(waits);
}

/* relaxed throughout: numbers that are added up. */
static void end(struct profile_lock *lock, uint64_t waited, bool is_timeout) {
    struct profile_waits *waits = profile_waits_of(lock);
    if (waits == profile_region->waits)
        (void)plc_fetch_add_relaxed(&profile_region->header.dropped_waits, UINT64_C(1));
    if (plc_load_relaxed(&waits->waiting) != 0) /* it began before a fork, or before the table had room */
        (void)plc_fetch_sub_relaxed(&waits->waiting, 1u);
    count_place(waits, waited);
    calibrate(plc_fetch_add_relaxed(&waits->count, UINT64_C(1)));
    (void)plc_fetch_add_relaxed(&waits->total, waited);
    (void)plc_fetch_add_relaxed(&waits->buckets[profile_bucket(waited)], 1u);
    if (is_timeout)
        (void)plc_fetch_add_relaxed(&waits->timeouts, 1u);
    uint64_t longest = plc_load_relaxed(&waits->longest);
    while (waited > longest && !plc_cas_relaxed(&waits->longest, &longest, waited)) {
    }
}

static void wait_begin(const void *object, enum observe_mode mode, bool is_timed, const void *caller) {
    (void)is_timed;
    struct profile_lock *lock = lock_of(object, type_of(mode), 0, caller);
    if (profile_region != NULL)
        begin(lock);
}

static void wait_end(const void *object, enum observe_mode mode, uint64_t waited, bool is_acquired) {
    (void)mode;
    if (profile_region != NULL)
        end(profile_lock_find(object), waited, !is_acquired);
}

static void cond_wait_begin(const void *cond, const void *mutex, bool is_timed, const void *caller) {
    (void)mutex;
    (void)is_timed;
    struct profile_lock *lock = lock_of(cond, OBSERVE_COND_TYPE, 0, caller);
    if (lock != NULL)
        (void)plc_fetch_add_relaxed(&lock->acquisitions, UINT64_C(1)); /* relaxed: a count */
    if (profile_region != NULL)
        begin(lock);
}

static void cond_wait_end(const void *cond, const void *mutex, uint64_t waited, bool is_woken) {
    (void)mutex;
    if (profile_region != NULL)
        end(profile_lock_find(cond), waited, !is_woken);
}

/* A cond that nobody has waited for has no details to count this in. */
static void cond_notified(const void *cond, bool all, const void *caller) {
    struct profile_lock *lock = profile_region == NULL ? NULL : profile_lock_find(cond);
    uint16_t number = lock == NULL ? 0 : plc_load_relaxed(&lock->waits); /* relaxed: a hint, and a count */
    (void)all;
    (void)caller;
    if (number != 0)
        (void)plc_fetch_add_relaxed(&profile_region->waits[number].notified, UINT64_C(1));
}

/* ---- Holds */

static void begin_to_read(const void *object) {
    struct profile_thread *thread = &profile_thread;
    if (thread->reads == READS_MOST)
        return; /* not timed */
    thread->read[thread->reads].object = object;
    thread->read[thread->reads].since = observe_ticks();
    thread->reads++;
}

/* When the calling thread began to read it, the latest time; 0 if nobody knows. */
static uint64_t end_to_read(const void *object) {
    struct profile_thread *thread = &profile_thread;
    for (uint32_t i = thread->reads; i-- > 0;) {
        if (thread->read[i].object != object)
            continue;
        uint64_t since = thread->read[i].since;
        thread->read[i] = thread->read[--thread->reads];
        return since;
    }
    return 0;
}

static void acquired(const void *object, enum observe_mode mode, int kind, unsigned flags, const void *caller) {
    struct profile_lock *lock = lock_of(object, type_of(mode), kind, caller);
    if (PLC_UNLIKELY(lock == NULL)) {
        if (profile_region != NULL)
            (void)plc_fetch_add_relaxed(&profile_region->header.dropped_acquisitions,
                                        UINT64_C(1)); /* relaxed: a count */
        return;
    }
    if (mode == OBSERVE_READ) {
        (void)plc_fetch_add_relaxed(&lock->acquisitions, UINT64_C(1)); /* relaxed: a count */
        begin_to_read(object);
        return;
    }
    /* relaxed, both: the holder alone writes them */
    plc_store_relaxed(&lock->acquisitions, plc_load_relaxed(&lock->acquisitions) + 1);
    if ((flags & OBSERVE_AGAIN) == 0)
        plc_store_relaxed(&lock->since, observe_ticks());
}

static __attribute__((noinline)) void remember_hold(struct profile_lock *lock, uint64_t held) {
    uint64_t longest = plc_load_relaxed(&lock->longest_hold); /* relaxed, all: readers may overwrite each other's */
    plc_store_relaxed(&lock->longest_hold, held);
    if (held >= plc_load_relaxed(&long_hold) &&
        (held - longest > longest / 8 || plc_load_relaxed(&lock->hold_stack) == 0))
        plc_store_relaxed(&lock->hold_stack, profile_stack_here());
}

static void released(const void *object, enum observe_mode mode) {
    struct profile_lock *lock = profile_region == NULL ? NULL : profile_lock_find(object);
    if (PLC_UNLIKELY(lock == NULL))
        return;
    uint64_t since = mode == OBSERVE_READ ? end_to_read(object) : plc_load_relaxed(&lock->since); /* relaxed: ours */
    if (PLC_UNLIKELY(since == 0))
        return;
    uint64_t held = observe_ticks_since(since);
    uint16_t number = plc_load_relaxed(&lock->waits); /* relaxed: only numbers are added there */
    if (mode != OBSERVE_READ)
        plc_store_relaxed(&lock->since, UINT64_C(0));
    if (number != 0)
        (void)plc_fetch_add_relaxed(&profile_region->waits[number].held, held);
    if (PLC_UNLIKELY(held > plc_load_relaxed(&lock->longest_hold)))
        remember_hold(lock, held);
}

const struct observer profile_observer = {
    .variable = "PLC_PROFILE_SOCKET",
    .start = start,
    .after_fork = after_fork,
    .created = created,
    .destroyed = destroyed,
    .wait_begin = wait_begin,
    .wait_end = wait_end,
    .acquired = acquired,
    .released = released,
    .cond_wait_begin = cond_wait_begin,
    .cond_wait_end = cond_wait_end,
    .cond_notified = cond_notified,
};
