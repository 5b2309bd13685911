/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The processors: fibers with clocks, of which the one that is furthest behind moves. */
#define _GNU_SOURCE
#include "simulator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "lines.h"

enum { STACK_SIZE = 64 * 1024, MAX_HITS_IN_A_ROW = 1000 };

struct processor {
    ucontext_t context;
    int64_t now;
    const void *sleeps_on; /* null: it runs */
    int64_t deadline;
    bool timed_out, done;
    uint64_t random, operations;
};

static struct processor processors[SIM_MAX_PROCESSORS];
static char *stacks;
static ucontext_t main_context;
static int count, current = -1, hits;
static int64_t end, counting_from;
static uint64_t sleeps;
static bool counting;
static void (*program)(int self);

/* When the processor could move next; INT64_MAX: never, unless it is woken. */
static int64_t next_move(const struct processor *each) {
    if (each->done)
        return INT64_MAX;
    if (!each->sleeps_on)
        return each->now;
    return each->deadline > each->now || each->deadline == INT64_MAX ? each->deadline : each->now;
}

static int furthest_behind(void) {
    int best = -1;
    int64_t least = INT64_MAX;
    for (int i = 0; i < count; i++) {
        if (next_move(&processors[i]) < least) {
            least = next_move(&processors[i]);
            best = i;
        }
    }
    return best;
}

static void start_counting(int64_t now) {
    if (counting || now < counting_from)
        return;
    counting = true;
    lines_start_counting();
    sleeps = 0;
    for (int i = 0; i < count; i++)
        processors[i].operations = 0;
}

/* Goes on with whoever is furthest behind; returns when that is the caller again. */
static void reschedule(void) {
    int from = current;
    int to = furthest_behind();
    if (to < 0) {
        bool all_done = true;
        for (int i = 0; i < count; i++)
            all_done = all_done && processors[i].done;
        if (!all_done) {
            fprintf(stderr, "simulator: nobody can move\n");
            abort();
        }
        setcontext(&main_context);
    }
    struct processor *next = &processors[to];
    if (next->sleeps_on) {
        next->now = next_move(next);
        next->sleeps_on = NULL;
        next->timed_out = true;
    }
    start_counting(next->now);
    current = to;
    if (from != to)
        swapcontext(&processors[from].context, &next->context);
}

static void run_fiber(void) {
    program(current);
    processors[current].done = true;
    reschedule();
    abort(); /* never resumed */
}

struct sim_counts sim_run(int wanted, uint64_t seed, int64_t end_ns, void (*body)(int self)) {
    struct sim_counts result = {{0}, 0, 0, UINT64_MAX, 0};
    if (!stacks)
        stacks = mmap((void *)0x200000000000, (size_t)SIM_MAX_PROCESSORS * STACK_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stacks == MAP_FAILED)
        abort();
    lines_reset();
    lines_name(stacks, (size_t)SIM_MAX_PROCESSORS * STACK_SIZE, SIM_NODE);
    count = wanted;
    end = end_ns;
    counting_from = end_ns / 10;
    counting = false;
    program = body;
    for (int i = 0; i < count; i++) {
        struct processor *each = &processors[i];
        memset(each, 0, sizeof *each);
        each->random = seed * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)i + 1;
        each->now = i; /* they do not start in the very same instant */
        getcontext(&each->context);
        each->context.uc_stack.ss_sp = stacks + (size_t)i * STACK_SIZE;
        each->context.uc_stack.ss_size = STACK_SIZE;
        makecontext(&each->context, run_fiber, 0);
    }
    current = 0;
    swapcontext(&main_context, &processors[0].context);
    current = -1;
    for (int i = 0; i < count; i++) {
        result.operations += processors[i].operations;
        if (result.least_operations > processors[i].operations)
            result.least_operations = processors[i].operations;
    }
    lines_counts(result.remote);
    result.sleeps = sleeps;
    result.elapsed_ns = end - counting_from;
    return result;
}

/* ---- For bodies */

int sim_processors(void) {
    return count;
}

bool sim_goes_on(void) {
    return processors[current].now < end;
}

void sim_operation_done(void) {
    processors[current].operations++;
}

uint64_t sim_random(uint64_t n) {
    uint64_t x = processors[current].random += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % n;
}

void sim_work(int64_t ns) {
    sim_pass(ns);
}

void sim_work_about(int64_t ns) {
    if (ns > 0)
        sim_pass(ns / 2 + (int64_t)sim_random((uint64_t)ns + 1));
}

/* ---- For the hooks and the system */

int sim_self(void) {
    return current < 0 ? 0 : current;
}

int64_t sim_now(void) {
    return current < 0 ? 0 : processors[current].now;
}

void sim_pass(int64_t ns) {
    if (current < 0)
        return;
    processors[current].now += ns;
    reschedule();
}

void sim_pause(void) {
    sim_pass(SIM_PAUSE_NS);
}

/* Hits need no rescheduling, but for a loop of nothing else. */
void sim_access(const volatile void *address, size_t size, enum sim_access how) {
    (void)size; /* nothing here lies across two lines */
    if (current < 0)
        return;
    struct processor *self = &processors[current];
    int64_t before = self->now;
    self->now = lines_access((uintptr_t)address, current, how, before);
    if (self->now - before >= SIM_TRANSFER_NS || ++hits > MAX_HITS_IN_A_ROW) {
        hits = 0;
        reschedule();
    }
}

bool sim_sleep(const void *key, int64_t deadline_ns) {
    struct processor *self = &processors[current];
    self->now += SIM_CALL_NS;
    self->sleeps_on = key;
    self->deadline = deadline_ns;
    self->timed_out = false;
    sleeps++;
    reschedule();
    return !self->timed_out;
}

void sim_wake(const void *key, int wanted) {
    if (current < 0)
        return;
    int64_t from = processors[current].now;
    for (int i = 0; i < count && wanted > 0; i++) {
        struct processor *each = &processors[i];
        if (each->done || each->sleeps_on != key)
            continue;
        each->sleeps_on = NULL;
        each->now = (each->now > from ? each->now : from) + SIM_WAKE_NS;
        wanted--;
    }
    sim_pass(SIM_CALL_NS);
}

void sim_name(const void *object, size_t size, enum sim_kind kind) {
    lines_name(object, size, kind);
}
