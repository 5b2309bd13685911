/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A waker: something that can be woken, whatever it is, a thread or a task of any runtime.
 *
 *  A waker owns a reference to what it wakes, and is used up by plc_waker_wake or plc_waker_drop, exactly one of them.
 *  It may be moved by assignment. Its functions may be called by any thread. Nothing here blocks or allocates, unless the
 *  waker's own functions do. Zeroed memory is no waker: it may be asked for plc_waker_is_set, and nothing else.
 *
 *  Source of the interface: Rust's RawWaker. */
#ifndef PLC_WAKER_H
#define PLC_WAKER_H

#include <plc/detail/config.h>

PLC_BEGIN_DECLS

struct plc_waker_vtable;

/** A waker: two words. */
typedef struct plc_waker {
    const struct plc_waker_vtable *vtable; /**< How to use `data`; null: no waker. */
    void *data;                            /**< The vtable's business. */
} plc_waker_t;

/** What can be done with a waker's data. Each function must be safe to call from any thread, and must not block. */
struct plc_waker_vtable {
    plc_waker_t (*clone)(void *data); /**< A second waker for the same thing. May return one of another kind. */
    void (*wake)(void *data);         /**< Wakes and gives up the reference. */
    void (*wake_by_ref)(void *data);  /**< Wakes and keeps the reference. */
    void (*drop)(void *data);         /**< Gives up the reference. */
};

/** A waker that does nothing. It needs no drop, but may be dropped. */
PLC_API plc_waker_t plc_waker_noop(void);

/** Is there a waker? */
PLC_INLINE bool plc_waker_is_set(const plc_waker_t *waker) {
    return waker->vtable != PLC_NULL;
}

/** Another waker for what @p waker wakes. */
PLC_INLINE plc_waker_t plc_waker_clone(const plc_waker_t *waker) {
    return waker->vtable->clone(waker->data);
}

/** Wakes, and uses @p waker up. */
PLC_INLINE void plc_waker_wake(plc_waker_t *waker) {
    plc_waker_t taken = *waker;
    waker->vtable = PLC_NULL;
    taken.vtable->wake(taken.data);
}

/** Wakes. */
PLC_INLINE void plc_waker_wake_by_ref(const plc_waker_t *waker) {
    waker->vtable->wake_by_ref(waker->data);
}

/** Uses @p waker up without waking; one that is not set is left alone. */
PLC_INLINE void plc_waker_drop(plc_waker_t *waker) {
    plc_waker_t taken = *waker;
    waker->vtable = PLC_NULL;
    if (taken.vtable)
        taken.vtable->drop(taken.data);
}

/** Do both wake the same? True only if so; false may be wrong. */
PLC_INLINE bool plc_waker_will_wake(const plc_waker_t *a, const plc_waker_t *b) {
    return a->vtable == b->vtable && a->data == b->data;
}

PLC_END_DECLS
#endif
