/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A mutex with a second byte, by grace of which it is unlocked by a plain store until somebody has to queue for it. */
#ifndef PLC_MUTEX_QUIET_H
#define PLC_MUTEX_QUIET_H

#include <plc/mutex.h>

PLC_BEGIN_DECLS

/* Who has such a byte beside a mutex calls these in place of plc_mutex_lock, plc_mutex_lock_until and plc_mutex_unlock;
   tries are as ever. Before any other operation of libplc's that may queue a thread for the mutex, such as a wait on a
   condvar with it, who holds it ends its quiet. Zeroed memory is right for both bytes. docs/design/mutex.md, "Quiet
   mutexes", and mutex_quiet.c say how it works. */
enum plc_quiet {
    PLC_QUIET_LASTS = 0, /* nobody has had to queue yet */
    PLC_QUIET_ASKED = 1, /* somebody has, and asks whoever holds the mutex to end this */
    PLC_QUIET_OVER = 2,  /* for good: the mutex is like any other */
};

PLC_API bool plc_mutex_lock_quiet_slow_(plc_mutex_t *mutex, uint8_t *quiet, plc_deadline_t deadline);

/* By who holds the mutex, while the quiet is not over. */
PLC_API void plc_mutex_end_quiet_slow_(plc_mutex_t *mutex, uint8_t *quiet);

static inline void plc_mutex_lock_quiet(plc_mutex_t *mutex, uint8_t *quiet) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t free_state = 0;
    plc_mutex_will_lock_(mutex);
    if (PLC_UNLIKELY(!plc_cas_acquire_weak(&mutex->state, &free_state, PLC_MUTEX_LOCKED_))) /* acquire [M1] */
        (void)plc_mutex_lock_quiet_slow_(mutex, quiet, PLC_NO_DEADLINE);
    plc_mutex_locked_(mutex);
}

static inline bool plc_mutex_lock_quiet_until(plc_mutex_t *mutex, uint8_t *quiet,
                                              plc_deadline_t deadline) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t free_state = 0;
    bool taken;
    plc_tsan_pre_lock(mutex, PLC_TSAN_WRITE | PLC_TSAN_TRY);
    taken = plc_cas_acquire_weak(&mutex->state, &free_state, PLC_MUTEX_LOCKED_) || /* acquire [M1] */
            plc_mutex_lock_quiet_slow_(mutex, quiet, deadline);
    plc_tsan_post_try(mutex, PLC_TSAN_WRITE, taken);
    if (taken)
        plc_checked_locked_(mutex, "mutex", PLC_CHECKED_EXCLUSIVE);
    return taken;
}

static inline void plc_mutex_end_quiet(plc_mutex_t *mutex, uint8_t *quiet) {
    if (PLC_UNLIKELY(plc_load_relaxed(quiet) != PLC_QUIET_OVER)) /* relaxed: OVER is the word of one who held it (Q2) */
        plc_mutex_end_quiet_slow_(mutex, quiet);
}

static inline void plc_mutex_unlock_quiet(plc_mutex_t *mutex, uint8_t *quiet) PLC_NO_THREAD_SAFETY_ANALYSIS {
    uint8_t seen = plc_load_relaxed(quiet); /* relaxed: an ASKED may be missed (Q4), and an OVER cannot be (Q3) */
    if (PLC_LIKELY(seen == PLC_QUIET_LASTS)) {
        plc_mutex_will_unlock_(mutex);
        plc_store_release(&mutex->state, (uint8_t)0); /* release [M1]; the last access */
        plc_mutex_unlocked_(mutex);
        return;
    }
    if (PLC_UNLIKELY(seen != PLC_QUIET_OVER))
        plc_mutex_end_quiet_slow_(mutex, quiet);
    plc_mutex_unlock(mutex);
}

/* ---- For the mutex's slow paths */

struct plc_waiting;

/* With the bucket locked: is the quiet not over? Null: the mutex has none. */
static inline bool plc_quiet_lasts(const uint8_t *quiet) {
    return quiet && plc_load_relaxed(quiet) != PLC_QUIET_OVER; /* relaxed: changes only under the bucket lock */
}

/* With the bucket locked, in the quiet: takes the mutex if it is free (true), or asks for the end of the quiet; then the caller
   queues. */
bool plc_quiet_take_or_ask(plc_mutex_t *mutex, uint8_t *quiet);

/* In place of plc_waiting_sleep, for one that has asked: as that; or takes the mutex by itself (waiting->is_owner). */
bool plc_quiet_wait(struct plc_waiting *waiting, plc_mutex_t *mutex, plc_deadline_t deadline);

PLC_END_DECLS
#endif
