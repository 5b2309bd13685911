// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that read and write under one read-write lock, in a given mix.
#ifndef PLC_BENCH_RWLOCK_H
#define PLC_BENCH_RWLOCK_H

#include "kernels/object.h"

namespace plc_bench {
// Two counters that only a writer may make unequal for a moment: a reader that sees them differ has seen a writer.
template <class RwLock>
struct alignas(128) guarded_pair {
    RwLock lock{};
    uint64_t counter = 0;
    uint64_t mirror = 0;
};

template <class RwLock, bool Timed>
void write_once(guarded_pair<RwLock> *object, uint64_t section, plc_bench_worker *self) {
    take_lock<Timed>(self, [&] { object->lock.lock(); });
    uint64_t count = read_counter(object->counter) + 1;
    write_counter(object->counter, count);
    delay(section);
    write_counter(object->mirror, count);
    object->lock.unlock();
}

template <class RwLock, bool Timed>
void read_once(guarded_pair<RwLock> *object, uint64_t section, plc_bench_worker *self) {
    take_lock<Timed>(self, [&] { object->lock.lock_shared(); });
    uint64_t count = read_counter(object->counter);
    delay(section);
    if (count != read_counter(object->mirror))
        plc_bench_broken("a reader was let in beside a writer");
    object->lock.unlock_shared();
}

template <class RwLock, bool Timed>
void rwlock_loop(plc_bench_job *job, plc_bench_worker *self) {
    auto *object = static_cast<guarded_pair<RwLock> *>(job->object);
    uint64_t operations = 0, reads = 0;
    while (!stopped(job)) {
        // The upper bits, for the lower ones of a xorshift are weaker.
        if ((next_random(self) >> 54) < job->writes) {
            write_once<RwLock, Timed>(object, job->section, self);
        } else {
            read_once<RwLock, Timed>(object, job->section, self);
            ++reads;
        }
        delay(job->outside);
        ++operations;
    }
    self->operations = operations;
    self->reads = reads;
}

template <class RwLock>
void rwlock_mix(plc_bench_job *job, plc_bench_worker *self) {
    if (job->timed)
        rwlock_loop<RwLock, true>(job, self);
    else
        rwlock_loop<RwLock, false>(job, self);
}

// Some only write, the others only read.
template <class RwLock, bool Timed>
void rwlock_sides_loop(plc_bench_job *job, plc_bench_worker *self) {
    auto *object = static_cast<guarded_pair<RwLock> *>(job->object);
    uint64_t operations = 0;
    bool writes = self->index < job->producers;
    for (; !stopped(job); ++operations) {
        if (writes)
            write_once<RwLock, Timed>(object, job->section, self);
        else
            read_once<RwLock, Timed>(object, job->section, self);
    }
    self->operations = operations;
    self->reads = writes ? 0 : operations;
}

template <class RwLock>
void rwlock_sides(plc_bench_job *job, plc_bench_worker *self) {
    if (job->timed)
        rwlock_sides_loop<RwLock, true>(job, self);
    else
        rwlock_sides_loop<RwLock, false>(job, self);
}
} // namespace plc_bench
#endif
