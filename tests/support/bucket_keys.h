/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keys that share a bucket of the parking lot, and keys that do not. */
#ifndef PLC_TESTS_SUPPORT_BUCKET_KEYS_H
#define PLC_TESTS_SUPPORT_BUCKET_KEYS_H

#include <cstddef>
#include <vector>

#include "support/internal.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "parking_lot/bucket_table.h"
#pragma GCC diagnostic pop

namespace plc_test {

/* The bucket in which @p key is now; it moves when the table grows. */
inline plc_bucket *bucket_of(const void *key) {
    plc_bucket *bucket = plc_bucket_lock(key);
    plc_bucket_unlock(bucket);
    return bucket;
}

/* Addresses to use as keys; nothing is ever stored there. */
inline const char *key_arena(size_t index) {
    static const char arena[1 << 16] = {};
    return &arena[index % sizeof arena];
}

/* @p count different keys in the bucket of @p key (not @p key itself). */
inline std::vector<const void *> keys_beside(const void *key, size_t count) {
    std::vector<const void *> keys;
    plc_bucket *bucket = bucket_of(key);
    for (size_t i = 0; keys.size() < count && i < (1 << 16); ++i) {
        if (key_arena(i) != key && bucket_of(key_arena(i)) == bucket)
            keys.push_back(key_arena(i));
    }
    return keys;
}

/* A key in another bucket than @p key. */
inline const void *key_elsewhere(const void *key) {
    for (size_t i = 0;; ++i) {
        if (bucket_of(key_arena(i)) != bucket_of(key))
            return key_arena(i);
    }
}

} // namespace plc_test

#endif
