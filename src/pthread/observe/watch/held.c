/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The records of all threads: what they hold and what they wait for. */
#include "held.h"

#include "pages.h"

#include "../../thread.h"

#include <plc/detail/atomic.h>

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A thread finds its record by thread-local storage. Nobody tells that a thread has ended: its record is used again by a thread that
   gets the same tid, or once the number of records has doubled and the kernel says that there is no such thread.

   Taking and giving up a lock touches the thread's own record only. All else is rare, and done under one lock.

   Memory order: what other threads read is written and read under that lock. The marks of locks that were handed over are
   relaxed: such a mark is set before the lock is given up, and whoever reports a deadlock looks twice, a while apart. */

static plc_mutex_t all_lock;
static struct watched_thread *all_threads; /* and the rest here: under all_lock */
static struct watched_thread *waiting_threads;
static unsigned records;
static unsigned records_to_look_through = 64; /* when there are so many, look for threads that have ended */
static uint64_t threads_seen;
static uint64_t last_ticket;

static uint64_t dropped; /* relaxed, as all counts here */
static uint64_t handed_over_count;

static __thread struct watched_thread *self_record __attribute__((tls_model("initial-exec")));

struct quiet_section held_lock_all(void) {
    return quiet_enter(&all_lock);
}

/* ---- Records */

static bool has_ended(int tid) {
    return syscall(SYS_tgkill, getpid(), tid, 0) != 0 && errno == ESRCH;
}

static void free_ended(void) {
    unsigned used = 0;
    for (struct watched_thread *thread = all_threads; thread != NULL; thread = thread->next) {
        if (thread->tid != 0 && thread->wait_count == 0 && has_ended(thread->tid))
            thread->tid = 0;
        used += thread->tid != 0;
    }
    records_to_look_through = used * 2 > 64 ? used * 2 : 64;
}

