/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The model of the operating system: futexes, ideal locks, yielding, the clock, free choices. */
#define _GNU_SOURCE
#include "internal.h"

#include <string.h>
#include <sys/mman.h>

enum { PAGES_SIZE = 1 << 20, CLOCK_JUMP_NS = 1000000, FIRST_INSTANT = 1000000000 };
static char *pages;
static size_t pages_used;

void os_reset(void) {
    mc.sleeper_count = 0;
    mc.lock_count = 0;
    mc.now = FIRST_INSTANT;
    mc.changes = 0;
    mc.stale_used = mc.spurious_used = mc.weak_failures_used = mc.clock_jumps_used = mc.page_failures_used = 0;
    fork_reset();
    if (pages_used)
        memset(pages, 0, pages_used);
    pages_used = 0;
}

static bool pages_fail(void) {
    bool fails = mc.page_failures_used < mc.scenario->page_failures && mc_choose(2);
    mc.page_failures_used += fails;
    return fails;
}

void *mc_pages(size_t size) {
    if (pages_fail())
        return NULL;
    if (!pages) {
        pages = mmap((void *)0x210000000000, PAGES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED)
            execution_failed(MC_MODEL_LIMIT, NULL, NULL, "no memory");
    }
    size = (size + 4095) & ~(size_t)4095;
    if (size > PAGES_SIZE - pages_used)
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "more than %d bytes of pages", PAGES_SIZE);
    pages_used += size;
    return pages + pages_used - size;
}

/* Something happened for which a waiting loop of another thread should look again. */
void note_change(struct thread *thread) {
    mc.changes++;
    thread->own_changes++;
}

static struct ideal_lock *ideal_lock(uintptr_t address) {
    for (int i = 0; i < mc.lock_count; i++) {
        if (mc.locks[i].address == address)
            return &mc.locks[i];
    }
    if (mc.lock_count == MAX_IDEAL_LOCKS)
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "more than %d ideal locks", MAX_IDEAL_LOCKS);
    struct ideal_lock *lock = &mc.locks[mc.lock_count++];
    memset(lock, 0, sizeof *lock);
    lock->address = address;
    return lock;
}

static int sleepers_on(uintptr_t address) {
    int count = 0;
    for (int i = 0; i < mc.sleeper_count; i++)
        count += mc.sleepers[i].address == address;
    return count;
}

static uint64_t first_bits(int count) {
    return (UINT64_C(1) << count) - 1;
}

/* A yield waits until somebody has changed something since this thread's last one: the first is free, but it makes the
   thread see the newest of everything, so that the next look is not in vain. */
static struct choices yield_choices(const struct thread *thread) {
    uint64_t by_others = mc.changes - thread->own_changes;
    return (struct choices){!thread->has_yielded || thread->changes_seen != by_others, 0};
}

/* To wake one of several is a choice: the kernel promises no order that a program could rely on. */
static struct choices wake_choices(const struct operation *op) {
    int waiting = sleepers_on(op->address);
    struct choices found = {op->operand == 1 && waiting > 1 ? first_bits(waiting) : 1, 0};
    return found;
}

struct choices os_choices(int thread) {
    const struct operation *op = &mc.thread[thread].op;
    struct choices found = {1, 0};
    switch (op->kind) {
    case OP_FUTEX_WAIT:
        found.odd = mc.spurious_used < mc.options.spurious;
        break;
    case OP_SLEEP:
        found.normal = op->deadline != MC_NEVER;
        break;
    case OP_FUTEX_WAKE:
        return wake_choices(op);
    case OP_LOCK:
        found.normal = !ideal_lock(op->address)->held;
        break;
    case OP_YIELD:
        return yield_choices(&mc.thread[thread]);
    case OP_CHOOSE:
        found.normal = first_bits((int)op->operand);
        break;
    case OP_CLOCK:
        found.odd = mc.clock_jumps_used < mc.options.clock_jumps;
        break;
    default:
        break;
    }
    return found;
}

