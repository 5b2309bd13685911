/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A task that the harness polls by hand, and what the specification knows of it. */
#ifndef PLC_TESTS_FUZZ_POLLED_H
#define PLC_TESTS_FUZZ_POLLED_H

#include <atomic>
#include <plc/async.h>

#include "subject.h"

namespace fuzz {

struct Polled {
    plc_async_waiter_t waiter = PLC_ASYNC_WAITER_INIT;
    size_t since = 0; /* the step in which it began to wait */
    bool is_pending = false;
    int use = 0;          /* the subject's own */
    bool changes = false; /* the waker of the last poll was of the other kind */

    /* Wakers may be used by actors: whoever unlocks. */
    std::atomic<int> wakes{0}; /* since the last poll */
    std::atomic<int> wakers{0};

    bool was_woken() const {
        return wakes.load(std::memory_order_acquire) != 0;
    }
    plc_waker_t waker() {
        return {changes ? &other_vtable : &vtable, this};
    }
    /* What a poll said. */
    void polled(plc_poll result, size_t step) {
        if (!is_pending)
            since = step;
        is_pending = result == PLC_POLL_PENDING;
    }
    /* Before each poll. */
    void forget_wakes() {
        wakes.store(0, std::memory_order_relaxed);
    }
    void cancel() {
        plc_async_cancel(&waiter);
        is_pending = false;
        wakes.store(0, std::memory_order_relaxed);
    }
    void check() const {
        expect("wakes of one poll", wakes.load() > 1, 0);
        if (!is_pending)
            expect("wakers of a task that waits for nothing", wakers.load(), 0);
    }

  private:
    static plc_waker_t clone(void *data) {
        ++static_cast<Polled *>(data)->wakers;
        return {&vtable, data};
    }
    static plc_waker_t other_clone(void *data) {
        ++static_cast<Polled *>(data)->wakers;
        return {&other_vtable, data};
    }
    static void wake_by_ref(void *data) {
        ++static_cast<Polled *>(data)->wakes;
    }
    void is_woken(bool by_other) {
        --wakers;
        if (by_other != changes)
            mismatch("a task is woken by a waker that a later poll has replaced");
        ++wakes;
    }
    static void wake(void *data) {
        static_cast<Polled *>(data)->is_woken(false);
    }
    static void other_wake(void *data) {
        static_cast<Polled *>(data)->is_woken(true);
    }
    static void drop(void *data) {
        --static_cast<Polled *>(data)->wakers;
    }
    static constexpr plc_waker_vtable vtable = {clone, wake, wake_by_ref, drop};
    static constexpr plc_waker_vtable other_vtable = {other_clone, other_wake, wake_by_ref, drop};
};

} // namespace fuzz

#endif
