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

   Which lock is it? A number in bytes of the lock that nobody uses, with a check that depends on its address. Whatever makes a new
   lock of the memory clears these bytes, also std::mutex, whose construction and destruction no function tells. glibc's own kinds
   (process-shared, robust, priority-aware) have no such bytes and are left out.

   A thread remembers a hash of what it held and what it took; the same again needs nothing but to find that. Otherwise the
   graph is asked under its lock.

   Memory order
     [LO1] a node is complete: store-release of its number in the lock's mark -> load-acquire of the mark. */

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

/*   63                   32 31                    0
    [ check of the address  | number of the node    ] */
static uint64_t mark_for(const void *object, uint32_t node, uint32_t epoch) {
    return mix((uint64_t)(uintptr_t)object ^ (uint64_t)epoch << 48) << 32 | node;
}

/* Zero: it has no node yet. */
static uint32_t node_in(const uint64_t *mark, const void *object, uint32_t epoch) {
    uint64_t value = plc_load_acquire(mark); /* acquire [LO1] */
    uint32_t node = (uint32_t)value;
    return node != 0 && value == mark_for(object, node, epoch) && lock_graph_has(node, object) ? node : 0;
}

/* Of two threads that come at once, the second finds the mark of the first. */
static __attribute__((noinline)) uint32_t new_node(uint64_t *mark, const void *object, enum observe_mode mode,
                                                   uint32_t epoch) {
    struct quiet_section section = lock_graph_lock();
    uint32_t node = 0;
    if (lock_graph_epoch() == epoch) {
        node = node_in(mark, object, epoch);
        if (node == 0) {
            node = lock_graph_add_node(object, mode);
            if (node != 0)
                plc_store_release(mark, mark_for(object, node, epoch)); /* release [LO1] */
        }
    }
    quiet_leave(&section);
    return node;
}

static uint32_t node_of(const void *object, enum observe_mode mode, uint32_t epoch) {
    uint64_t *mark = mark_of(object, mode == OBSERVE_MUTEX);
    if (mark == NULL)
        return 0;
    uint32_t node = node_in(mark, object, epoch);
    return PLC_LIKELY(node != 0) ? node : new_node(mark, object, mode, epoch);
}

/* ---- What a thread has done already */

static void begin_epoch(struct watched_thread *self, uint32_t epoch) {
    self->orders_epoch = epoch;
    memset(self->orders_seen, 0, sizeof self->orders_seen);
    for (unsigned i = 0; i < self->held_count; i++)
        self->held[i].node = 0;
}

/* Finds the held locks' nodes, and a number for: taking this node while holding these. The order in which those were taken does not
   matter. */
static uint64_t signature(struct watched_thread *self, uint32_t node, enum observe_mode mode) {
    uint64_t sum = mix((uint64_t)node << 8 | (unsigned)mode << 1 | 1u);
    for (unsigned i = 0; i < self->held_count; i++) {
        struct held_lock *held = &self->held[i];
        if (held->node == 0)
            held->node = node_of(held->object, held->mode, self->orders_epoch);
        if (held->node != 0 && !held_is_handed_over(held->object))
            sum += mix((uint64_t)held->node << 8 | (unsigned)held->mode << 1);
    }
    return sum | 1u; /* zero is an unused place */
}

static __attribute__((noinline)) void ask_graph(struct watched_thread *self, uint32_t node, enum observe_mode mode,
                                                call_stack_id stack) {
    struct order_cycle cycle;
    struct quiet_section section = lock_graph_lock();
    bool found =
        lock_graph_epoch() == self->orders_epoch && lock_graph_add(self, node, mode != OBSERVE_READ, stack, &cycle);
    quiet_leave(&section);
    if (found)
        order_report(&cycle);
}

void lock_order_taken(struct watched_thread *self, const void *object, enum observe_mode mode, call_stack_id stack) {
    /* In a signal handler that interrupted a wait other threads may be reading what this one holds. */
    if (PLC_LIKELY(self->held_count == 0) || dropin_is_single_threaded() || self->wait_count != 0)
        return;
    if (held_find(self, object) != NULL || held_is_handed_over(object))
        return;
    int saved_errno = errno;
    uint32_t epoch = lock_graph_epoch();
    if (PLC_UNLIKELY(self->orders_epoch != epoch))
        begin_epoch(self, epoch);
    uint32_t node = node_of(object, mode, epoch);
    if (node != 0) {
        uint64_t seen = signature(self, node, mode);
        uint64_t *place = &self->orders_seen[(seen >> 8) % ORDERS_REMEMBERED];
        if (PLC_UNLIKELY(*place != seen)) {
            *place = seen;
            ask_graph(self, node, mode, stack);
        }
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
    uint32_t epoch = lock_graph_epoch();
    uint32_t node = mark == NULL ? 0 : node_in(mark, object, epoch);
    if (node == 0)
        return;
    struct quiet_section section = lock_graph_lock();
    if (lock_graph_epoch() == epoch)
        lock_graph_remove_node(node);
    quiet_leave(&section);
}

void lock_order_after_fork(void) {
    lock_graph_after_fork();
}