/* The kernel's comparison is a coherent read of the newest store by the waiting thread, but it acquires nothing. */
static void futex_wait(int self, struct operation *op, struct choice choice) {
    race_atomic(op, false);
    if (choice.odd) {
        mc.spurious_used++;
        op->result = MC_SPURIOUS;
        return;
    }
    struct thread *thread = &mc.thread[self];
    struct location *location = memory_refreshed(op->location);
    thread->current.seen[op->location] = location->last_stamp;
    if (location->stores[location->newest].value != op->expected) {
        op->result = MC_CHANGED;
        return;
    }
    op->result = MC_WOKEN;
    mc.sleepers[mc.sleeper_count++] = (struct sleeper){op->address, self, op->bits};
    op->kind = OP_SLEEP;
}

static void remove_sleeper(int at) {
    mc.sleeper_count--;
    memmove(&mc.sleepers[at], &mc.sleepers[at + 1], (size_t)(mc.sleeper_count - at) * sizeof mc.sleepers[0]);
}

static void time_out(int self, struct operation *op) {
    for (int i = 0; i < mc.sleeper_count; i++) {
        if (mc.sleepers[i].thread == self) {
            remove_sleeper(i);
            break;
        }
    }
    if (mc.now < op->deadline)
        mc.now = op->deadline;
    op->result = MC_TIMED_OUT;
    note_change(&mc.thread[self]);
}

/* Uses the address only; and who is woken learns nothing by it: the library must not rely on the kernel for ordering.
 */
static void futex_wake(struct operation *op, struct choice choice) {
    uint64_t left = op->operand;
    int skip = choice.index;
    op->result = 0;
    for (int i = 0; i < mc.sleeper_count && left;) {
        if (mc.sleepers[i].address != op->address || !(mc.sleepers[i].bits & op->bits) || skip-- > 0) {
            i++;
            continue;
        }
        struct operation *woken = &mc.thread[mc.sleepers[i].thread].op;
        woken->kind = OP_START;
        woken->result = MC_WOKEN;
        remove_sleeper(i);
        op->result++;
        left--;
    }
}

bool mc_is_locked(const void *lock) {
    return ideal_lock((uintptr_t)lock)->held;
}

static void acquire_ideal(int self, struct operation *op) {
    struct ideal_lock *lock = ideal_lock(op->address);
    op->success = !lock->held;
    if (lock->held)
        return;
    lock->held = true;
    lock->holder = self;
    view_join(&mc.thread[self].current, &lock->view);
}

static void release_ideal(struct thread *thread, const struct operation *op) {
    struct ideal_lock *lock = ideal_lock(op->address);
    if (!lock->held)
        execution_failed(MC_ASSERTION, op->site, NULL, "unlock of an ideal lock that is not held");
    lock->held = false;
    lock->view = thread->current;
    note_change(thread);
}

/* Sees the newest of everything, relaxed: what it waits for will reach it at some time. */
static void yield(struct thread *thread) {
    for (int i = 0; i < mc.location_count; i++) {
        if (!mc.locations[i].reload)
            thread->current.seen[i] = mc.locations[i].last_stamp;
    }
    thread->has_yielded = true;
    thread->changes_seen = mc.changes - thread->own_changes;
}

static void read_clock(struct thread *thread, struct operation *op, struct choice choice) {
    if (choice.odd) {
        mc.clock_jumps_used++;
        mc.now += CLOCK_JUMP_NS;
        note_change(thread);
    }
    op->result = (uint64_t)mc.now;
}

void os_execute(int self, struct choice choice) {
    struct thread *thread = &mc.thread[self];
    struct operation *op = &thread->op;
    switch (op->kind) {
    case OP_FUTEX_WAIT:
        futex_wait(self, op, choice);
        break;
    case OP_SLEEP:
        time_out(self, op);
        break;
    case OP_FUTEX_WAKE:
        futex_wake(op, choice);
        break;
    case OP_LOCK:
    case OP_TRY_LOCK:
        acquire_ideal(self, op);
        break;
    case OP_UNLOCK:
        release_ideal(thread, op);
        break;
    case OP_YIELD:
        yield(thread);
        break;
    case OP_CHOOSE:
        op->result = choice.index;
        break;
    case OP_CLOCK:
        read_clock(thread, op, choice);
        break;
    case OP_FORK:
        fork_execute(self, op);
        break;
    default:
        break;
    }
}
