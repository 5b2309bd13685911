// SPDX-License-Identifier: MIT OR Apache-2.0
// What a thread of a short life does: a few sections under a mutex that others want too.
#ifndef PLC_BENCH_BRIEF_H
#define PLC_BENCH_BRIEF_H

#include "kernels/object.h"

namespace plc_bench {
template <class Mutex>
void brief_life(plc_bench_job *job, plc_bench_worker *self) {
    auto *object = static_cast<guarded<Mutex> *>(job->object);
    for (uint64_t turn = 0; turn < job->turns; ++turn) {
        object->lock.lock();
        uint64_t count = read_counter(object->counter);
        delay(job->section);
        write_counter(object->counter, count + 1);
        object->lock.unlock();
        ++self->operations;
    }
}
} // namespace plc_bench
#endif
