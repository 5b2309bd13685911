/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps signal handlers and asynchronous cancellation away from sections in which they would do harm. */
#include "platform/platform.h"

#include <plc/parking_lot.h>

#include <pthread.h>
#include <signal.h>

/* What must not interrupt a thread
 *
 *   A handler, while the thread holds a bucket: if the handler waits for a lock, and that lock's owner for this bucket,
 *   neither ever gets on. So signals are blocked in each such section.
 *   A cancellation of the asynchronous type, while the thread holds a bucket or its node may be queued: both would stay as they
 *   are when the thread is gone. So the thread's type is the deferred one from before it is queued until its node is free again.
 *
 * Either costs system calls or calls on slow paths, so it is done only in processes that asked for it. A guard that is switched
 * on never goes off again; a section that was entered before is left without it. Signals of faults are never blocked:
 * they come from what the thread does, and its handler has to run. */

uint32_t plc_os_guards;

/* Initial-exec, as all of libplc's thread-local storage. Signals are blocked while is_blocking is set, so that no handler of
   this thread sees this in between. */
static __thread struct {
    sigset_t mask_before;
    int type_before;
    unsigned deferrals; /* how many sections and waits, one inside the other, this thread is in */
    bool is_blocking;
} guard;

static void switch_on(uint32_t which) {
    (void)plc_fetch_or_relaxed(&plc_os_guards, which); /* relaxed: no data goes with it */
}

void plc_signals_may_lock(void) {
    switch_on(PLC_OS_GUARD_SIGNALS);
}

void plc_signals_may_cancel_(void) {
    switch_on(PLC_OS_GUARD_CANCELLATION);
}

static void block_signals(void) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        (void)sigdelset(&all, faults[i]);
    if (pthread_sigmask(SIG_BLOCK, &all, &before) == 0) {
        guard.mask_before = before;
        guard.is_blocking = true;
    }
}

static void unblock_signals(void) {
    sigset_t before = guard.mask_before;
    if (!guard.is_blocking)
        return;
    guard.is_blocking = false;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void plc_os_defer_cancellation(void) {
    if (guard.deferrals++ == 0)
        (void)pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &guard.type_before);
}

void plc_os_admit_cancellation(void) {
    if (guard.deferrals > 0 && --guard.deferrals == 0)
        (void)pthread_setcanceltype(guard.type_before, NULL);
}

void plc_os_enter_section(uint32_t guards) {
    if (guards & PLC_OS_GUARD_SIGNALS)
        block_signals();
    if (guards & PLC_OS_GUARD_CANCELLATION)
        plc_os_defer_cancellation();
}

void plc_os_leave_section(uint32_t guards) {
    if (guards & PLC_OS_GUARD_SIGNALS)
        unblock_signals();
    if (guards & PLC_OS_GUARD_CANCELLATION)
        plc_os_admit_cancellation();
}
