/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* At every lock that is taken while another is held: has this thread done so before? If not, the graph is asked. */
#include "lock_order.h"

#include "../../layout.h"
#include "../../thread.h"
#include "lock_graph.h"
#include "order_report.h"

#include <plc/detail/atomic.h>

#include <errno.h>
#include <string.h>

/* What counts as an order

   "A, then B" is noted when a thread that holds A takes B in a way that may wait for ever. Taking B by a try or with a deadline is
   no such order, but whatever is taken while B is held then is. Taking a recursive mutex again, reading a rwlock
   again, or writing what one reads, is none: the lock is held. Nothing is noted while the process has one thread: what is done
   before the first thread starts meets nothing. A lock that is given up by other threads than took it (held_is_handed_over)
   is no lock that its taker holds.

   Which lock is it? Each has a number, its identity, in bytes that nobody uses, with a check that depends on its address. Whatever makes
   a new lock of the memory clears these bytes, also std::mutex, whose construction and destruction no function tells. glibc's own
   kinds (process-shared, robust, priority-aware) have no such bytes and are left out. The bytes are read, and written if the lock has
   no number yet, when the lock is taken, by who takes it; never later, for then somebody else may have given it up, and its
   memory may be gone or hold something else.

   A thread remembers a hash of what it held and what it took; the same again needs nothing but to find that. Otherwise the
   graph is asked under its lock. Only there locks get nodes: most are never taken inside another, nor another inside them. */

#if defined(__LP64__)
PLC_STATIC_ASSERT(offsetof(pthread_mutex_t, __data.__list) % 8 == 0, "a mark is aligned");
PLC_STATIC_ASSERT(offsetof(pthread_rwlock_t, __data.__pad3) == 16, "a mark is aligned");
#endif

/* The place of the lock's mark, or null if it has none. */
static uint64_t *mark_of(const void *object, bool is_mutex) {
#if defined(__LP64__)
    if (is_mutex) {
        pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)object;
        int kind = dropin_mutex_kind(mutex);
        return kind < 0 || dropin_kind_is_foreign(kind) ? NULL : (uint64_t *)(void *)&mutex->__data.__list;
    }
    pthread_rwlock_t *rwlock = (pthread_rwlock_t *)(uintptr_t)object;
    return rwlock->__data.__shared != 0 ? NULL : (uint64_t *)(void *)&rwlock->__data.__pad3;
#else
    (void)object;
    (void)is_mutex;
    return NULL;
#endif
}

static uint64_t mix(uint64_t value) {
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9); /* the finaliser of splitmix64 */
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

/* The mark
     63                    40 39           0
    [ check of the address   | identity     ]   zero: none yet */
#define IDENTITY_MASK ((UINT64_C(1) << 40) - 1)

static uint64_t mark_for(const void *object, uint64_t identity) {
    return (mix((uint64_t)(uintptr_t)object ^ identity << 24) & ~IDENTITY_MASK) | identity;
}

/* Zero: there is none. */
static uint64_t identity_in(uint64_t mark, const void *object) {
    uint64_t identity = mark & IDENTITY_MASK;
    return identity != 0 && mark == mark_for(object, identity) ? identity : 0;
}

static __attribute__((noinline)) uint64_t give_identity(uint64_t *mark, const void *object) {
    static uint64_t last_identity; /* relaxed, as the marks: nothing but the numbers themselves is handed on */
    uint64_t identity = (plc_fetch_add_relaxed(&last_identity, UINT64_C(1)) + 1) & IDENTITY_MASK;
    uint64_t value = plc_load_relaxed(mark);
    uint64_t found;
    while ((found = identity_in(value, object)) ==
           0) /* of two readers that come at once, the second finds the first's */
        if (plc_cas_relaxed(mark, &value, mark_for(object, identity)))
            return identity;
    return found;
}

uint64_t lock_order_identity(const void *object, enum observe_mode mode) {
    uint64_t *mark = mark_of(object, mode == OBSERVE_MUTEX);
    if (mark == NULL)
        return 0;
    uint64_t identity = identity_in(plc_load_relaxed(mark), object);
    return PLC_LIKELY(identity != 0) ? identity : give_identity(mark, object);
}

/* ---- What a thread has done already */

static void begin_epoch(struct watched_thread *self, uint32_t epoch) {
    self->orders_epoch = epoch;
    memset(self->orders_seen, 0, sizeof self->orders_seen);
}

static uint64_t hash_of(const struct held_lock *lock, bool is_taken) {
    return mix(lock->identity << 8 | (unsigned)lock->mode << 1 | is_taken);
}

/* A number for: taking this lock while holding these. The order in which those were taken does not matter. */
static uint64_t signature(const struct watched_thread *self, const struct held_lock *taken) {
    uint64_t sum = hash_of(taken, true);
    for (unsigned i = 0; i < self->held_count; i++) {
        const struct held_lock *held = &self->held[i];
        if (held->identity != 0 && !held_is_handed_over(held->object))
            sum += hash_of(held, false);
    }
    return sum | 1u; /* zero is an unused place */
}

static __attribute__((noinline)) void ask_graph(struct watched_thread *self, const struct held_lock *taken) {
    struct order_cycle cycle;
    struct quiet_section section = lock_graph_lock();
    bool found = lock_graph_epoch() == self->orders_epoch && lock_graph_add(self, taken, &cycle);
    quiet_leave(&section);
    if (found)
        order_report(&cycle);
}

void lock_order_taken(struct watched_thread *self, const struct held_lock *taken) {
    /* In a signal handler that interrupted a wait other threads may be reading what this one holds. */
    if (PLC_LIKELY(self->held_count == 0) || dropin_is_single_threaded() || self->wait_count != 0)
        return;
    if (taken->identity == 0 || held_find(self, taken->object) != NULL || held_is_handed_over(taken->object))
        return;
    int saved_errno = errno;
    uint32_t epoch = lock_graph_epoch();
    if (PLC_UNLIKELY(self->orders_epoch != epoch))
        begin_epoch(self, epoch);
    uint64_t seen = signature(self, taken);
    uint64_t *place = &self->orders_seen[(seen >> 8) % ORDERS_REMEMBERED];
    if (PLC_UNLIKELY(*place != seen)) {
        *place = seen;
        ask_graph(self, taken);
    }
    errno = saved_errno;
}

/* ---- */

bool lock_order_start(void) {
    return lock_graph_start();
}

void lock_order_forget(const void *object, enum observe_type type) {
    /* A destroyed mutex has no kind any more, but its bytes are still there. */
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)object;
    const uint64_t *mark =
        type == OBSERVE_MUTEX_TYPE ? (const uint64_t *)(void *)&mutex->__data.__list : mark_of(object, false);
    uint64_t identity = mark == NULL ? 0 : identity_in(plc_load_relaxed(mark), object);
    if (identity != 0)
        lock_graph_forget(identity);
}

void lock_order_after_fork(void) {
    lock_graph_after_fork();
}
