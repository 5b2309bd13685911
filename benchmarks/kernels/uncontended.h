// SPDX-License-Identifier: MIT OR Apache-2.0
// Loops of one thread over a lock that nobody else wants.
#ifndef PLC_BENCH_UNCONTENDED_H
#define PLC_BENCH_UNCONTENDED_H

#include "kernels/object.h"

namespace plc_bench {
template <class Mutex>
void lock_unlock(uint64_t n) {
    guarded<Mutex> object;
    for (uint64_t i = 0; i < n; ++i) {
        object.lock.lock();
        object.lock.unlock();
    }
}

template <class Mutex>
void try_lock_unlock(uint64_t n) {
    guarded<Mutex> object;
    for (uint64_t i = 0; i < n; ++i)
        if (object.lock.try_lock())
            object.lock.unlock();
}

// Every try fails, for the same thread holds the lock; all peers allow that for a try.
template <class Mutex>
void try_lock_held(uint64_t n) {
    guarded<Mutex> object;
    object.lock.lock();
    uint64_t taken = 0;
    for (uint64_t i = 0; i < n; ++i) {
        taken += object.lock.try_lock();
    }
    object.lock.unlock();
    if (taken != 0)
        plc_bench_broken("a try took a mutex that is held");
}

template <class RwLock>
void read_unlock(uint64_t n) {
    guarded<RwLock> object;
    for (uint64_t i = 0; i < n; ++i) {
        object.lock.lock_shared();
        object.lock.unlock_shared();
    }
}

template <class RwLock>
void write_unlock(uint64_t n) {
    guarded<RwLock> object;
    for (uint64_t i = 0; i < n; ++i) {
        object.lock.lock();
        object.lock.unlock();
    }
}
} // namespace plc_bench
#endif
