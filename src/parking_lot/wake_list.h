/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The waiters that are promised a wake under the bucket's lock, and are woken once it is unlocked. */
#ifndef PLC_WAKE_LIST_H
#define PLC_WAKE_LIST_H

#include "parking_lot/observer.h"
#include "parking_lot/queue.h"
#include "parking_lot/tasks.h"
#include "platform/platform.h"
#include "platform/tuning.h"

/* Linked through the waiters themselves, so that waking any number needs no memory, and by a link of its own, as one that
   is summoned stays in its queue. First in, first woken. */
struct plc_wake_list {
    struct plc_waiter *head;
    struct plc_waiter *tail;
    const void *tasks_at; /* an address at which tasks are due, or null */
};

/* The bucket is locked. What the promise means is for the waiter's state to say. */
static inline void plc_wake_list_promise(struct plc_wake_list *list, struct plc_waiter *waiter, uintptr_t token) {
    waiter->unpark_token = token;
    waiter->next_to_wake = NULL;
    plc_thread_parker_unpark_lock(&waiter->parker);
    if (list->tail)
        list->tail->next_to_wake = waiter;
    else
        list->head = waiter;
    list->tail = waiter;
}

/* The same for one that has been taken out of its queue; its token is set when all are known. A task goes back into the
   bucket as one that is due: who gives up waiting must be able to leave, whichever list he is in. */
static inline void plc_wake_list_add(struct plc_wake_list *list, struct plc_bucket *bucket, struct plc_waiter *waiter) {
    if (PLC_UNLIKELY(waiter->is_task)) {
        list->tasks_at = waiter->address;
        plc_task_becomes_due(bucket, waiter);
        return;
    }
    waiter->state = PLC_WAITER_DEQUEUED;
    plc_wake_list_promise(list, waiter, 0);
}

/* The bucket is still locked. */
static inline void plc_wake_list_set_token(struct plc_wake_list *list, uintptr_t token) {
    for (struct plc_waiter *waiter = list->head; waiter; waiter = waiter->next_to_wake)
        waiter->unpark_token = token;
}

/* The bucket is still locked. May the first that will be woken have waited for so long that a lock shall be handed to it?
 * The clock is read by who asks, and not by who comes: a waiter notes when this was last asked of its bucket, and its wait is
 * counted from then on. So one that has waited for that long is always due; one that has not may be as well where it is
 * seldom asked, and there a hand-over more costs nothing. */
static inline bool plc_wake_list_is_due(const struct plc_wake_list *list, struct plc_bucket *bucket) {
    if (!list->head)
        return false;
    int64_t now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    bucket->asked_at = now;
    return now - list->head->waiting_since > PLC_FAIR_AFTER_NS;
}

void plc_wake_list_wake_many(const struct plc_wake_list *list);

/* The bucket was unlocked by plc_bucket_unlock_to_wake, whose section this ends: what was promised must be kept, but
   tasks' wakers are the program's own code. Threads that sleep are woken together, by few calls. A waiter is gone once it was let
   go: its link is read before.
   Inlined, as all is that is left to do after a wake: the kernel may run the woken thread at once, and the processor has forgotten by
   then where this one's calls return to, so that each return is mispredicted. */
static inline void plc_wake_list_wake(struct plc_wake_list *list) {
    if (PLC_UNLIKELY(list->head != list->tail))
        plc_wake_list_wake_many(list);
    else if (list->head)
        plc_waiter_wake(list->head);
    plc_lot_leave();
    if (PLC_UNLIKELY(list->tasks_at))
        plc_tasks_wake_due(list->tasks_at);
}

#endif
