/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operating system as libplc sees it (platform/platform.h), played by the simulator. */
#include "platform/platform.h"

#include <stdio.h>
#include <stdlib.h>

#include "parking_lot/thread.h"
#include "simulator.h"

/* Each thread's own data, in lines of its own, as thread-local storage is. */
static struct { struct plc_thread thread; } __attribute__((aligned(128))) threads[SIM_MAX_PROCESSORS];

void system_name(void) {
    sim_name(threads, sizeof threads, SIM_NODE);
}

struct plc_thread *plc_thread_self(void) {
    return &threads[sim_self()].thread;
}

int64_t plc_os_now_ns(enum plc_clock clock) {
    (void)clock;
    sim_pass(SIM_CLOCK_NS);
    return sim_now() + 1000000000; /* clocks do not start at zero */
}

bool plc_os_futex_wait(uint32_t *word, uint32_t expected, plc_deadline_t deadline) {
    sim_access(word, sizeof *word, SIM_READ);
    if (*word != expected)
        return true;
    return sim_sleep(word, plc_deadline_is_never(deadline) ? INT64_MAX : deadline.ns - 1000000000);
}

void plc_os_futex_wake(uint32_t *word, int count) {
    sim_wake(word, count);
}

/* Strangers wake up too, and sleep again: more work than there is, never less. */
bool plc_os_futex_wait_bits(uint32_t *word, uint32_t expected, uint32_t bits, plc_deadline_t deadline) {
    (void)bits;
    return plc_os_futex_wait(word, expected, deadline);
}

void plc_os_futex_wake_bits(uint32_t *word, uint32_t bits) {
    (void)bits;
    sim_wake(word, SIM_MAX_PROCESSORS);
}

void plc_os_expect_sleepers(uint32_t sleepers) {
    (void)sleepers;
}

void plc_os_yield(void) {
    sim_pass(SIM_CALL_NS);
}

bool plc_os_process_barrier_prepare(void) {
    return true;
}

bool plc_os_process_barrier(void) {
    sim_pass(SIM_BARRIER_NS);
    return true;
}

unsigned plc_os_processor_count(void) {
    return (unsigned)sim_processors();
}

uint32_t plc_os_processor(void) {
    return (uint32_t)sim_self();
}

void *plc_os_pages_alloc(size_t size) {
    return calloc(1, size);
}

void plc_os_pages_free(void *pages, size_t size) {
    (void)size;
    free(pages);
}

bool plc_os_wipe_on_fork(void *pages, size_t size) {
    (void)pages;
    (void)size;
    return true;
}

void plc_os_at_fork_child(void (*handler)(void)) {
    (void)handler;
}

/* There are no signals and no cancellation on this machine: nobody switches a guard on, so nobody may come here. */
uint32_t plc_os_guards;

void plc_os_enter_section(uint32_t guards) {
    (void)guards;
    abort();
}

void plc_os_leave_section(uint32_t guards) {
    (void)guards;
    abort();
}

void plc_os_defer_cancellation(void) {
    abort();
}

void plc_os_admit_cancellation(void) {
    abort();
}

unsigned plc_os_deferrals(void) {
    return 0;
}

void plc_os_reset_deferrals(unsigned deferrals) {
    (void)deferrals;
}

bool plc_os_is_asynchronous(void) {
    return false;
}

void plc_os_sleep_begins(void *unused) {
    (void)unused;
    abort();
}

void plc_os_sleep_ends(void *unused) {
    (void)unused;
    abort();
}

uint64_t plc_os_thread_id(void) {
    return (uint64_t)sim_self() + 1;
}

/* A few instructions, which the simulator does not count. */
int64_t plc_os_coarse_now_ns(void) {
    return sim_now() + 1000000000;
}

void plc_os_fatal(const char *type, const void *address, const char *mistake) {
    fprintf(stderr, "simulator: %s %p: %s\n", type, address, mistake);
    abort();
}
