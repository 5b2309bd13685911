/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Learns that the program installs signal handlers, or cancels asynchronously, and has libplc guard against both. */
#include "handlers.h"
#include "layout.h"
#include "real.h"

#include "platform/platform.h"

/* A handler may lock whatever its thread does not hold, at any time; platform/guard.c says why libplc must know. glibc's own functions do the
   work, with a stand-in in the handler's place (handlers.c). */
static int set_action(int number, const struct sigaction *restrict action, struct sigaction *restrict old) {
    struct sigaction ours;
    if (action != NULL) {
        ours = *action;
        ours.sa_handler = dropin_stand_in(number, ours.sa_flags, ours.sa_handler);
    }
    int code = dropin_real()->sigaction(number, action != NULL ? &ours : NULL, old);
    if (code == 0 && old != NULL)
        old->sa_handler = dropin_stands_for(old->sa_handler);
    return code;
}

static dropin_handler set_handler(int number, dropin_handler handler) {
    return dropin_stands_for(dropin_real()->signal(number, dropin_stand_in(number, 0, handler)));
}

static dropin_handler set_handler_as_system_v(int number, dropin_handler handler) {
    return dropin_stands_for(dropin_real()->sysv_signal(number, dropin_stand_in(number, (int)SA_RESETHAND, handler)));
}

static dropin_handler set_handler_and_mask(int number, dropin_handler handler) {
    return dropin_stands_for(dropin_real()->sigset(number, dropin_stand_in(number, 0, handler)));
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
