/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The public face of the parking lot: users' waiters, in a space of keys of their own. */
#include <plc/parking_lot.h>

#include "parking_lot/lot.h"

static struct plc_lot_key user_key(const void *address) {
    return plc_lot_key(address, PLC_WAITER_USER);
}

struct plc_park_result plc_park(const void *key, const struct plc_park_ops *ops, void *context, uintptr_t park_token,
                                plc_deadline_t deadline) {
    return plc_lot_park(user_key(key), ops, context, park_token, deadline);
}

struct plc_unpark_result plc_unpark_one(const void *key, plc_unpark_callback callback, void *context) {
    return plc_lot_unpark_one(user_key(key), callback, context);
}

size_t plc_unpark_all(const void *key, uintptr_t token) {
    return plc_lot_unpark_all(user_key(key), token);
}

struct plc_unpark_result plc_unpark_filter(const void *key,
                                           enum plc_filter_op (*filter)(void *context, uintptr_t park_token),
                                           plc_unpark_callback callback, void *context) {
    return plc_lot_unpark_filter(user_key(key), filter, callback, context);
}

struct plc_unpark_result
plc_unpark_requeue(const void *from, const void *to, enum plc_requeue_op (*validate)(void *context),
                   uintptr_t (*callback)(void *context, enum plc_requeue_op op, struct plc_unpark_result result),
                   void *context) {
    return plc_lot_unpark_requeue(user_key(from), user_key(to), validate, callback, context);
}
