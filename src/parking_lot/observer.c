/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tells the hooks of plc/debug.h and the drop-in's probes of waits and wakes. */
#include "parking_lot/observer.h"

#include "parking_lot/thread.h"
#include "platform/platform.h"

PLC_STATIC_ASSERT((int)PLC_DEBUG_PARK == (int)PLC_WAITER_USER && (int)PLC_DEBUG_MUTEX == (int)PLC_WAITER_MUTEX &&
                      (int)PLC_DEBUG_RWLOCK == (int)PLC_WAITER_RWLOCK &&
                      (int)PLC_DEBUG_RWLOCK_DRAIN == (int)PLC_WAITER_RWLOCK_DRAIN &&
                      (int)PLC_DEBUG_CONDVAR == (int)PLC_WAITER_CONDVAR &&
                      (int)PLC_DEBUG_ONCE == (int)PLC_WAITER_ONCE &&
                      (int)PLC_DEBUG_SCALABLE_DRAIN == (int)PLC_WAITER_READER_SLOT &&
                      (int)PLC_DEBUG_WORD == (int)PLC_WAITER_WORD,
                  "the public kinds are the waiters' kinds");

uint32_t plc_lot_observed;
static const struct plc_debug_hooks *current_hooks;
static const struct plc_lot_probes *current_probes;

static void somebody_looks_on(void) {
    plc_store_relaxed(&plc_lot_observed, 1u); /* relaxed: who sees it too late misses a wait that was under way */
}

const struct plc_debug_hooks *plc_debug_set_hooks(const struct plc_debug_hooks *hooks) {
    /* release [H1], and acquire [H1]: the caller may look at those before */
    const struct plc_debug_hooks *before = plc_exchange_acq_rel(&current_hooks, hooks);
    if (hooks)
        somebody_looks_on();
    return before;
}

void plc_lot_set_probes_(const struct plc_lot_probes *probes) {
    plc_store_release(&current_probes, probes); /* release [H1] */
    if (probes->park)
        somebody_looks_on();
}

const struct plc_lot_probes *plc_lot_probes(void) {
    return plc_load_acquire(&current_probes); /* acquire [H1] */
}

enum plc_debug_kind plc_lot_public_kind(enum plc_waiter_kind kind) {
    if (kind == PLC_WAITER_MUTEX_TASK)
        return PLC_DEBUG_MUTEX;
    return kind == PLC_WAITER_RWLOCK_TASK ? PLC_DEBUG_RWLOCK : (enum plc_debug_kind)kind;
}

const void *plc_lot_object(struct plc_lot_key key, uintptr_t park_token) {
    if (key.kind == PLC_WAITER_RWLOCK_DRAIN)
        return (const char *)key.address - 1; /* sync/rwlock.h: its key lies beside that of the others */
    if (key.kind == PLC_WAITER_READER_SLOT)
        return (const void *)park_token; /* NOLINT(performance-no-int-to-ptr): the slot's lock (reader_table.c) */
    return key.address;
}

/* A hook that waits for a lock of its own is not told of that wait. */
static void call_hook(const struct plc_watch *watch, void (*hook)(void *context, const struct plc_debug_wait *wait),
                      int64_t waited_ns, enum plc_debug_outcome outcome) {
    struct plc_debug_wait wait = {watch->object, plc_lot_public_kind(watch->key.kind), waited_ns, outcome};
    struct plc_thread *self = plc_thread_self();
    if (!hook)
        return;
    self->is_inside_hook = true;
    hook(watch->hooks->context, &wait);
    self->is_inside_hook = false;
}

void plc_watch_begin_slow(struct plc_watch *watch, struct plc_lot_key key, uintptr_t park_token) {
    watch->key = key;
    watch->object = plc_lot_object(key, park_token);
    const struct plc_lot_probes *probes = plc_lot_probes();
    watch->probes = probes && probes->park ? probes : NULL;
    if (!plc_thread_self()->is_inside_hook)
        watch->hooks = plc_load_acquire(&current_hooks); /* acquire [H1] */
    if (watch->hooks) {
        call_hook(watch, watch->hooks->wait_begin, 0, PLC_DEBUG_WOKEN);
        watch->began_at = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    }
    if (watch->probes)
        watch->probes->park(watch->object, key.kind);
}

void plc_watch_end_slow(struct plc_watch *watch, enum plc_debug_outcome outcome) {
    if (watch->probes)
        watch->probes->parked(watch->object, watch->key.kind, outcome == PLC_DEBUG_TIMED_OUT);
    if (watch->hooks) {
        int64_t waited_ns = plc_os_now_ns(PLC_CLOCK_MONOTONIC) - watch->began_at;
        call_hook(watch, watch->hooks->wait_end, waited_ns, outcome);
    }
}

void plc_watch_wake(const struct plc_waiter *waiter) {
    const struct plc_lot_probes *probes = plc_lot_probes();
    /* Nobody but its owner, once it is let go, changes the key of a waiter that was promised a wake. */
    struct plc_lot_key key = {plc_load_relaxed(&waiter->address), waiter->kind}; /* relaxed: see there */
    if (probes && probes->unpark)
        probes->unpark(plc_lot_object(key, waiter->park_token), waiter->kind);
}
