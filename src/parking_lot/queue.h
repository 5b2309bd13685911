/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The queue of a bucket: a list through the waiters, linked both ways. The bucket is locked throughout. */
#ifndef PLC_QUEUE_H
#define PLC_QUEUE_H

#include <plc/detail/atomic.h>

#include "parking_lot/bucket_table.h"
#include "platform/tuning.h"

static inline void plc_queue_count(struct plc_bucket *bucket, uint32_t change) {
    plc_store_relaxed(&bucket->waiters, bucket->waiters + change); /* relaxed: read elsewhere only as an estimate */
}

static inline void plc_queue_push_back(struct plc_bucket *bucket, struct plc_waiter *waiter) {
    waiter->next = NULL;
    waiter->previous = bucket->tail;
    if (bucket->tail)
        bucket->tail->next = waiter;
    else
        bucket->head = waiter;
    bucket->tail = waiter;
    plc_queue_count(bucket, 1);
}

static inline void plc_queue_push_front(struct plc_bucket *bucket, struct plc_waiter *waiter) {
    waiter->next = bucket->head;
    if (bucket->head)
        bucket->head->previous = waiter;
    else
        bucket->tail = waiter;
    bucket->head = waiter;
    plc_queue_count(bucket, 1);
}

/* The same for one that was taken out of another queue: under the key of this one. */
static inline void plc_requeue_append(struct plc_bucket *bucket, struct plc_lot_key to, struct plc_waiter *waiter) {
    plc_store_relaxed(&waiter->address, to.address); /* relaxed: read without the lock only to find the bucket */
    waiter->kind = to.kind;
    plc_queue_push_back(bucket, waiter);
}

/* Takes out the waiter that follows previous, or the head if previous is null. Then the next one is the head, whose link
   back nobody follows: its line, which its owner may be spinning on, is left alone. */
static inline void plc_queue_remove(struct plc_bucket *bucket, struct plc_waiter *previous, struct plc_waiter *waiter) {
    if (previous) {
        previous->next = waiter->next;
        if (waiter->next)
            waiter->next->previous = previous;
    } else {
        bucket->head = waiter->next;
    }
    if (bucket->tail == waiter)
        bucket->tail = previous;
    plc_queue_count(bucket, UINT32_MAX); /* minus one */
}

/* The one before a waiter, or null if that is the head. */
static inline struct plc_waiter *plc_queue_previous(const struct plc_bucket *bucket, const struct plc_waiter *waiter) {
    return waiter == bucket->head ? NULL : waiter->previous;
}

/* The first waiter of the key from `waiter` on, and in *previous the one before it. */
static inline struct plc_waiter *plc_queue_find(struct plc_waiter *waiter, struct plc_lot_key key,
                                                struct plc_waiter **previous) {
    while (waiter && !plc_waiter_matches(waiter, key)) {
        *previous = waiter;
        waiter = waiter->next;
    }
    return waiter;
}

/* The first waiter of the key in the bucket. Passing many of other keys on the way means that the table is too
   small. */
static inline struct plc_waiter *plc_queue_find_first(struct plc_bucket *bucket, struct plc_lot_key key,
                                                      struct plc_waiter **previous) {
    struct plc_waiter *waiter = bucket->head;
    unsigned foreign = 0;
    while (waiter && !plc_waiter_matches(waiter, key)) {
        foreign += waiter->address != key.address; /* a lock's tasks have another kind than its threads */
        *previous = waiter;
        waiter = waiter->next;
    }
    if (PLC_UNLIKELY(foreign > PLC_GROW_AFTER_FOREIGN))
        plc_bucket_table_wish_to_grow();
    return waiter;
}

static inline bool plc_queue_contains(struct plc_waiter *waiter, struct plc_lot_key key) {
    struct plc_waiter *previous = NULL;
    return plc_queue_find(waiter, key, &previous) != NULL;
}

#endif
