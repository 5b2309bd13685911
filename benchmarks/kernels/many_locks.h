// SPDX-License-Identifier: MIT OR Apache-2.0
// Many locks, of which each operation takes one at random.
#ifndef PLC_BENCH_MANY_LOCKS_H
#define PLC_BENCH_MANY_LOCKS_H

#include "kernels/object.h"

#include <memory>

namespace plc_bench {
// One lock right beside the other, so that their size tells; for one thread, so a single counter will do.
template <class Mutex>
struct packed_locks {
    explicit packed_locks(const plc_bench_job *job) : locks(new Mutex[job->locks]) {}
    std::unique_ptr<Mutex[]> locks;
    uint64_t counter = 0;
};

template <class Mutex>
void pick_evenly(plc_bench_job *job, plc_bench_worker *self) {
    auto *object = static_cast<packed_locks<Mutex> *>(job->object);
    Mutex *locks = object->locks.get();
    uint64_t count = job->locks, operations = 0;
    while (!stopped(job)) {
        Mutex &lock = locks[((next_random(self) >> 32) * count) >> 32];
        lock.lock();
        write_counter(object->counter, read_counter(object->counter) + 1);
        lock.unlock();
        ++operations;
    }
    self->operations = operations;
}

// Each lock with what it guards on lines of its own; job->picks says how popular each is.
template <class Mutex>
struct spread_locks {
    explicit spread_locks(const plc_bench_job *job) : count(job->locks), locks(new guarded<Mutex>[count]) {}
    uint64_t count;
    std::unique_ptr<guarded<Mutex>[]> locks;
};

template <class Mutex>
uint64_t destroy_spread(void *object) {
    std::unique_ptr<spread_locks<Mutex>> typed(static_cast<spread_locks<Mutex> *>(object));
    uint64_t sum = 0;
    for (uint64_t i = 0; i < typed->count; ++i)
        sum += typed->locks[i].counter;
    return sum;
}

template <class Mutex, bool Timed>
void pick_popular_loop(plc_bench_job *job, plc_bench_worker *self) {
    guarded<Mutex> *locks = static_cast<spread_locks<Mutex> *>(job->object)->locks.get();
    const uint16_t *picks = job->picks;
    uint64_t section = job->section, operations = 0;
    while (!stopped(job)) {
        guarded<Mutex> &chosen = locks[picks[next_random(self) >> 48]];
        take_lock<Timed>(self, [&] { chosen.lock.lock(); });
        uint64_t count = read_counter(chosen.counter);
        delay(section);
        write_counter(chosen.counter, count + 1);
        chosen.lock.unlock();
        ++operations;
    }
    self->operations = operations;
}

template <class Mutex>
void pick_popular(plc_bench_job *job, plc_bench_worker *self) {
    if (job->timed)
        pick_popular_loop<Mutex, true>(job, self);
    else
        pick_popular_loop<Mutex, false>(job, self);
}
} // namespace plc_bench
#endif
