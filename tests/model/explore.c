/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One execution after another, and how an execution ends. */
#define _GNU_SOURCE
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct checker mc;

static void run_threads_body(void) {
    int self = mc.current;
    mc.scenario->thread(self);
    mc.thread[self].op.kind = OP_DONE;
    void *nobody_comes_back;
    schedule_from_fiber(&nobody_comes_back);
    abort();
}

_Noreturn void execution_leave(void) {
    void *nobody_comes_back;
    mc.mode = MODE_DIRECT;
    fiber_switch(&nobody_comes_back, mc.main_stack_pointer);
    abort();
}

static void run_setup(void) {
    if (mc.scenario->setup)
        mc.scenario->setup();
    execution_leave();
}

static void run_finish(void) {
    mc.scenario->finish();
    execution_leave();
}

/* setup and finish run on a fiber of their own, so that a failure in them can be left like any other. */
static void run_outside(void (*function)(void)) {
    mc.mode = MODE_DIRECT;
    mc.current = 0;
    fiber_prepare(FIBER_OUTSIDE, function);
    fiber_switch(&mc.main_stack_pointer, fiber_stack_pointer(FIBER_OUTSIDE));
}

static void prepare_threads(void) {
    mc.threads = mc.scenario->threads;
    for (int i = 0; i < mc.threads; i++) {
        struct thread *thread = &mc.thread[i];
        memset(thread, 0, sizeof *thread);
        thread->current.clock[i] = 1;
        thread->op.kind = OP_START;
        fiber_prepare(i, run_threads_body);
        thread->stack_pointer = fiber_stack_pointer(i);
    }
}

static void start_threads(void) {
    mc.mode = MODE_MODEL;
    mc.current = 0;
    schedule_from_fiber(&mc.main_stack_pointer);
}

/* Runs along the tree's current path, and on from its end. */
void explore_once(void) {
    static_data_restore();
    race_reset();
    memory_reset();
    os_reset();
    schedule_begin();
    trace_reset();
    mc.failure = MC_PASS;
    mc.restart = false;
    mc.exploring = true;
    prepare_threads();
    run_outside(run_setup);
    if (mc.failure == MC_PASS)
        start_threads();
    if (mc.failure == MC_PASS && !mc.sleep_blocked && !mc.restart && mc.scenario->finish)
        run_outside(run_finish);
    mc.exploring = false;
}

/* The execution ends here: the reason is kept for the report, and the fiber is never resumed. */
_Noreturn void execution_failed(enum mc_failure failure, const void *site, const void *other, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(mc.message, sizeof mc.message, format, arguments);
    va_end(arguments);
    mc.failure = failure;
    mc.message_sites[0] = site;
    mc.message_sites[1] = other;
    if (!mc.scenario) {
        fprintf(stderr, "%s\n", mc.message);
        exit(2);
    }
    execution_leave();
}

void mc_fail(enum mc_failure failure, const char *what, const char *file, int line) {
    execution_failed(failure, NULL, NULL, "%s:%d: %s", file, line, what);
}

/* Processor time: what a search costs does not depend on what else the machine is doing. */
static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool out_of_budget(double start) {
    uint64_t done = mc.statistics.executions + mc.statistics.blocked;
    if (mc.options.max_executions && done >= mc.options.max_executions)
        return true;
    return mc.options.seconds > 0 && done % 256 == 0 && seconds_now() - start > mc.options.seconds;
}

static void begin_again(void) {
    memset(&mc.statistics, 0, sizeof mc.statistics);
    mc.node_count = 0;
    outcome_reset();
}

/* A short look around, which finds nearly all contended objects: later each one would cost the whole search so far. */
void explore_contention(void) {
    struct options wanted = mc.options;
    mc.options.preemptions = 2;
    mc.options.stale = 1;
    mc.options.max_executions = 3000;
    explore();
    mc.options = wanted;
}

/* Explores the scenario from the beginning. Returns true if nothing failed; the failing path stays in the tree. */
bool explore(void) {
    double start = seconds_now();
    begin_again();
    do {
        explore_once();
        if (mc.restart) {
            begin_again();
            continue;
        }
        if (mc.sleep_blocked)
            mc.statistics.blocked++;
        else
            mc.statistics.executions++;
        if (mc.failure != MC_PASS || out_of_budget(start))
            break;
        mc.statistics.complete = !schedule_backtrack();
    } while (!mc.statistics.complete);
    mc.statistics.seconds = seconds_now() - start;
    return mc.failure == MC_PASS;
}

/* Runs the path that failed once more, and prints what happened. */
void explain_failure(void) {
    mc.tracing = true;
    explore_once();
    mc.tracing = false;
    trace_print();
}
