// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that want one mutex, with work inside and outside of it.
#ifndef PLC_BENCH_CONTENDED_H
#define PLC_BENCH_CONTENDED_H

#include "kernels/object.h"

namespace plc_bench {
template <class Mutex, bool Timed>
void contended_loop(plc_bench_job *job, plc_bench_worker *self) {
    auto *object = static_cast<guarded<Mutex> *>(job->object);
    uint64_t section = job->section, outside = job->outside, operations = 0;
    while (!stopped(job)) {
        take_lock<Timed>(self, [&] { object->lock.lock(); });
        uint64_t count = read_counter(object->counter);
        delay(section);
        write_counter(object->counter, count + 1);
        object->lock.unlock();
        delay(outside);
        ++operations;
    }
    self->operations = operations;
}

template <class Mutex>
void contended(plc_bench_job *job, plc_bench_worker *self) {
    if (job->timed)
        contended_loop<Mutex, true>(job, self);
    else
        contended_loop<Mutex, false>(job, self);
}
} // namespace plc_bench
#endif
