/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who looks on when threads are queued, wait and are woken: the hooks of plc/debug.h and the drop-in's probes. */
#ifndef PLC_OBSERVER_H
#define PLC_OBSERVER_H

#include <plc/debug.h>
#include <plc/detail/atomic.h>

#include "parking_lot/probes.h"
#include "parking_lot/waiter.h"

PLC_BEGIN_DECLS

/* While nobody looks on, and that is the rule, a thread that waits or wakes another reads one word.
 *
 * Memory order
 *   [H1] store-release of an observer -> load-acquire by whoever is about to call it: what was done before it was set. */
extern uint32_t plc_lot_observed; /* has anybody ever looked on? Never goes back to zero. */

const struct plc_lot_probes *plc_lot_probes(void); /* those that are set, or null */

/* One wait that is being watched. Empty if nobody looks on. */
struct plc_watch {
    const struct plc_debug_hooks *hooks;
    const struct plc_lot_probes *probes;
    struct plc_lot_key key;
    const void *object; /* what users know it as */
    int64_t began_at;   /* monotonic nanoseconds; only if there are hooks */
};

/* Around a wait: after the thread was queued, and when it has left the queue; no bucket is locked. */
void plc_watch_begin_slow(struct plc_watch *watch, struct plc_lot_key key, uintptr_t park_token);
void plc_watch_end_slow(struct plc_watch *watch, enum plc_debug_outcome outcome);
void plc_watch_wake(const struct plc_waiter *waiter);

static inline void plc_watch_begin(struct plc_watch *watch, struct plc_lot_key key, uintptr_t park_token) {
    watch->hooks = NULL;
    watch->probes = NULL;
    if (PLC_UNLIKELY(plc_load_relaxed(&plc_lot_observed))) /* relaxed: a switch; [H1] has the data */
        plc_watch_begin_slow(watch, key, park_token);
}

static inline void plc_watch_end(struct plc_watch *watch, enum plc_debug_outcome outcome) {
    if (PLC_UNLIKELY(watch->hooks || watch->probes)) {
        struct plc_watch ended = *watch;
        watch->hooks = NULL; /* a handler that jumps away from here on does not end it again */
        watch->probes = NULL;
        plc_watch_end_slow(&ended, outcome);
    }
}

/* Right before the owner of a waiter is let go. */
static inline void plc_waiter_is_woken(const struct plc_waiter *waiter) {
    if (PLC_UNLIKELY(plc_load_relaxed(&plc_lot_observed))) /* relaxed: as above */
        plc_watch_wake(waiter);
}

/* Fetches what such a waiter's owner will need first. */
void plc_waiter_fetch_ahead(const struct plc_waiter *waiter);

/* Lets the owner of a waiter go that was promised a wake: the last access to it. No bucket is locked. */
static inline void plc_waiter_wake(struct plc_waiter *waiter) {
    plc_waiter_is_woken(waiter);
    if (PLC_UNLIKELY(waiter->frame != NULL))
        plc_waiter_fetch_ahead(waiter);
    plc_thread_parker_unpark(&waiter->parker);
}

/* The public name of a waiter's kind: those of tasks are the locks' own. */
enum plc_debug_kind plc_lot_public_kind(enum plc_waiter_kind kind);

/* The object that a waiter with this key and token waits for, as users know it. */
const void *plc_lot_object(struct plc_lot_key key, uintptr_t park_token);

PLC_END_DECLS
#endif
