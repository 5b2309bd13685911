/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks into the parking lot's queues without waking anybody: how a test knows that a thread is parked. */
#ifndef PLC_TESTS_SUPPORT_LOT_PROBE_H
#define PLC_TESTS_SUPPORT_LOT_PROBE_H

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "support/internal.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "parking_lot/queue.h"
#pragma GCC diagnostic pop

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

/* Does a waiter of this thread parker ever sleep? That of the spin parker is awake as long as it waits. */
inline bool parker_can_sleep() {
    struct plc_thread_parker parker;
    plc_thread_parker_init(&parker);
    plc_thread_parker_prepare_park(&parker, false);
    EXPECT_FALSE(plc_thread_parker_park_until(&parker, soon(), nullptr));
    const bool asleep = !plc_thread_parker_is_awake(&parker);
    plc_thread_parker_destroy(&parker);
    return asleep;
}

/* Returns once exactly @p count threads are parked on @p key, and all of them sleep, if that is possible. */
inline void wait_until_asleep(LotKey key, size_t count) {
    const bool can_sleep = parker_can_sleep();
    for (;;) {
        size_t found = 0;
        size_t awake = 0;
        struct plc_bucket *bucket = plc_bucket_lock(key.address);
        for (const struct plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next) {
            if (plc_waiter_matches(waiter, key)) {
                found++;
                awake += plc_thread_parker_is_awake(&waiter->parker);
            }
        }
        plc_bucket_unlock(bucket);
        if (found == count && (awake == 0 || !can_sleep))
            return;
        std::this_thread::yield();
    }
}

} // namespace plc_test

#endif
