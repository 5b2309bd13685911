// SPDX-License-Identifier: MIT OR Apache-2.0
// Calls of a once: one that is done, and threads that rush to one new once after the other.
#ifndef PLC_BENCH_ONCE_H
#define PLC_BENCH_ONCE_H

#include "kernels/object.h"

#include <memory>

namespace plc_bench {
// pthread_once gives its function nothing to work on, so all of them get at the object through a static.
template <class Once>
class onces {
  public:
    explicit onces(const plc_bench_job *job) : count_(job->locks), section_(job->section), slots_(new Once[count_]) {
        current = this;
    }
    uint64_t counter = 0; // functions that ran; each runs after the one before it, for every thread goes from first on

    void call(uint64_t index) {
        if (index >= count_)
            plc_bench_broken("out of onces: the run is too long");
        slots_[index].call(run);
    }

  private:
    static void run() {
        uint64_t before = read_counter(current->counter);
        delay(current->section_);
        write_counter(current->counter, before + 1);
    }
    static inline onces *current = nullptr;
    uint64_t count_, section_;
    std::unique_ptr<Once[]> slots_;
};

template <class Once, bool Timed>
void stampede_loop(plc_bench_job *job, plc_bench_worker *self) {
    auto *object = static_cast<onces<Once> *>(job->object);
    uint64_t index = 0;
    for (; !stopped(job); ++index)
        take_lock<Timed>(self, [&] { object->call(index); });
    self->operations = index;
}

template <class Once>
void stampede(plc_bench_job *job, plc_bench_worker *self) {
    if (job->timed)
        stampede_loop<Once, true>(job, self);
    else
        stampede_loop<Once, false>(job, self);
}

template <class Once>
void once_done(uint64_t n) {
    static Once once;
    static uint64_t runs = 0;
    auto run = [] { ++runs; };
    for (uint64_t i = 0; i < n; ++i)
        once.call(run);
    if (runs != 1)
        plc_bench_broken("a once ran its function again");
}
} // namespace plc_bench
#endif
