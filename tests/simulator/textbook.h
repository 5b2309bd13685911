/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The locks of the textbooks, to be compared with. */
#ifndef PLC_SIMULATOR_TEXTBOOK_H
#define PLC_SIMULATOR_TEXTBOOK_H

#include <plc/detail/atomic.h>

#include "platform/platform.h"
#include "simulator.h"

#define OWN_LINE __attribute__((aligned(128)))

/* ---- Test and set */

struct test_and_set {
    uint32_t held OWN_LINE;
};

static inline void test_and_set_lock(struct test_and_set *lock) {
    while (plc_exchange_acquire(&lock->held, 1u))
        sim_pause();
}

static inline void test_and_set_unlock(struct test_and_set *lock) {
    plc_store_release(&lock->held, 0u);
}

/* ---- Test, and test and set, with exponential backoff (Anderson 1990) */

static inline void backoff_lock(struct test_and_set *lock) {
    for (uint64_t limit = 64; plc_exchange_acquire(&lock->held, 1u); limit = limit < 8192 ? limit * 2 : limit) {
        sim_work((int64_t)sim_random(limit));
        while (plc_load_relaxed(&lock->held))
            sim_pause();
    }
}

/* ---- Ticket lock (Mellor-Crummey and Scott 1991) */

struct ticket {
    uint32_t next OWN_LINE;
    uint32_t serving;
};

static inline void ticket_lock(struct ticket *lock) {
    uint32_t mine = plc_fetch_add_relaxed(&lock->next, 1u);
    while (plc_load_acquire(&lock->serving) != mine)
        sim_pause();
}

static inline void ticket_unlock(struct ticket *lock) {
    plc_store_release(&lock->serving, lock->serving + 1);
}

/* ---- The queue locks: MCS (the same), CLH (Craig; Landin and Hagersten 1993) */

struct queue_node {
    struct queue_node *next OWN_LINE;
    uint32_t waits;
};

struct queue_lock {
    struct queue_node *tail OWN_LINE;
};

static inline void mcs_lock(struct queue_lock *lock, struct queue_node *mine) {
    plc_store_relaxed(&mine->next, NULL);
    plc_store_relaxed(&mine->waits, 1u);
    struct queue_node *before = plc_exchange_acq_rel(&lock->tail, mine);
    if (!before)
        return;
    plc_store_release(&before->next, mine);
    while (plc_load_acquire(&mine->waits))
        sim_pause();
}

static inline void mcs_unlock(struct queue_lock *lock, struct queue_node *mine) {
    struct queue_node *after = plc_load_acquire(&mine->next);
    struct queue_node *expected = mine;
    if (!after && plc_cas_release(&lock->tail, &expected, NULL))
        return;
    while (!after) {
        sim_pause();
        after = plc_load_acquire(&mine->next);
    }
    plc_store_release(&after->waits, 0u);
}

/* The tail is never null: it begins with a node that does not wait. Returns the predecessor's, to be used next time. */
static inline struct queue_node *clh_lock(struct queue_lock *lock, struct queue_node *mine) {
    plc_store_relaxed(&mine->waits, 1u);
    struct queue_node *before = plc_exchange_acq_rel(&lock->tail, mine);
    while (plc_load_acquire(&before->waits))
        sim_pause();
    return before;
}

static inline void clh_unlock(struct queue_node *mine) {
    plc_store_release(&mine->waits, 0u);
}

/* ---- Three states and a futex (Drepper 2005), as glibc's normal mutex does it: no spinning */

static inline void futex_lock(struct test_and_set *lock) {
    uint32_t seen = 0;
    if (plc_cas_acquire(&lock->held, &seen, 1u))
        return;
    while (plc_exchange_acquire(&lock->held, 2u))
        plc_os_futex_wait(&lock->held, 2, PLC_NO_DEADLINE);
}

static inline void futex_unlock(struct test_and_set *lock) {
    if (plc_exchange_release(&lock->held, 0u) == 2)
        plc_os_futex_wake(&lock->held, 1);
}

/* ---- A word that counts readers, without any queue */

static inline void counter_read_lock(struct test_and_set *lock) {
    plc_fetch_add_acquire(&lock->held, 2u); /* no writer ever comes where it is used */
}

static inline void counter_read_unlock(struct test_and_set *lock) {
    plc_fetch_sub_release(&lock->held, 2u);
}

#endif
