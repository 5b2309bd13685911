/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks into a reader-writer lock and its queues, so that tests wait for states instead of sleeping. */
#ifndef PLC_TESTS_SUPPORT_RWLOCK_PEEK_H
#define PLC_TESTS_SUPPORT_RWLOCK_PEEK_H

#include <cstdint>
#include <functional>
#include <plc/rwlock.h>
#include <thread>

#include "support/lot_probe.h"

namespace plc_test {

constexpr uintptr_t Q = PLC_RWLOCK_PARKED_;
constexpr uintptr_t D = PLC_RWLOCK_WRITER_PARKED_;
constexpr uintptr_t U = PLC_RWLOCK_UPGRADABLE_;
constexpr uintptr_t W = PLC_RWLOCK_WRITER_;
constexpr uintptr_t H = PLC_RWLOCK_HEIR_;
constexpr uintptr_t R = PLC_RWLOCK_READER_;

inline uintptr_t word_of(const plc_rwlock_t &lock) {
    return plc_load_acquire(&lock.state);
}

/* How many threads are kept out of the lock, asleep in its queue. */
inline size_t queued(const plc_rwlock_t &lock) {
    return parked_count(&lock, PLC_WAITER_RWLOCK);
}

inline void wait_until(const std::function<bool()> &condition) {
    while (!condition())
        std::this_thread::yield();
}

inline void wait_queued(const plc_rwlock_t &lock, size_t count) {
    wait_until([&] { return queued(lock) == count; });
}

/* Until a writer that has W sleeps, because there are readers. */
inline void wait_draining(const plc_rwlock_t &lock) {
    wait_until([&] { return (word_of(lock) & D) != 0; });
}

} // namespace plc_test

#endif
