/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The observer behind `plc-run --deadlock` and `plc-run --lock-order`: keeps what threads hold, and asks both. */
#include "watch.h"
#include "../../layout.h"
#include "deadlock.h"
#include "held.h"
#include "lock_order.h"
#include "order_report.h"
#include "report.h"

#include <string.h>

/* The value of PLC_WATCH: "deadlock", "deadlock=abort", "lock-order", or several, with commas between. */
static bool watches_deadlocks;
static bool aborts;
static bool watches_order;

static bool is_word(const char *text, size_t length, const char *word) {
    return strlen(word) == length && strncmp(text, word, length) == 0;
}

static bool start(const char *value) {
    for (size_t length; *value != '\0'; value += length + (value[length] == ',')) {
        length = strcspn(value, ",");
        watches_deadlocks |= is_word(value, length, "deadlock") || is_word(value, length, "deadlock=abort");
        aborts |= is_word(value, length, "deadlock=abort");
        watches_order |= is_word(value, length, "lock-order");
    }
    report_start();
    if (watches_order)
        watches_order = lock_order_start();
    return watches_deadlocks || watches_order;
}

/* ---- Locks */

/* The object lives: the caller holds it or waits for it. */
static int kind_of(const void *object, enum observe_mode mode) {
    return mode == OBSERVE_MUTEX ? dropin_mutex_kind(object) : (int)((const pthread_rwlock_t *)object)->__data.__flags;
}

static bool readers_queue(const void *object, enum observe_mode mode) {
    return mode != OBSERVE_MUTEX && kind_of(object, mode) == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
}

/* All that must be read from the lock while it is there. */
static struct held_lock describe(const void *object, enum observe_mode mode, call_stack_id stack) {
    return (struct held_lock){.object = object,
                              .mode = mode,
                              .readers_queue = readers_queue(object, mode),
                              .identity = watches_order ? lock_order_identity(object, mode) : 0,
                              .stack = stack};
}

static enum call_stack_way way_of(unsigned flags) {
    if ((flags & OBSERVE_AFTER_COND) != 0)
        return CALL_STACK_TAKEN_AFTER_COND;
    return (flags & OBSERVE_CONTENDED) != 0 ? CALL_STACK_TAKEN_AFTER_WAIT : CALL_STACK_TAKEN;
}

static void acquired(const void *object, enum observe_mode mode, int kind, unsigned flags, const void *caller) {
    struct watched_thread *self = held_self();
    (void)kind;
    if (self == NULL || (flags & OBSERVE_AGAIN) != 0)
        return;
    const struct held_lock taken = describe(object, mode, call_stack_find(&self->stack, caller, way_of(flags)));
    /* Whoever only tries, or waits for a limited time, does not wait for ever. What came after a wait was looked at before it. */
    if (watches_order && (flags & (OBSERVE_TRY | OBSERVE_LIMITED | OBSERVE_CONTENDED | OBSERVE_AFTER_COND)) == 0)
        lock_order_taken(self, &taken);
    held_add(self, &taken);
}

static void released(const void *object, enum observe_mode mode) {
    struct watched_thread *self = held_self();
    (void)mode;
    if (self != NULL && !held_remove(self, object))
        deadlock_handed_over(object);
}

static void wait_begin(const void *object, enum observe_mode mode, bool is_timed, const void *caller) {
    struct watched_thread *self = held_self();
    if (self == NULL || is_timed)
        return;
    bool queues = readers_queue(object, mode);
    if (self->held_count == 0 && !(queues && mode == OBSERVE_WRITE))
        return;
    const struct held_lock wanted = describe(object, mode, call_stack_find(&self->stack, caller, CALL_STACK_WAIT));
    if (watches_order)
        lock_order_taken(self, &wanted);
    const struct watched_wait wait = {
        .object = object, .mode = mode, .yields = queues && mode == OBSERVE_READ, .stack = wanted.stack};
    if (watches_deadlocks)
        deadlock_wait_begins(self, &wait, aborts);
}

static void wait_end(const void *object, enum observe_mode mode, uint64_t waited, bool is_acquired) {
    struct watched_thread *self = held_self();
    (void)waited;
    (void)is_acquired;
    if (self != NULL)
        deadlock_wait_ends(self, object, mode);
}

/* ---- Conds: a wait needs its mutex again, however it ends. */

static void cond_wait_begin(const void *cond, const void *mutex, bool is_timed, const void *caller) {
    struct watched_thread *self = held_self();
    (void)is_timed;
    if (self == NULL || self->held_count == 0 || held_find(self, mutex) != NULL)
        return;
    const struct held_lock wanted =
        describe(mutex, OBSERVE_MUTEX, call_stack_find(&self->stack, caller, CALL_STACK_COND_WAIT));
    if (watches_order)
        lock_order_taken(self, &wanted);
    const struct watched_wait wait = {.object = mutex, .mode = OBSERVE_MUTEX, .cond = cond, .stack = wanted.stack};
    if (watches_deadlocks)
        deadlock_wait_begins(self, &wait, aborts);
}

static void cond_wait_end(const void *cond, const void *mutex, uint64_t waited, bool is_woken) {
    (void)cond;
    wait_end(mutex, OBSERVE_MUTEX, waited, is_woken);
}

/* ---- Birth, death, forks */

static void destroyed(const void *object, enum observe_type type) {
    struct watched_thread *self = held_self();
    if (type == OBSERVE_COND_TYPE)
        return;
    if (self != NULL && held_find(self, object) != NULL)
        (void)held_remove(self, object);
    if (watches_order)
        lock_order_forget(object, type);
}

static void after_fork(void) {
    held_after_fork();
    deadlock_after_fork();
    report_after_fork();
    if (watches_order)
        lock_order_after_fork();
}

/* The end by exit() or by returning from main. What is reported before needs no end. */
__attribute__((destructor)) static void end(void) {
    if (watches_order)
        order_report_summary();
}

const struct observer watch_observer = {
    .variable = "PLC_WATCH",
    .start = start,
    .after_fork = after_fork,
    .destroyed = destroyed,
    .wait_begin = wait_begin,
    .wait_end = wait_end,
    .acquired = acquired,
    .released = released,
    .cond_wait_begin = cond_wait_begin,
    .cond_wait_end = cond_wait_end,
};
