/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc_debug_for_each_waiter: what the walk has seen, in the words of plc/debug.h. */
#include "debug/waiters.h"

#include "parking_lot/observer.h"
#include "platform/platform.h"
#include "sync/rwlock.h"

const char *plc_debug_kind_name(enum plc_debug_kind kind) {
    switch (kind) {
    case PLC_DEBUG_PARK:
        return "park";
    case PLC_DEBUG_MUTEX:
        return "mutex";
    case PLC_DEBUG_RWLOCK:
    case PLC_DEBUG_RWLOCK_DRAIN:
        return "rwlock";
    case PLC_DEBUG_CONDVAR:
        return "condvar";
    case PLC_DEBUG_ONCE:
        return "once";
    case PLC_DEBUG_SCALABLE_DRAIN:
        return "rwlock_scalable";
    case PLC_DEBUG_WORD:
        return "word";
    }
    return "unknown";
}

/* The queue of a rwlock has what a waiter wants to add to the word as its token. */
static enum plc_debug_mode mode_of(const struct plc_seen_waiter *seen) {
    if (plc_lot_public_kind(seen->key.kind) != PLC_DEBUG_RWLOCK || seen->park_token == WRITER)
        return PLC_DEBUG_EXCLUSIVE;
    return seen->park_token == READER ? PLC_DEBUG_SHARED : PLC_DEBUG_UPGRADABLE;
}

struct plc_debug_waiter plc_debug_waiter_of(const struct plc_seen_waiter *seen) {
    return (struct plc_debug_waiter){
        .object = plc_lot_object(seen->key, seen->park_token),
        .kind = plc_lot_public_kind(seen->key.kind),
        .mode = mode_of(seen),
        .thread_id = seen->thread_id,
        .waited_ns = plc_os_coarse_now_ns() - seen->began_at,
        .token = seen->key.kind == PLC_WAITER_USER ? seen->park_token : 0,
        .companions = seen->companions,
    };
}

struct visitor {
    bool (*see)(void *context, const struct plc_debug_waiter *waiter);
    void *context;
};

static bool show(void *context, const struct plc_seen_waiter *batch, size_t count) {
    const struct visitor *visitor = context;
    for (size_t i = 0; i < count; i++) {
        struct plc_debug_waiter waiter = plc_debug_waiter_of(&batch[i]);
        if (!visitor->see(visitor->context, &waiter))
            return false;
    }
    return true;
}

size_t plc_debug_for_each_waiter(bool (*see)(void *context, const struct plc_debug_waiter *waiter), void *context) {
    struct visitor visitor = {see, context};
    return plc_walk(show, &visitor);
}
