/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one-word lock that guards a bucket of the parking lot. */
#ifndef PLC_WORD_LOCK_H
#define PLC_WORD_LOCK_H

#include <plc/detail/config.h>

PLC_BEGIN_DECLS

/* A word that holds the head of a queue of waiting threads and two flags; zero is unlocked. Each waiter's node lies on
   its own stack and has a thread parker of its own, so this lock needs neither the parking lot nor an allocation.
   Waiters are woken first in, first out; a running thread may barge. Not recursive. Never touches errno. */
struct plc_word_lock {
    uintptr_t word;
};

void plc_word_lock_lock(struct plc_word_lock *lock);
bool plc_word_lock_try_lock(struct plc_word_lock *lock);
/* The same, but only if nobody waits either. This one may be called from a signal handler, and unlock after it: whoever
   has to be woken then has come since, so it is not a thread that the handler interrupts, halfway through its own
   business with its parker. */
bool plc_word_lock_try_lock_idle(struct plc_word_lock *lock);
void plc_word_lock_unlock(struct plc_word_lock *lock);

PLC_END_DECLS

#endif
