// SPDX-License-Identifier: MIT OR Apache-2.0
// How the kernels lay out what they share, and the few things that every loop needs.
#ifndef PLC_BENCH_OBJECT_H
#define PLC_BENCH_OBJECT_H

#include "harness/abi.h"

namespace plc_bench {
// A lock and what it guards, side by side as users have them, on cache lines of their own.
template <class Lock>
struct alignas(128) guarded {
    Lock lock{};
    uint64_t counter = 0;
};

template <class Object>
void *create(const plc_bench_job *) {
    return new Object;
}

template <class Object>
void *create_for(const plc_bench_job *job) {
    return new Object(job);
}

template <class Object>
uint64_t destroy(void *object) {
    Object *typed = static_cast<Object *>(object);
    uint64_t counter = typed->counter;
    delete typed;
    return counter;
}

// Read at the beginning of a section and written back plus one at its end, so that a lock that lets two threads in loses
// counts; volatile, or the compiler would make it one instruction.
inline uint64_t read_counter(const uint64_t &counter) {
    return *static_cast<const volatile uint64_t *>(&counter);
}

inline void write_counter(uint64_t &counter, uint64_t value) {
    *static_cast<volatile uint64_t *>(&counter) = value;
}

inline bool stopped(const plc_bench_job *job) {
    return __atomic_load_n(&job->stop, __ATOMIC_RELAXED) != 0;
}

inline void delay(uint64_t turns) {
    if (turns != 0)
        plc_bench_delay(turns);
}

// xorshift; the Rust kernels have the same.
inline uint64_t next_random(plc_bench_worker *self) {
    uint64_t x = self->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return self->random = x;
}

// Runs `take`, and in a timed run records how long it took.
template <bool Timed, class Take>
inline void take_lock(plc_bench_worker *self, Take take) {
    if constexpr (Timed) {
        uint64_t begin = plc_bench_now_ns();
        take();
        plc_bench_record_wait(self, plc_bench_now_ns() - begin);
    } else {
        (void)self;
        take();
    }
}
} // namespace plc_bench
#endif
