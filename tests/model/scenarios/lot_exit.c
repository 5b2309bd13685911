/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thread that was woken may exit at once, and another be born in the memory in which its node lay. */
#include <string.h>

#include "lot.h"
#include "parking_lot/thread.h"

/* T0 and T2 have their data in one place, one after the other. */
int model_thread(int thread);

int model_thread(int thread) {
    return thread == 2 ? 0 : thread;
}

static char key;
static uint32_t parked, born;
static bool exited;

static bool count_in(void *context) {
    (void)context;
    plc_fetch_add_relaxed(&parked, 1);
    return true;
}

static const struct plc_park_ops counted = {.validate = count_in};

/* As the C library does with a thread's memory: nothing of the dead thread is left to the next one. */
static void thread_exit(void) {
    mc_lifetime_end(plc_thread_self(), sizeof(struct plc_thread));
    plc_store_release(&exited, true);
}

static void thread_birth(void) {
    while (!plc_load_acquire(&exited))
        mc_yield();
    memset(plc_thread_self(), 0, sizeof(struct plc_thread));
}

static void wait_until_parked(uint32_t number) {
    while (plc_load_relaxed(&parked) < number)
        mc_yield();
}

/* T1 wakes T0, and wakes T2 later: its first wake may still be on its way by then. */
static void exit_and_birth(int self) {
    if (self == 1) {
        for (uint32_t i = 1; i <= 2; i++) {
            wait_until_parked(i);
            MC_ASSERT(plc_unpark_one(&key, NULL, NULL).unparked == 1);
        }
        return;
    }
    if (self == 2)
        thread_birth();
    MC_ASSERT(plc_park(&key, &counted, NULL, 0, PLC_NO_DEADLINE).status == PLC_PARK_UNPARKED);
    born += self == 2;
    if (self == 0)
        thread_exit();
}

/* T2 leaves by itself while T1, which woke T0, is about to touch it for the last time. */
static void exit_and_time_out(int self) {
    if (self == 1) {
        wait_until_parked(1);
        plc_unpark_one(&key, NULL, NULL);
        return;
    }
    if (self == 2)
        thread_birth();
    plc_park(&key, &counted, NULL, 0, soon());
    born += self == 2;
    if (self == 0)
        thread_exit();
}

static void all_gone(void) {
    MC_ASSERT(born == 1);
    lot_must_be_empty();
}

#ifdef IDEAL
#define BOUND(n) .preemptions = 0
#else
#define BOUND(n) .preemptions = (n), .stale = 1
#endif
#define THREE .threads = 3, .setup = lot_setup, .finish = all_gone
MC_SCENARIOS(
    {.name = "lot: woken, exited, and another born there" ON, THREE, .thread = exit_and_birth, BOUND(2)},
    {.name = "lot: timed out, exited, and another born there" ON, THREE, .thread = exit_and_time_out, BOUND(2)});
