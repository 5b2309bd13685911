/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operating system as libplc sees it (platform/platform.h), played by the model checker. */
#include "platform/platform.h"

#include "mc.h"
#include "parking_lot/thread.h"
#include "scenarios/task.h"

/* Not instrumented, and without state of its own but for the threads' data, which stands in for thread-local storage:
   all fibers share one kernel thread. */

#define SITE __builtin_return_address(0)

static struct plc_thread threads[MC_MAX_THREADS];

struct thread_exit {
    void (*handler)(void *argument);
    void *argument;
};
static struct thread_exit thread_exits[MC_MAX_THREADS];

/* A scenario may define it: in whose place a thread's data lies. */
__attribute__((weak)) int model_thread(int thread);

struct plc_thread *plc_thread_self(void) {
    return &threads[model_thread ? model_thread(mc_self()) : mc_self()];
}

int64_t plc_os_now_ns(enum plc_clock clock) {
    (void)clock;
    return mc_now(SITE);
}

/* A scenario may define it: the signal handler that comes right before or after a sleep. It may jump away. */
__attribute__((weak)) void model_interrupt(int thread);

bool plc_os_futex_wait(uint32_t *word, uint32_t expected, plc_deadline_t deadline) {
    if (model_interrupt)
        model_interrupt(mc_self());
    bool in_time = mc_futex_wait(word, expected, deadline.ns, SITE) != MC_TIMED_OUT;
    if (model_interrupt)
        model_interrupt(mc_self());
    return in_time;
}

void plc_os_futex_wake(uint32_t *word, int count) {
    mc_futex_wake(word, count, SITE);
}

bool plc_os_futex_wait_bits(uint32_t *word, uint32_t expected, uint32_t bits, plc_deadline_t deadline) {
    return mc_futex_wait_bits(word, expected, bits, deadline.ns, SITE) != MC_TIMED_OUT;
}

void plc_os_futex_wake_bits(uint32_t *word, uint32_t bits) {
    mc_futex_wake_bits(word, bits, SITE);
}

void plc_os_expect_sleepers(uint32_t sleepers) {
    (void)sleepers;
}

void plc_os_yield(void) {
    mc_yield();
}

unsigned plc_os_processor_count(void) {
    return 2;
}

/* A scenario may define it: where each of its threads runs. */
__attribute__((weak)) uint32_t model_processor(int thread);

uint32_t plc_os_processor(void) {
    return model_processor ? model_processor(mc_self()) : PLC_OS_UNKNOWN_PROCESSOR;
}

/* Some programs say that they run where there is none. */
extern const bool plc_model_without_process_barrier __attribute__((weak));

bool plc_os_process_barrier_prepare(void) {
    return &plc_model_without_process_barrier == NULL;
}

bool plc_os_process_barrier(void) {
    if (!mc_mutation("no process barrier"))
        mc_process_barrier(SITE);
    return true;
}

void *plc_os_pages_alloc(size_t size) {
    return mc_pages(size);
}

void plc_os_pages_free(void *pages, size_t size) {
    mc_lifetime_end_at(pages, size, SITE);
}

bool plc_os_wipe_on_fork(void *pages, size_t size) {
    mc_wipe_on_fork(pages, size);
    return true;
}

void plc_os_at_fork_child(void (*handler)(void)) {
    (void)handler;
}

bool plc_os_at_thread_exit(void (*handler)(void *argument), void *argument) {
    thread_exits[mc_self()] = (struct thread_exit){handler, argument};
    return true;
}

/* What the end of a thread would do, for scenarios that say when that is. */
void plc_model_thread_ends(void) {
    struct thread_exit registered = thread_exits[mc_self()];
    thread_exits[mc_self()].handler = NULL;
    if (registered.handler)
        registered.handler(registered.argument);
}

uint64_t plc_os_thread_id(void) {
    return (uint64_t)mc_self() + 1;
}

/* A reading that decides nothing is no step. */
int64_t plc_os_coarse_now_ns(void) {
    return 1;
}

void plc_os_fatal(const char *type, const void *address, const char *mistake) {
    (void)type;
    (void)address;
    mc_fail(MC_ASSERTION, mistake, "plc_os_fatal", 0);
    __builtin_unreachable();
}

void plc_lifetime_end_(const void *object, size_t size) {
    mc_lifetime_end_at(object, size, SITE);
}
