/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks into the parking lot's queues without waking anybody: how a test knows that a thread is parked. */
#ifndef PLC_TESTS_SUPPORT_LOT_PROBE_H
#define PLC_TESTS_SUPPORT_LOT_PROBE_H

#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "support/internal.h"

namespace plc_test {

/* The park tokens of the waiters of @p key, oldest first. */
inline std::vector<uintptr_t> parked_tokens(LotKey key) {
    /* Filled under a bucket lock: the room is made beforehand, because malloc must not run there. */
    struct Tokens {
        std::vector<uintptr_t> seen;
        size_t count = 0;
    } tokens;
    tokens.seen.resize(1 << 14);
    plc_lot_unpark_filter(
        key,
        [](void *context, uintptr_t token) {
            auto *found = static_cast<Tokens *>(context);
            if (found->count < found->seen.size())
                found->seen[found->count] = token;
            ++found->count;
            return PLC_FILTER_SKIP;
        },
        nullptr, &tokens);
    tokens.seen.resize(tokens.count);
    return tokens.seen;
}

/* How many threads are parked on @p key. */
inline size_t parked_count(LotKey key) {
    size_t count = 0;
    plc_lot_unpark_filter(
        key,
        [](void *context, uintptr_t) {
            ++*static_cast<size_t *>(context);
            return PLC_FILTER_SKIP;
        },
        nullptr, &count);
    return count;
}

inline size_t parked_count(const void *address, plc_waiter_kind kind = PLC_WAITER_USER) {
    return parked_count(plc_lot_key(address, kind));
}

/* Returns once exactly @p count threads are parked on @p key. */
inline void wait_until_parked(LotKey key, size_t count) {
    while (parked_count(key) != count)
        std::this_thread::yield();
}

inline void wait_until_parked(const void *address, size_t count, plc_waiter_kind kind = PLC_WAITER_USER) {
    wait_until_parked(plc_lot_key(address, kind), count);
}

} // namespace plc_test

#endif
