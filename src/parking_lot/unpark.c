/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unparking: one, all or chosen waiters of a key are taken out under the bucket's lock and woken after it. */
#include "parking_lot/wake_list.h"

/* May anybody look at be_fair? The clock is read for nobody else: libplc's own locks have other ways to be fair. */
static bool is_asked(struct plc_lot_key key, plc_unpark_callback callback) {
    return callback && key.kind == PLC_WAITER_USER;
}

struct plc_unpark_result plc_lot_unpark_one(struct plc_lot_key key, plc_unpark_callback callback, void *context) {
    struct plc_unpark_result result = {0};
    struct plc_wake_list woken = {0};
    struct plc_waiter *previous = NULL;
    struct plc_bucket *bucket = plc_bucket_lock(key.address);
    struct plc_waiter *waiter = plc_queue_find_first(bucket, key, &previous);
    if (waiter) {
        result.unparked = 1;
        result.have_more = plc_queue_contains(waiter->next, key);
        plc_queue_remove(bucket, previous, waiter);
        plc_wake_list_add(&woken, bucket, waiter);
        result.be_fair = is_asked(key, callback) && plc_wake_list_is_due(&woken, bucket);
    }
    plc_wake_list_set_token(&woken, callback ? callback(context, result) : 0);
    plc_bucket_unlock_to_wake(bucket);
    plc_wake_list_wake(&woken);
    return result;
}

static enum plc_filter_op unpark_every(void *context, uintptr_t park_token) {
    (void)context;
    (void)park_token;
    return PLC_FILTER_UNPARK;
}

static uintptr_t give_token(void *context, struct plc_unpark_result result) {
    (void)result;
    return *(const uintptr_t *)context;
}

size_t plc_lot_unpark_all(struct plc_lot_key key, uintptr_t token) {
    return plc_lot_unpark_filter(key, unpark_every, give_token, &token).unparked;
}

struct plc_unpark_result plc_lot_unpark_filter(struct plc_lot_key key,
                                               enum plc_filter_op (*filter)(void *context, uintptr_t park_token),
                                               plc_unpark_callback callback, void *context) {
    struct plc_unpark_result result = {0};
    struct plc_wake_list woken = {0};
    struct plc_waiter *previous = NULL;
    struct plc_bucket *bucket = plc_bucket_lock(key.address);
    struct plc_waiter *waiter = plc_queue_find_first(bucket, key, &previous);
    while (waiter) {
        struct plc_waiter *next = waiter->next;
        enum plc_filter_op op = filter(context, waiter->park_token);
        if (op == PLC_FILTER_UNPARK) {
            plc_queue_remove(bucket, previous, waiter);
            plc_wake_list_add(&woken, bucket, waiter);
            result.unparked++;
        } else {
            result.have_more = true;
            previous = waiter;
            if (op == PLC_FILTER_STOP)
                break;
        }
        waiter = plc_queue_find(next, key, &previous);
    }
    result.be_fair = is_asked(key, callback) && plc_wake_list_is_due(&woken, bucket);
    plc_wake_list_set_token(&woken, callback ? callback(context, result) : 0);
    plc_bucket_unlock_to_wake(bucket);
    plc_wake_list_wake(&woken);
    return result;
}
