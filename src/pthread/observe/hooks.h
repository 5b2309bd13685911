/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where the drop-in's own sources let the observers begin, and begin anew after a fork; nothing at all in
   libplc_pthread.so. */
#ifndef PLC_OBSERVE_HOOKS_H
#define PLC_OBSERVE_HOOKS_H

#ifdef DROPIN_OBSERVED
void observe_start(void);
void observe_after_fork(void);
#else
static inline void observe_start(void) {}
static inline void observe_after_fork(void) {}
#endif

#endif
