/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Timers: a pairing heap for each clock, in the timers themselves, so that nothing is allocated. */
#include <errno.h>

#include "driver/driver.h"
#include "platform/platform.h"

/* The heap: each timer's children fire no earlier than it does; they are a list by `sibling`, and `link` is what points at a
 * timer: the driver's root, its parent's `child`, or its elder sibling's `sibling`. Null: it is in no heap. Inserting takes a
 * step; taking one out takes as many steps as it has children, in the long run a logarithm of all.
 *
 * All members but has_fired are guarded by the driver's lock while the timer is in a heap.
 *
 * Memory order
 *   [F1] the release that sets has_fired -> the acquire of plc_timer_has_fired: what whoever ran the driver did before. */

static plc_timer_t *meld(plc_timer_t *a, plc_timer_t *b) {
    if (!a || !b)
        return a ? a : b;
    plc_timer_t *first = b->deadline.ns < a->deadline.ns ? b : a;
    plc_timer_t *second = first == a ? b : a;
    second->sibling = first->child;
    if (second->sibling)
        second->sibling->link = &second->sibling;
    second->link = &first->child;
    first->child = second;
    return first;
}

/* Of a list of siblings, in two passes: pairs from the left, then all of these from the right. */
static plc_timer_t *meld_all(plc_timer_t *list) {
    plc_timer_t *pairs = NULL;
    while (list) {
        plc_timer_t *a = list, *b = a->sibling;
        list = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b)
            b->sibling = NULL;
        plc_timer_t *pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    plc_timer_t *root = NULL;
    while (pairs) {
        plc_timer_t *pair = pairs;
        pairs = pair->sibling;
        pair->sibling = NULL;
        root = meld(root, pair);
    }
    return root;
}

static void set_root(plc_timer_t **root, plc_timer_t *timer) {
    *root = timer;
    if (timer)
        timer->link = root;
}

static void insert(plc_timer_t **root, plc_timer_t *timer) {
    timer->child = timer->sibling = NULL;
    set_root(root, meld(*root, timer));
}

static void take_out(plc_timer_t **root, plc_timer_t *timer) {
    plc_timer_t *children = meld_all(timer->child);
    if (*root == timer) {
        set_root(root, children);
    } else {
        *timer->link = timer->sibling;
        if (timer->sibling)
            timer->sibling->link = timer->link;
        set_root(root, meld(*root, children));
    }
    timer->link = NULL;
}

static plc_timer_t **root_of(const plc_timer_t *timer) {
    return &timer->driver->timers[timer->deadline.clock];
}

static plc_waker_t fire(plc_timer_t *timer) {
    plc_waker_t waker = timer->waker;
    timer->waker.vtable = NULL;
    plc_store_release(&timer->has_fired, 1u); /* release [F1]; the last access: the timer may be gone */
    return waker;
}

size_t plc_timers_take(plc_driver_t *driver, bool all, plc_waker_t *wakers, size_t max) {
    size_t count = 0;
    for (int i = 0; i < PLC_CLOCKS; i++) {
        plc_timer_t **root = &driver->timers[i];
        int64_t now = *root && !all ? plc_os_now_ns((enum plc_clock)i) : INT64_MAX;
        while (*root && count < max && (*root)->deadline.ns <= now) {
            plc_timer_t *timer = *root;
            take_out(root, timer);
            wakers[count++] = fire(timer);
        }
    }
    return count;
}

/* Returns its waker, if it has not been woken. */
static plc_waker_t stop(plc_timer_t *timer) {
    plc_waker_t waker = timer->waker;
    timer->waker.vtable = NULL;
    if (timer->link)
        take_out(root_of(timer), timer);
    return waker;
}

bool plc_timer_cancel(plc_timer_t *timer) {
    plc_driver_t *driver = timer->driver;
    if (!driver)
        return false;
    plc_mutex_lock(&driver->lock);
    bool in_time = timer->link != NULL;
    plc_waker_t waker = stop(timer);
    plc_mutex_unlock(&driver->lock);
    plc_waker_drop(&waker);
    return in_time;
}

void plc_timer_start(plc_driver_t *driver, plc_timer_t *timer, plc_deadline_t deadline, plc_waker_t waker) {
    plc_timer_cancel(timer);
    plc_mutex_lock(&driver->lock);
    timer->driver = driver;
    timer->deadline = deadline;
    timer->waker = waker;
    plc_store_relaxed(&timer->has_fired, 0u); /* relaxed: the caller's own */
    bool is_over = driver->is_shut;
    bool is_first = driver->is_waiting && deadline.ns < driver->until[deadline.clock];
    if (is_over)
        waker = fire(timer);
    else
        insert(root_of(timer), timer);
    plc_mutex_unlock(&driver->lock);
    if (is_over)
        plc_waker_wake(&waker);
    else if (is_first)
        plc_driver_operations()->unpark(driver);
}

bool plc_timer_has_fired(const plc_timer_t *timer) {
    return plc_load_acquire(&timer->has_fired); /* acquire [F1] */
}
