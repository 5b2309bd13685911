/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Operations of all kinds: how a thread announces one, what it may do, what depends on what. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

static bool is_memory(enum kind kind) {
    return kind == OP_LOAD || kind == OP_STORE || kind == OP_RMW || kind == OP_CAS;
}

/* Starts to fill in the calling thread's next operation; the caller adds operands and calls operation_run. */
struct operation *operation_begin(enum kind kind, const volatile void *address, uint8_t size, int order,
                                  const void *site) {
    struct operation *op = &mc.thread[mc.current].op;
    op->kind = kind;
    op->order = (uint8_t)order;
    op->failure_order = RELAXED;
    op->size = size;
    op->weak = false;
    op->success = true;
    op->address = (uintptr_t)address;
    op->deadline = MC_NEVER;
    op->site = site;
    op->location = is_memory(kind) || kind == OP_FUTEX_WAIT ? memory_location(op->address, size) : 0;
    return op;
}

/* Operations on an object that nobody contends for are not steps of the search. */
static bool is_private(const struct operation *op) {
    return is_memory(op->kind) && !mc.locations[op->location].contended && op->order != SEQ_CST &&
           op->failure_order != SEQ_CST;
}

static void run_at_once(const struct thread *self) {
    const struct location *location = &mc.locations[self->op.location];
    struct choices found = memory_choices(self, &self->op);
    if (found.odd || found.normal == 0 || (found.normal & (found.normal - 1)))
        contention_found(location->address);
    schedule_step_at_once((struct choice){(uint8_t)__builtin_ctzll(found.normal), false});
}

/* Lets the search decide who moves; returns when this thread's operation has been executed. */
uint64_t operation_run(void) {
    struct thread *self = &mc.thread[mc.current];
    if (is_private(&self->op))
        run_at_once(self);
    else
        schedule_from_fiber(&self->stack_pointer);
    return self->op.result;
}

struct choices operation_choices(int thread) {
    const struct operation *op = &mc.thread[thread].op;
    if (is_memory(op->kind))
        return memory_choices(&mc.thread[thread], op);
    if (op->kind == OP_DONE)
        return (struct choices){0, 0};
    if (op->kind == OP_FENCE || op->kind == OP_PROCESS_BARRIER || op->kind == OP_START)
        return (struct choices){1, 0};
    return os_choices(thread);
}

/* The thread's own clock ticks after the step: what the step handed on does not cover what comes later. */
void operation_execute(int number, struct choice choice) {
    struct thread *thread = &mc.thread[number];
    struct operation *op = &thread->op;
    mc.current = number;
    if (is_memory(op->kind))
        memory_execute(thread, op, choice);
    else if (op->kind == OP_FENCE)
        memory_fence(thread, op->order);
    else if (op->kind == OP_PROCESS_BARRIER)
        memory_process_barrier(thread);
    else if (op->kind != OP_START)
        os_execute(number, choice);
    thread->current.clock[number]++;
}

bool operation_writes(const struct operation *op) {
    return op->kind == OP_STORE || op->kind == OP_RMW || op->kind == OP_CAS;
}

static bool is_sequential(const struct operation *op) {
    return (op->kind == OP_FENCE || is_memory(op->kind)) && (op->order == SEQ_CST || op->failure_order == SEQ_CST);
}

static bool is_futex(const struct operation *op) {
    return op->kind == OP_FUTEX_WAIT || op->kind == OP_FUTEX_WAKE || op->kind == OP_SLEEP;
}

static bool is_ideal_lock(const struct operation *op) {
    return op->kind == OP_LOCK || op->kind == OP_UNLOCK || op->kind == OP_TRY_LOCK;
}

static bool is_timed(const struct operation *op) {
    return op->kind == OP_CLOCK || op->kind == OP_SLEEP;
}

static bool one_way_dependent(const struct operation *a, const struct operation *b) {
    if (a->kind == OP_FUTEX_WAIT && operation_writes(b) && a->location == b->location)
        return true;
    return a->kind == OP_YIELD && (operation_writes(b) || b->kind == OP_UNLOCK || is_timed(b));
}

/* May the order of the two matter, other than by one making a store that the other can then choose? That case needs no
   mention: a new store is a new choice, which is not asleep. Two time-outs commute, as the clock takes the maximum. */
bool operation_dependent(const struct operation *a, const struct operation *b) {
    if (a->kind == OP_FORK || b->kind == OP_FORK)
        return true;
    if (a->kind == OP_PROCESS_BARRIER || b->kind == OP_PROCESS_BARRIER)
        return true; /* it is in the other thread as well, at the place where that one is */
    if (is_sequential(a) && is_sequential(b))
        return a->kind == OP_FENCE || b->kind == OP_FENCE || a->location == b->location;
    if (is_futex(a) && is_futex(b) && a->address == b->address)
        return true;
    if (is_ideal_lock(a) && is_ideal_lock(b) && a->address == b->address)
        return true;
    if (is_timed(a) && is_timed(b))
        return a->kind != b->kind || (a->kind == OP_CLOCK && mc.options.clock_jumps > 0);
    return one_way_dependent(a, b) || one_way_dependent(b, a);
}

const char *order_name(int order) {
    static const char *const names[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};
    return names[order];
}

const char *operation_name(const struct operation *op) {
    static const char *const kinds[] = {"start",           "load",       "store",    "rmw",   "cas",  "fence",
                                        "process barrier", "futex wait", "time-out", "wake",  "lock", "trylock",
                                        "unlock",          "yield",      "choose",   "clock", "fork", "end"};
    static const char *const rmws[] = {"exchange", "fetch_add", "fetch_sub", "fetch_and",
                                       "fetch_or", "fetch_xor", "fetch_nand"};
    return op->kind == OP_RMW ? rmws[op->rmw] : kinds[op->kind];
}
