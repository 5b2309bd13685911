/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A wait that is unwound from its sleep, as a cancellation does it: the thread leaves its queue, and swallows nothing. */
#include <setjmp.h>
#include <unwind.h>

#include "lot.h"
#include "sync/condvar.h"

static plc_mutex_t mutex;
static plc_condvar_t condvar;
static char key;
static int cancelled, woken, found;
static bool ready;

/* ---- Unwinding: up to where the thread said that it wants to be, running every clean-up on the way. */

static jmp_buf landing;
static struct _Unwind_Exception exception;

static _Unwind_Reason_Code stop(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                struct _Unwind_Exception *what, struct _Unwind_Context *context, void *frame) {
    (void)version, (void)actions, (void)class, (void)what;
    if (_Unwind_GetCFA(context) > (uintptr_t)frame)
        longjmp(landing, 1);
    return _URC_NO_REASON;
}

static void *landing_frame;

/* Runs before or after each system call that sleeps; the first may be the last. */
static void be_cancelled_maybe(void *context) {
    (void)context;
    if (mc_choose(2))
        _Unwind_ForcedUnwind(&exception, stop, landing_frame);
}

static void nothing(void *context) {
    (void)context;
}

/* Returns whether the wait was unwound. */
static bool is_unwound_from(void (*wait)(void)) {
    landing_frame = __builtin_frame_address(0);
    if (setjmp(landing))
        return true;
    wait();
    return false;
}

/* ---- A plain park: either it was woken, or it left and nobody was woken in its place. */

static void park(void) {
    const struct plc_park_ops before = {.wait_begin = be_cancelled_maybe, .wait_end = nothing};
    const struct plc_park_ops after = {.wait_begin = nothing, .wait_end = be_cancelled_maybe};
    plc_park(&key, mc_choose(2) ? &before : &after, NULL, 0, PLC_NO_DEADLINE);
}

static void cancelled_park(int self) {
    if (self) {
        found = (int)plc_unpark_one(&key, NULL, NULL).unparked;
        return;
    }
    cancelled = is_unwound_from(park);
    woken = !cancelled;
    /* The node is the thread's own again. */
    const struct plc_park_ops ops = {0};
    MC_ASSERT(plc_park(&key + 1, &ops, NULL, 0, soon()).status == PLC_PARK_TIMED_OUT);
}

/* T1 comes too early, or before T0 gives up waiting for it. */
static void unpark_until_gone(int self) {
    if (self == 0) {
        cancelled_park(0);
        plc_store_release(&ready, true);
    } else {
        while (!plc_load_acquire(&ready) && !found) {
            cancelled_park(1);
            mc_yield();
        }
    }
}

static void woken_if_found(void) {
    MC_ASSERT(!woken || found == 1); /* a wake that was on its way is waited for, whether it is noticed or not */
    lot_must_be_empty();
}

/* ---- A condvar: who is unwound holds the mutex again; the notification that it may have been given goes to another. */

static void wait_cancelled(void) {
    const struct plc_condvar_request request = {
        .mutex = &mutex, .deadline = PLC_NO_DEADLINE, .wait_begin = be_cancelled_maybe, .wait_end = nothing};
    while (!ready)
        plc_condvar_wait_core_(&condvar, &request);
}

static void wait_until_ready(void) {
    while (!ready)
        plc_condvar_wait(&condvar, &mutex);
}

static void notify(void) {
    ready = true;
    plc_condvar_notify_one(&condvar);
}

/* T0 may be unwound; the others are told one by one: T1 tells somebody, and who is told tells the next. */
static void cancelled_wait(int self) {
    plc_mutex_lock(&mutex);
    if (self == 0)
        cancelled = is_unwound_from(wait_cancelled);
    else if (self == 2)
        wait_until_ready();
    if (self || !cancelled)
        notify();
    MC_ASSERT(plc_mutex_is_locked(&mutex));
    woken++;
    plc_mutex_unlock(&mutex);
}

static void all_back(void) {
    MC_ASSERT(woken == mc_thread_count());
    MC_ASSERT(mutex.state == 0 && condvar.state == 0);
    lot_must_be_empty();
}

MC_SCENARIOS({.name = "unwind: a park" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = unpark_until_gone,
              .finish = woken_if_found,
              .preemptions = 3,
              .stale = 1},
             {.name = "unwind: the wait for a condvar" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = cancelled_wait,
              .finish = all_back,
              .preemptions = 3,
              .stale = 1},
             {.name = "unwind: a notification that the unwound had goes on" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = cancelled_wait,
              .finish = all_back,
              .preemptions = 2,
              .stale = 1});
