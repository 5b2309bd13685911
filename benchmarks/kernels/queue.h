// SPDX-License-Identifier: MIT OR Apache-2.0
// Producers and consumers of a bounded queue: a ring, one mutex, two condition variables.
#ifndef PLC_BENCH_QUEUE_H
#define PLC_BENCH_QUEUE_H

#include "kernels/object.h"

#include <vector>

namespace plc_bench {
template <class Mutex, class Condvar>
struct alignas(128) queue {
    Mutex lock{};
    Condvar not_empty{};
    Condvar not_full{};
    uint64_t size = 0, first = 0, producers = 0;
    uint64_t produced_sum = 0, consumed_sum = 0, counter = 0;
    std::vector<uint64_t> ring;
};

template <class Mutex, class Condvar>
void *create_queue(const plc_bench_job *job) {
    auto *made = new queue<Mutex, Condvar>;
    made->ring.resize(job->capacity);
    made->producers = job->producers;
    return made;
}

// The items consumed, or an impossible number if they are not those that were produced.
template <class Mutex, class Condvar>
uint64_t destroy_queue(void *object) {
    auto *typed = static_cast<queue<Mutex, Condvar> *>(object);
    bool intact = typed->size == 0 && typed->produced_sum == typed->consumed_sum;
    uint64_t counter = intact ? typed->counter : UINT64_MAX;
    delete typed;
    return counter;
}

template <class Queue>
void put(Queue *q, uint64_t item, bool under) {
    q->lock.lock();
    while (q->size == q->ring.size())
        q->not_full.wait(q->lock);
    uint64_t last = q->first + q->size;
    q->ring[last < q->ring.size() ? last : last - q->ring.size()] = item;
    ++q->size;
    q->produced_sum += item;
    if (under)
        q->not_empty.notify_one();
    q->lock.unlock();
    if (!under)
        q->not_empty.notify_one();
}

// False: the queue is empty and nobody fills it any more.
template <class Queue>
bool get(Queue *q, bool under) {
    q->lock.lock();
    while (q->size == 0 && q->producers != 0)
        q->not_empty.wait(q->lock);
    bool got = q->size != 0;
    if (got) {
        q->consumed_sum += q->ring[q->first];
        q->first = q->first + 1 < q->ring.size() ? q->first + 1 : 0;
        --q->size;
        ++q->counter;
    }
    if (under)
        q->not_full.notify_one();
    q->lock.unlock();
    if (!under)
        q->not_full.notify_one();
    return got;
}

template <class Queue>
void retire_producer(Queue *q) {
    q->lock.lock();
    bool last = --q->producers == 0;
    q->lock.unlock();
    if (last)
        q->not_empty.notify_all();
}

// What a timed run records is a whole call: the wait for the mutex and that for an item or room.
template <bool Timed, class Queue>
void queue_loop(Queue *q, plc_bench_job *job, plc_bench_worker *self) {
    bool under = job->notify_under != 0;
    if (self->index >= job->producers) {
        bool got = true;
        while (got) {
            take_lock<Timed>(self, [&] { got = get(q, under); });
            self->operations += got;
        }
        return;
    }
    while (!stopped(job)) {
        if (job->pause_ns != 0)
            plc_bench_pause(job->pause_ns);
        take_lock<Timed>(self, [&] { put(q, next_random(self), under); });
        ++self->operations;
    }
    retire_producer(q);
}

template <class Mutex, class Condvar>
void queue_work(plc_bench_job *job, plc_bench_worker *self) {
    auto *q = static_cast<queue<Mutex, Condvar> *>(job->object);
    if (job->timed)
        queue_loop<true>(q, job, self);
    else
        queue_loop<false>(q, job, self);
}
} // namespace plc_bench
#endif
