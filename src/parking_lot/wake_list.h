/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The waiters that an unpark has taken out under the bucket's lock and wakes once it is unlocked. */
#ifndef PLC_WAKE_LIST_H
#define PLC_WAKE_LIST_H

#include "parking_lot/queue.h"
#include "platform/platform.h"
#include "platform/tuning.h"

/* Linked through the waiters themselves, so that waking any number needs no memory. First in, first woken. */
struct plc_wake_list {
    struct plc_waiter *head;
    struct plc_waiter *tail;
};

/* The bucket is locked, and the waiter has been taken out of its queue. */
static inline void plc_wake_list_add(struct plc_wake_list *list, struct plc_waiter *waiter) {
    waiter->next = NULL;
    waiter->state = PLC_WAITER_DEQUEUED;
    plc_thread_parker_unpark_lock(&waiter->parker);
    if (list->tail)
        list->tail->next = waiter;
    else
        list->head = waiter;
    list->tail = waiter;
}

/* The bucket is still locked. */
static inline void plc_wake_list_set_token(struct plc_wake_list *list, uintptr_t token) {
    for (struct plc_waiter *waiter = list->head; waiter; waiter = waiter->next)
        waiter->unpark_token = token;
}

/* The bucket is still locked. Has the first that will be woken waited for so long that a lock shall be handed to it? */
static inline bool plc_wake_list_is_due(const struct plc_wake_list *list) {
    return list->head && plc_os_now_ns(PLC_CLOCK_MONOTONIC) - list->head->waiting_since > PLC_FAIR_AFTER_NS;
}

/* No bucket is locked. A waiter is gone once it was woken: its link is read before. */
static inline void plc_wake_list_wake(struct plc_wake_list *list) {
    struct plc_waiter *next;
    for (struct plc_waiter *waiter = list->head; waiter; waiter = next) {
        next = waiter->next;
        waiter->wake(waiter);
    }
}

#endif
