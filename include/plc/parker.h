/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A permit in one word: the owner parks until somebody gives it one.
 *
 *  A parker belongs to one thread, its owner, which alone parks on it; any thread may unpark it, at any time and any
 *  number of times. An unpark leaves a permit if none is there: permits do not add up. A park takes the permit, and
 *  waits for one if there is none. It returns only with a permit, or at its deadline.
 *
 *  Zeroed memory is a parker without a permit; nothing is destroyed. It may be freed as soon as no thread will unpark it
 *  again: an unpark that has left its permit does not touch the parker any more. plc/unparker.h has parkers that live
 *  as long as somebody may unpark them.
 *
 *  Ordering: all that any thread did before it unparked happens before the return of the park that takes the permit,
 *  those unparks included that found a permit there already. Only a park blocks; nothing allocates; errno is preserved.
 *
 *  Algorithm: the token of Rust's thread::park and of Tokio's ParkThread, with the futex of the former.
 *  docs/design/task.md has the states and edges. */
#ifndef PLC_PARKER_H
#define PLC_PARKER_H

#include <plc/deadline.h>
#include <plc/detail/atomic.h>
#include <plc/detail/tsan.h>

PLC_BEGIN_DECLS

/** A parker; `state` is private. */
typedef struct plc_parker {
    uint32_t state; /**< private */
} plc_parker_t;

PLC_STATIC_ASSERT(sizeof(plc_parker_t) == 4, "a parker is one 32-bit word");

/** A parker without a permit. So is any zeroed memory. */
#define PLC_PARKER_INIT                                                                                                \
    { 0 }

/* src/task/parker.c describes them. */
enum {
    PLC_PARKER_EMPTY_ = 0u,
    PLC_PARKER_PARKED_ = 1u,
    PLC_PARKER_NOTIFIED_ = 2u,
};

PLC_API bool plc_parker_park_slow_(plc_parker_t *parker, plc_deadline_t deadline);
PLC_API void plc_parker_wake_(plc_parker_t *parker);

/** Owner: takes the permit if there is one; returns whether. Never blocks. */
PLC_INLINE bool plc_parker_try_park(plc_parker_t *parker) {
    uint32_t state = PLC_PARKER_NOTIFIED_;
    if (plc_load_relaxed(&parker->state) != PLC_PARKER_NOTIFIED_) /* relaxed: only looks whether to try */
        return false;
    bool taken = plc_cas_acquire(&parker->state, &state, (uint32_t)PLC_PARKER_EMPTY_); /* acquire [A1] */
    if (taken)
        plc_tsan_acquire(parker);
    return taken;
}

/** Owner: takes the permit; waits for it if there is none. Parking while another thread is parked on the same parker
 *  aborts with a message. */
PLC_INLINE void plc_parker_park(plc_parker_t *parker) {
    if (PLC_LIKELY(plc_parker_try_park(parker)))
        return;
    plc_parker_park_slow_(parker, PLC_NO_DEADLINE);
    plc_tsan_acquire(parker);
}

/** As plc_parker_park, but gives up when @p deadline has passed; returns whether it took a permit. A permit that is
 *  there is taken even after the deadline. */
PLC_INLINE bool plc_parker_park_until(plc_parker_t *parker, plc_deadline_t deadline) {
    if (PLC_LIKELY(plc_parker_try_park(parker)))
        return true;
    bool taken = plc_parker_park_slow_(parker, deadline);
    if (taken)
        plc_tsan_acquire(parker);
    return taken;
}

/** Any thread: leaves a permit, and wakes the owner if it is parked. Never blocks. */
PLC_INLINE void plc_parker_unpark(plc_parker_t *parker) {
    plc_tsan_release(parker);
    /* An exchange even if a permit is there: whoever takes it must see what this thread did as well. release [A1] */
    uint32_t old = plc_exchange_release(&parker->state, (uint32_t)PLC_PARKER_NOTIFIED_);
    if (PLC_UNLIKELY(old == PLC_PARKER_PARKED_))
        plc_parker_wake_(parker);
}

PLC_END_DECLS
#endif
