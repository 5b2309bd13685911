// SPDX-License-Identifier: MIT OR Apache-2.0
// One thread wakes all others again and again: it waits until they all wait, and then broadcasts.
#ifndef PLC_BENCH_BROADCAST_H
#define PLC_BENCH_BROADCAST_H

#include "kernels/object.h"

namespace plc_bench {
template <class Mutex, class Condvar>
struct alignas(128) assembly {
    Mutex lock{};
    Condvar go{};
    Condvar all_here{};
    uint64_t waiters = 0, here = 0, broadcasts = 0;
    uint64_t begin_ns = 0; // of the last broadcast; in a timed run
    uint64_t counter = 0;  // wakes
    bool over = false;
};

template <class Mutex, class Condvar>
void *create_assembly(const plc_bench_job *job) {
    auto *made = new assembly<Mutex, Condvar>;
    made->waiters = job->workers - job->producers;
    return made;
}

// False: that was the last one, for the waiters to go home.
template <class Assembly>
bool broadcast_once(Assembly *all, plc_bench_job *job) {
    bool under = job->notify_under != 0;
    all->lock.lock();
    while (all->here != all->waiters)
        all->all_here.wait(all->lock);
    all->here = 0;
    all->over = stopped(job);
    bool goes_on = !all->over;
    ++all->broadcasts;
    if (job->timed)
        all->begin_ns = plc_bench_now_ns();
    if (under)
        all->go.notify_all();
    all->lock.unlock();
    if (!under)
        all->go.notify_all();
    return goes_on;
}

// False: it was the last broadcast. A wait is recorded from the broadcast to the return with the lock held.
template <class Assembly>
bool follow_broadcast(Assembly *all, plc_bench_job *job, plc_bench_worker *self) {
    all->lock.lock();
    uint64_t seen = all->broadcasts;
    if (++all->here == all->waiters)
        all->all_here.notify_one();
    while (all->broadcasts == seen)
        all->go.wait(all->lock);
    bool goes_on = !all->over;
    all->counter += goes_on;
    if (job->timed && goes_on)
        plc_bench_record_wait(self, plc_bench_now_ns() - all->begin_ns);
    all->lock.unlock();
    return goes_on;
}

template <class Mutex, class Condvar>
void broadcast(plc_bench_job *job, plc_bench_worker *self) {
    auto *all = static_cast<assembly<Mutex, Condvar> *>(job->object);
    bool wakes_the_others = self->index < job->producers;
    while (wakes_the_others ? broadcast_once(all, job) : follow_broadcast(all, job, self))
        ++self->operations;
}
} // namespace plc_bench
#endif
