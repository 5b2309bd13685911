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
 *   A handler that jumps away (siglongjmp), while the thread holds a bucket or has promised a wake: likewise. Where it is only
 *   queued it may jump (parking_lot/undo.h).
 *   A cancellation of the asynchronous type, while the thread holds a bucket or changes its place in a queue. So the thread's
 *   type is the deferred one from before it is queued until its node is free again, but for its sleep, from which it can be
 *   unwound (parking_lot/undo.h), and in each section.
 *
 * Either costs system calls or calls on slow paths, so it is done only in processes that asked for it. A guard that is switched
 * on never goes off again; a section that was entered before is left without it. Signals of faults are never blocked:
 * they come from what the thread does, and its handler has to run. */

uint32_t plc_os_guards;

/* Deferrals that are deeper than this are not undone one by one: the outermost of them stay in force. A wait is one, a section in
   it another; a handler that interrupts a sleep may add two of its own. */
enum { MAX_DEFERRALS = 16 };

/* Initial-exec, as all of libplc's thread-local storage. Signals are blocked while there are sections, so that no handler
   of this thread sees this in between. The deferrals are a stack: a handler leaves it as it found it. */
static __thread struct {
    sigset_t mask_before;
    int types_before[MAX_DEFERRALS]; /* what each deferral found: a sleep inside one may be asynchronous again */
    unsigned deferrals;              /* how many sections and waits, one inside the other, this thread is in */
    unsigned sections;               /* for which signals are blocked, one inside the other */
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
    if (guard.sections > 0) { /* a hook of the program's runs in a section, and locks */
        guard.sections++;
        return;
    }
    (void)sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        (void)sigdelset(&all, faults[i]);
    if (pthread_sigmask(SIG_BLOCK, &all, &before) == 0) {
        guard.mask_before = before;
        guard.sections = 1;
    }
}

static void unblock_signals(void) {
    sigset_t before = guard.mask_before;
    if (guard.sections == 0 || --guard.sections > 0)
        return;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void plc_os_defer_cancellation(void) {
    int type;
    (void)pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    if (guard.deferrals < MAX_DEFERRALS)
        guard.types_before[guard.deferrals] = type;
    guard.deferrals++;
}

void plc_os_admit_cancellation(void) {
    if (guard.deferrals > 0)
        plc_os_reset_deferrals(guard.deferrals - 1);
}

unsigned plc_os_deferrals(void) {
    return guard.deferrals;
}

/* The type first: should the thread be torn out in between, it is set twice rather than not at all. */
void plc_os_reset_deferrals(unsigned deferrals) {
    if (deferrals >= guard.deferrals)
        return;
    if (deferrals < MAX_DEFERRALS)
        (void)pthread_setcanceltype(guard.types_before[deferrals], NULL);
    plc_fence_compiler();
    guard.deferrals = deferrals;
}

bool plc_os_is_asynchronous(void) {
    return guard.deferrals > 0 && guard.deferrals <= MAX_DEFERRALS &&
           guard.types_before[guard.deferrals - 1] == PTHREAD_CANCEL_ASYNCHRONOUS;
}

void plc_os_sleep_begins(void *unused) {
    (void)unused;
    /* Acts on what is pending. NOLINTNEXTLINE(concurrency-thread-canceltype-asynchronous): it is what the program had chosen */
    (void)pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
}

void plc_os_sleep_ends(void *unused) {
    (void)unused;
    (void)pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
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
