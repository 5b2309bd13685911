/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A place for one waker, which one task fills and any thread empties by waking it.
 *
 *  The consumer registers its waker and *then* looks whether what it waits for has happened; a producer lets it happen
 *  and *then* wakes. So either the consumer sees it, or the producer wakes the waker that was registered, or registering
 *  itself wakes it: nothing is missed.
 *
 *  One consumer at a time registers; any number of producers wake or take at once. (Two that register at once is a mistake,
 *  and harmless: the waker that comes second is woken at once instead of being kept.) The waker's functions are always
 *  called by who has nothing to do with the place any more: they may register and wake here again.
 *
 *  Zeroed memory is an empty place. Before it goes out of use, take the waker and drop it. Nothing blocks or allocates but
 *  what the waker's functions do.
 *
 *  Ordering: all that happened before a wake happens before the return of the register that the consumer calls once it was
 *  woken; what happened before a register happens before the call of its waker.
 *
 *  Interface and contract: Tokio's and futures-rs' AtomicWaker. The algorithm differs: who wakes reads the waker first and takes
 *  it then, with one compare-and-swap. docs/design/task.md has states and edges. */
#ifndef PLC_ATOMIC_WAKER_H
#define PLC_ATOMIC_WAKER_H

#include <plc/detail/atomic.h>
#include <plc/detail/tsan.h>
#include <plc/waker.h>

PLC_BEGIN_DECLS

/** A place for a waker; the members are private. */
typedef struct plc_atomic_waker {
    plc_waker_t waker; /**< private */
    uintptr_t state;   /**< private */
} plc_atomic_waker_t;

/** An empty place. So is any zeroed memory. */
#define PLC_ATOMIC_WAKER_INIT                                                                                          \
    { {0, 0}, 0 }

/* The same without what tells ThreadSanitizer of their order. */
PLC_API void plc_atomic_waker_register_(plc_atomic_waker_t *place, plc_waker_t waker);
PLC_API void plc_atomic_waker_register_by_ref_(plc_atomic_waker_t *place, const plc_waker_t *waker);
PLC_API void plc_atomic_waker_wake_(plc_atomic_waker_t *place);
PLC_API plc_waker_t plc_atomic_waker_take_(plc_atomic_waker_t *place);

/** Consumer: puts @p waker there, which is used up, in place of the one that was there, which is dropped; or wakes it at
 *  once, if somebody wakes just now. */
PLC_INLINE void plc_atomic_waker_register(plc_atomic_waker_t *place, plc_waker_t waker) {
    plc_tsan_release(place);
    plc_atomic_waker_register_(place, waker);
    plc_tsan_acquire(place);
}

/** The same with a clone of @p waker; no clone is made if the one that is there wakes the same. */
PLC_INLINE void plc_atomic_waker_register_by_ref(plc_atomic_waker_t *place, const plc_waker_t *waker) {
    plc_tsan_release(place);
    plc_atomic_waker_register_by_ref_(place, waker);
    plc_tsan_acquire(place);
}

/** Any thread: takes the waker out and wakes it, if there is one. */
PLC_INLINE void plc_atomic_waker_wake(plc_atomic_waker_t *place) {
    plc_tsan_release(place);
    plc_atomic_waker_wake_(place);
}

/** Any thread: takes the waker out; plc_waker_is_set says whether there was one. The caller owns it. */
PLC_INLINE plc_waker_t plc_atomic_waker_take(plc_atomic_waker_t *place) {
    plc_tsan_release(place);
    plc_waker_t waker = plc_atomic_waker_take_(place);
    plc_tsan_acquire(place);
    return waker;
}

PLC_END_DECLS
#endif
