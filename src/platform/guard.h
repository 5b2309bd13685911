/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How signal handlers put themselves off until a section is over. For libplc_pthread.so, not API. */
#ifndef PLC_GUARD_H
#define PLC_GUARD_H

#include <plc/detail/config.h>

#include <signal.h>
#include <stdbool.h>

PLC_BEGIN_DECLS

/* guard.c says what handlers must not interrupt, and why this is right. The alternative to plc_signals_may_lock() for a process all of
   whose handlers begin like this:

     if (plc_signals_must_wait_()) {
         plc_signals_put_off_(&mask);     the mask that the kernel will restore when the handler returns
         ... sends the same signal to its thread once more ...
         return;
     }

   Both kinds may be in force at the same time. */

/* Signals of faults come from what their thread does, and not from inside libplc: they are never blocked. */
static inline bool plc_signal_is_fault(int number) {
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

/* Handlers that do not put themselves off are none of this one's business. */
PLC_API void plc_signals_put_themselves_off_(void);

/* For handlers: did this one interrupt its thread in a section? */
PLC_API bool plc_signals_must_wait_(void);

/* For such a handler: blocks all signals but faults' at once, adds them to the mask of what was interrupted, and has the
   section's end restore that. errno is preserved. */
PLC_API void plc_signals_put_off_(sigset_t *interrupted);

PLC_END_DECLS
#endif