static struct watched_thread *unused_record(int tid) {
    struct watched_thread *unused = NULL;
    if (records >= records_to_look_through)
        free_ended();
    for (struct watched_thread *thread = all_threads; thread != NULL; thread = thread->next) {
        if (thread->tid == tid) /* a tid that is given again: its last bearer is gone */
            return thread;
        if (thread->tid == 0)
            unused = thread;
    }
    if (unused != NULL)
        return unused;
    struct watched_thread *fresh = observe_pages(sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    fresh->next = all_threads;
    all_threads = fresh;
    records++;
    return fresh;
}

static void take_out(struct watched_thread *thread) {
    *thread->waiting_link = thread->next_waiting;
    if (thread->next_waiting != NULL)
        thread->next_waiting->waiting_link = thread->waiting_link;
}

static __attribute__((noinline)) struct watched_thread *begin_record(void) {
    int saved_errno = errno;
    int tid = dropin_tid();
    struct quiet_section section = quiet_enter(&all_lock);
    struct watched_thread *record = unused_record(tid);
    if (record != NULL) {
        if (record->wait_count != 0)
            take_out(record);
        record->tid = tid;
        record->number = ++threads_seen;
        record->held_count = 0;
        record->held_beyond = 0;
        record->wait_count = 0;
        record->stack.top = NULL;
        record->orders_epoch = 0;
        self_record = record;
    }
    quiet_leave(&section);
    errno = saved_errno;
    return record;
}

struct watched_thread *held_self(void) {
    struct watched_thread *self = self_record;
    return PLC_LIKELY(self != NULL) ? self : begin_record();
}

/* ---- Locks that were handed over: one bit for each of many hashes */

enum { HANDED_OVER_BITS_LOG2 = 16 };
static uint32_t handed_over[(1 << HANDED_OVER_BITS_LOG2) / 32];

static uint32_t bit_of(const void *object) {
    uint64_t hash = (uint64_t)(uintptr_t)object * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing */
    return (uint32_t)(hash >> (64 - HANDED_OVER_BITS_LOG2));
}

bool held_is_handed_over(const void *object) {
    uint32_t bit = bit_of(object);
    return (plc_load_relaxed(&handed_over[bit / 32]) >> bit % 32 & 1u) != 0;
}

static void mark_handed_over(const void *object) {
    uint32_t bit = bit_of(object);
    if (held_is_handed_over(object))
        return;
    (void)plc_fetch_or_relaxed(&handed_over[bit / 32], 1u << bit % 32);
    (void)plc_fetch_add_relaxed(&handed_over_count, UINT64_C(1));
}

/* ---- Held locks */

struct held_lock *held_find(struct watched_thread *self, const void *object) {
    for (unsigned i = self->held_count; i > 0; i--) /* the last one first: locks are mostly given up in that order */
        if (self->held[i - 1].object == object)
            return &self->held[i - 1];
    return NULL;
}

static void add(struct watched_thread *self, const struct held_lock *taken) {
    struct held_lock *held = held_find(self, taken->object);
    if (held != NULL && taken->mode == OBSERVE_READ && held->mode == OBSERVE_READ) {
        held->count++;
        return;
    }
    if (held == NULL) {
        if (self->held_count == HELD_MOST) {
            self->held_beyond++;
            (void)plc_fetch_add_relaxed(&dropped, UINT64_C(1));
            return;
        }
        held = &self->held[self->held_count++];
    }
    /* One that it held already was given up by somebody else meanwhile. */
    *held = *taken;
    held->count = 1;
    held->level = self->wait_count;
}

static bool remove_one(struct watched_thread *self, const void *object) {
    struct held_lock *held = held_find(self, object);
    if (held == NULL && self->held_beyond != 0) {
        self->held_beyond--;
        return true;
    }
    if (held == NULL)
        return false;
    if (--held->count != 0)
        return true;
    struct held_lock *last = &self->held[--self->held_count];
    for (; held < last; held++) /* the order in which they were taken is kept */
        held[0] = held[1];
    return true;
}

void held_add(struct watched_thread *self, const struct held_lock *taken) {
    if (PLC_LIKELY(self->wait_count == 0)) {
        add(self, taken);
        return;
    }
    struct quiet_section section = held_lock_all(); /* a signal handler in the middle of a wait: I2 */
    add(self, taken);
    quiet_leave(&section);
}

bool held_remove(struct watched_thread *self, const void *object) {
    bool found;
    if (PLC_LIKELY(self->wait_count == 0)) {
        found = remove_one(self, object);
    } else {
        struct quiet_section section = held_lock_all(); /* as above */
        found = remove_one(self, object);
        quiet_leave(&section);
    }
    if (PLC_UNLIKELY(!found))
        mark_handed_over(object);
    return found;
}

/* ---- Waiting */

bool held_wait_begins(struct watched_thread *self, const struct watched_wait *wait) {
    if (self->wait_count == WAITS_MOST)
        return false;
    self->waits[self->wait_count] = *wait;
    self->waits[self->wait_count].ticket = ++last_ticket;
    self->sequence++;
    if (self->wait_count++ == 0) {
        self->next_waiting = waiting_threads;
        if (waiting_threads != NULL)
            waiting_threads->waiting_link = &self->next_waiting;
        self->waiting_link = &waiting_threads;
        waiting_threads = self;
    }
    return true;
}

void held_wait_ends(struct watched_thread *self, const void *object, enum observe_mode mode) {
    unsigned i = self->wait_count;
    while (i > 0 && (self->waits[i - 1].object != object || self->waits[i - 1].mode != mode))
        i--;
    if (i == 0)
        return;
    self->wait_count = i - 1; /* waits above were left without an end */
    self->sequence++;
    if (self->wait_count == 0)
        take_out(self);
}

struct watched_thread *held_first_waiting(void) {
    return waiting_threads;
}

/* ---- Forks, and counts */

void held_after_fork(void) {
    struct watched_thread *self = self_record;
    all_lock = (plc_mutex_t)PLC_MUTEX_INIT;
    waiting_threads = NULL;
    for (struct watched_thread *thread = all_threads; thread != NULL; thread = thread->next) {
        thread->wait_count = 0;
        if (thread != self)
            thread->tid = 0;
    }
    if (self != NULL)
        self->tid = dropin_tid();
}

struct held_counts held_counts(void) {
    struct quiet_section section = held_lock_all();
    struct held_counts counts = {threads_seen, plc_load_relaxed(&dropped), plc_load_relaxed(&handed_over_count)};
    quiet_leave(&section);
    return counts;
}
