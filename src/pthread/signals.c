/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Learns that the program installs signal handlers, or cancels asynchronously, and has libplc guard against both. */
#include "layout.h"
#include "real.h"

#include "platform/platform.h"

#include <plc/parking_lot.h>

/* A handler may lock whatever its thread does not hold, at any time; platform/guard.c says why libplc must know. Nothing else is
   changed: glibc's own functions do the work. Handlers for faults do not count: a fault does not come from inside libplc, and
   programs that have no other handlers are many. */
static bool is_fault(int number) {
    switch (number) {
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
        return true;
    default:
        return false;
    }
}

static void expect(int number, dropin_handler handler) {
    if (handler != SIG_DFL && handler != SIG_IGN && handler != SIG_ERR && handler != SIG_HOLD && !is_fault(number))
        plc_signals_may_lock();
}

static int set_action(int number, const struct sigaction *restrict action, struct sigaction *restrict old) {
    if (action != NULL)
        expect(number, action->sa_handler);
    return dropin_real()->sigaction(number, action, old);
}

static dropin_handler set_handler(int number, dropin_handler handler) {
    expect(number, handler);
    return dropin_real()->signal(number, handler);
}

static dropin_handler set_handler_as_system_v(int number, dropin_handler handler) {
    expect(number, handler);
    return dropin_real()->sysv_signal(number, handler);
}

static dropin_handler set_handler_and_mask(int number, dropin_handler handler) {
    expect(number, handler);
    return dropin_real()->sigset(number, handler);
}

static int set_cancel_type(int type, int *old) {
    if (type == PTHREAD_CANCEL_ASYNCHRONOUS)
        plc_signals_may_cancel_();
    return dropin_real()->setcanceltype(type, old);
}

/* A cond's wait is asynchronous while it sleeps, and a handler that locks may interrupt the sleep. */
static int cancel(pthread_t thread) {
    plc_signals_may_cancel_();
    return dropin_real()->cancel(thread);
}

DROPIN_EXPORT(sigaction, set_action);
DROPIN_EXPORT(__sigaction, set_action);
DROPIN_EXPORT(signal, set_handler);
DROPIN_EXPORT(bsd_signal, set_handler);
DROPIN_EXPORT(ssignal, set_handler);
DROPIN_EXPORT(sysv_signal, set_handler_as_system_v);
DROPIN_EXPORT(__sysv_signal, set_handler_as_system_v);
DROPIN_EXPORT(sigset, set_handler_and_mask);
DROPIN_EXPORT(pthread_setcanceltype, set_cancel_type);
DROPIN_EXPORT(pthread_cancel, cancel);
