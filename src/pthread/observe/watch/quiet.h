/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A lock for the observers' own data. */
#ifndef PLC_OBSERVE_QUIET_H
#define PLC_OBSERVE_QUIET_H

#include <plc/mutex.h>

#include <pthread.h>
#include <signal.h>

/* Held for moments only, by threads that are about to wait or that saw something new. Signals stay away meanwhile: a
   handler may lock what its thread does not hold, and would wait for ever if that lock's owner waited for this one. */
struct quiet_section {
    plc_mutex_t *lock;
    sigset_t mask;
};

static inline struct quiet_section quiet_enter(plc_mutex_t *lock) {
    struct quiet_section section = {.lock = lock};
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &section.mask);
    plc_mutex_lock(lock);
    return section;
}

static inline void quiet_leave(const struct quiet_section *section) {
    plc_mutex_unlock(section->lock);
    (void)pthread_sigmask(SIG_SETMASK, &section->mask, NULL);
}

#endif
