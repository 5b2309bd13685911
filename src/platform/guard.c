/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps signal handlers and asynchronous cancellation away from sections in which they would do harm. */
#include "platform/guard.h"

#include "platform/platform.h"

#include <plc/parking_lot.h>

#include <pthread.h>

/* What must not interrupt a thread
 *
 *   A handler, while the thread holds a bucket: if the handler waits for a lock, and that lock's owner for this bucket,
 *   neither ever gets on. So no handler runs in such a section.
 *   A handler that jumps away (siglongjmp), while the thread holds a bucket or has promised a wake: likewise. Where it is only
 *   queued it may jump (parking_lot/undo.h).
 *   A cancellation of the asynchronous type, while the thread holds a bucket or changes its place in a queue. So the thread's
 *   type is the deferred one from before it is queued until its node is free again, but for its sleep, from which it can be
 *   unwound (parking_lot/undo.h), and in each section.
 *
 * Either costs something on slow paths, so it is done only in processes that asked for it. A guard that is switched
 * on never goes off again; a section that was entered before is left without it. Signals of faults are never blocked:
 * they come from what the thread does, and its handler has to run.
 *
 * Handlers can be kept out of a section in two ways. Signals are blocked as it begins and unblocked as it ends: two system calls.
 * Or nothing is done as it begins, and a handler that comes nevertheless puts itself off (guard.h): it has the signal sent once more, and the thread
 * go on with signals blocked, which the section's end undoes. That costs system calls only if a signal does come, but the handler has to
 * cooperate.
 *
 * A thread's state (its own: handlers run in the same thread, so that compiler fences are all it takes)
 *
 *   sections  is_blocked
 *   0         false       outside: handlers run
 *   n > 0     false       inside, and no signal has come yet; one that does makes it the next
 *   n > 0     true        inside, and the kernel keeps signals until the outermost section ends: it blocked them as it
 *                         began, or a handler has put itself off. mask_before is what the mask was
 *   0         true        for a few instructions of the section's beginning and of its end
 *
 * Invariants
 *   G1  A handler that cooperates runs only where sections is 0, where this thread has no bucket locked and owes no wake.
 *   G2  When a handler that has put itself off returns, is_blocked is set, mask_before is the mask of what it interrupted, and all signals but
 *       faults' are blocked: nothing else comes before the section's end looks, which it does after it made sections 0.
 *   G3  A signal that was put off is pending for this thread, and is so until it is unblocked: nobody else can take it.
 *   G4  Before the end unblocks signals, the state is that of a thread outside: the handlers that come then may jump away. */

uint32_t plc_os_guards;

/* Deferrals that are deeper than this are not undone one by one: the outermost of them stay in force. A wait is one, a section in
   it another; a handler that interrupts a sleep may add two of its own. */
enum { MAX_DEFERRALS = 16 };

/* Initial-exec, as all of libplc's thread-local storage. The deferrals are a stack, and the sections a depth: a handler leaves them as it
   found them. */
static __thread struct {
    sigset_t mask_before;
    int types_before[MAX_DEFERRALS]; /* what each deferral found: a sleep inside one may be asynchronous again */
    unsigned deferrals;              /* how many sections and waits, one inside the other, this thread is in */
    /* Volatile: handlers change them between any two instructions, and a compiler that knows what all functions here do with them would
       not look again after a call in between. */
    volatile unsigned sections; /* in which handlers must not run, one inside the other */
    volatile bool is_blocked;
} guard;

static void switch_on(uint32_t which) {
    (void)plc_fetch_or_relaxed(&plc_os_guards, which); /* relaxed: no data goes with it */
}

void plc_signals_may_lock(void) {
    switch_on(PLC_OS_GUARD_SIGNALS);
}

void plc_signals_put_themselves_off_(void) {
    switch_on(PLC_OS_GUARD_HANDLERS);
}

void plc_signals_may_cancel_(void) {
    switch_on(PLC_OS_GUARD_CANCELLATION);
}

/* Blocks all signals but faults', and adds them to *mask as well if there is one. */
static void block_signals(sigset_t *before, sigset_t *mask) {
    sigset_t blocked;
    (void)sigfillset(&blocked);
    for (int number = 1; number < NSIG; number++)
        if (plc_signal_is_fault(number))
            (void)sigdelset(&blocked, number);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, before);
    for (int number = 1; mask && number < NSIG; number++)
        if (sigismember(&blocked, number) == 1)
            (void)sigaddset(mask, number);
}

/* Who comes before signals are blocked finds the thread outside, whether he cooperates or not, and may jump away. */
static void enter_section(bool blocks) {
    sigset_t before;
    if (blocks && guard.sections == 0 && !guard.is_blocked) {
        block_signals(&before, NULL);
        guard.mask_before = before;
        plc_fence_compiler();
        guard.is_blocked = true;
    }
    guard.sections = guard.sections + 1; /* a hook of the program's may run in a section, and lock */
    plc_fence_compiler();                /* nothing of the section comes before this (G1) */
}

static void leave_section(void) {
    if (guard.sections == 0)
        return;           /* entered before any guard was on */
    plc_fence_compiler(); /* nothing of the section comes after this (G1) */
    guard.sections = guard.sections - 1;
    plc_fence_compiler(); /* who comes from now on finds the thread outside; who came before has set is_blocked (G2) */
    if (guard.sections > 0 || PLC_LIKELY(!guard.is_blocked))
        return;
    sigset_t before = guard.mask_before;
    guard.is_blocked = false;
    plc_fence_compiler(); /* handlers come in the next call (G4) */
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool plc_signals_must_wait_(void) {
    return guard.sections > 0;
}

void plc_signals_put_off_(sigset_t *interrupted) {
    sigset_t before = *interrupted;
    block_signals(NULL, interrupted);
    plc_fence_compiler();
    /* Now, and not earlier: a handler that interrupted this one was put off too, and wrote down the mask of this one. */
    guard.mask_before = before;
    plc_fence_compiler();
    guard.is_blocked = true;
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
    if (guards & (PLC_OS_GUARD_SIGNALS | PLC_OS_GUARD_HANDLERS))
        enter_section((guards & PLC_OS_GUARD_SIGNALS) != 0);
    if (guards & PLC_OS_GUARD_CANCELLATION)
        plc_os_defer_cancellation();
}

void plc_os_leave_section(uint32_t guards) {
    if (guards & (PLC_OS_GUARD_SIGNALS | PLC_OS_GUARD_HANDLERS))
        leave_section();
    if (guards & PLC_OS_GUARD_CANCELLATION)
        plc_os_admit_cancellation();
}
