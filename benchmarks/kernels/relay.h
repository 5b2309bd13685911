// SPDX-License-Identifier: MIT OR Apache-2.0
// Many threads, each parked at an address of its own: a token goes from one to any other; or they only fill the table.
#ifndef PLC_BENCH_RELAY_H
#define PLC_BENCH_RELAY_H

#include "kernels/object.h"

#include <memory>

namespace plc_bench {
template <class Parker>
struct relay {
    explicit relay(const plc_bench_job *job) : sides(new side[job->workers]) {}
    struct alignas(128) side {
        Parker parker{};
    };
    std::unique_ptr<side[]> sides;
    alignas(128) uint64_t counter = 0; // of whoever has the token; in crowd(), atomic
    bool over = false;                 // the same
};

template <class Parker>
void wake_all_others(relay<Parker> *ring, const plc_bench_job *job, uint64_t self) {
    for (uint64_t i = 0; i < job->workers; ++i)
        if (i != self)
            ring->sides[i].parker.unpark();
}

// At random, for with a fixed order the one that is woken would always be the one that has waited longest.
template <class Parker>
void pass_token_on(plc_bench_job *job, plc_bench_worker *self) {
    auto *ring = static_cast<relay<Parker> *>(job->object);
    bool has_token = self->index == 0;
    while (true) {
        if (!has_token)
            ring->sides[self->index].parker.park();
        has_token = false;
        if (ring->over)
            return;
        ++ring->counter;
        ++self->operations;
        if (stopped(job))
            break;
        uint64_t step = 1 + (((next_random(self) >> 32) * (job->workers - 1)) >> 32);
        uint64_t next = self->index + step;
        ring->sides[next < job->workers ? next : next - job->workers].parker.unpark();
    }
    ring->over = true;
    wake_all_others(ring, job, self->index);
}

// Worker 0 times its own operations, which nobody else has to do with, while more and more threads come to park.
template <class Parker>
void observe_crowd(relay<Parker> *ring, plc_bench_job *job, plc_bench_worker *self) {
    Parker &mine = ring->sides[0].parker;
    while (!stopped(job)) {
        take_lock<true>(self, [&] {
            mine.unpark();
            mine.park();
        });
        ++self->operations;
        plc_bench_pause(job->pause_ns);
    }
    wake_all_others(ring, job, 0);
}

template <class Parker>
void crowd(plc_bench_job *job, plc_bench_worker *self) {
    auto *ring = static_cast<relay<Parker> *>(job->object);
    if (self->index == 0) {
        observe_crowd(ring, job, self);
    } else {
        ring->sides[self->index].parker.park();
        self->operations = 1;
    }
    __atomic_fetch_add(&ring->counter, self->operations, __ATOMIC_RELAXED);
}
} // namespace plc_bench
#endif
