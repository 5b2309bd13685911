/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A waiter without a thread, queued for a reader-writer lock in any state that a real one passes through too fast. */
#ifndef PLC_TESTS_SUPPORT_FAKE_WAITER_H
#define PLC_TESTS_SUPPORT_FAKE_WAITER_H

#include "support/internal.h"

extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "parking_lot/waiting.h"
#include "platform/tuning.h"
#include "sync/rwlock.h"
#pragma GCC diagnostic pop
}

namespace plc_test {

/* When it was first summoned. The future stands for "just now": however slow the test is, no slice is over. */
enum class Summoned { never, just_now, a_slice_ago };

class FakeWaiter {
  public:
    FakeWaiter(const plc_rwlock_t &lock, uintptr_t share, plc_waiter_state state, Summoned summoned,
               plc_rwlock_phase phase = PLC_RWLOCK_NEW)
        : lock_(lock) {
        const int64_t now = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
        plc_thread_parker_init(&node_.parker);
        node_.park_token = share;
        struct plc_bucket *bucket = plc_bucket_lock(&lock_);
        plc_waiter_enqueue(bucket, &node_, plc_rwlock_key(&lock_), PLC_PARK_NO_SPIN);
        node_.state = static_cast<uint8_t>(state);
        node_.phase = static_cast<uint8_t>(phase);
        node_.summoned_at = summoned == Summoned::never      ? 0
                            : summoned == Summoned::just_now ? INT64_MAX
                                                             : now - PLC_RWLOCK_SLICE_NS - 1;
        plc_bucket_unlock(bucket);
    }
    ~FakeWaiter() {
        struct plc_bucket *bucket = plc_bucket_lock(&lock_);
        plc_waiter_take_out(bucket, &node_);
        plc_bucket_unlock(bucket);
        plc_thread_parker_destroy(&node_.parker);
    }
    FakeWaiter(const FakeWaiter &) = delete;
    FakeWaiter &operator=(const FakeWaiter &) = delete;

    int state() const {
        return node_.state;
    }
    bool was_summoned() const {
        return node_.summoned_at != 0;
    }
    /* Whether it was woken, and what it was told. */
    bool was_woken() {
        const plc_deadline_t past = {1, PLC_CLOCK_MONOTONIC};
        return plc_thread_parker_park_until(&node_.parker, past, nullptr);
    }
    bool was_handed_over() {
        return was_woken() && node_.unpark_token == PLC_RWLOCK_TOKEN_HANDOFF;
    }

  private:
    struct plc_waiter node_ = {};
    const plc_rwlock_t &lock_;
};

} // namespace plc_test

#endif
