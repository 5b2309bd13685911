// SPDX-License-Identifier: MIT OR Apache-2.0
// Two threads that wake each other in turn, through a condition variable or through parkers.
#ifndef PLC_BENCH_PING_PONG_H
#define PLC_BENCH_PING_PONG_H

#include "kernels/object.h"

namespace plc_bench {
template <class Mutex, class Condvar>
struct alignas(128) condvar_table {
    Mutex lock{};
    Condvar turned{};
    uint64_t counter = 0; // even: worker 0's turn
    bool over = false;
};

// Takes one turn; false when the game is over. Whoever is told to stop ends it for both.
template <class Table>
bool take_turn(Table *table, plc_bench_job *job, uint64_t parity, bool under) {
    table->lock.lock();
    while (!table->over && (table->counter & 1) != parity)
        table->turned.wait(table->lock);
    bool goes_on = !table->over;
    if (goes_on)
        ++table->counter;
    if (stopped(job))
        table->over = true;
    if (under)
        table->turned.notify_one();
    table->lock.unlock();
    if (!under)
        table->turned.notify_one();
    return goes_on;
}

// What a timed run records is one turn, with the wait for the other one's.
template <bool Timed, class Table>
void take_turns(Table *table, plc_bench_job *job, plc_bench_worker *self) {
    bool under = job->notify_under != 0, goes_on = true;
    while (goes_on) {
        take_lock<Timed>(self, [&] { goes_on = take_turn(table, job, self->index, under); });
        self->operations += goes_on;
    }
}

template <class Mutex, class Condvar>
void condvar_ping_pong(plc_bench_job *job, plc_bench_worker *self) {
    auto *table = static_cast<condvar_table<Mutex, Condvar> *>(job->object);
    if (job->timed)
        take_turns<true>(table, job, self);
    else
        take_turns<false>(table, job, self);
}

template <class Parker>
struct alignas(128) park_table {
    struct alignas(128) side {
        Parker parker{};
    } sides[2];
    alignas(128) uint64_t counter = 0;
    bool over = false; // written by the one whose turn it is
};

// A parker is a token: unpark before park is not lost, so no lock is needed.
template <bool Timed, class Table>
void park_in_turn(Table *table, plc_bench_job *job, plc_bench_worker *self) {
    auto &mine = table->sides[self->index].parker;
    auto &other = table->sides[1 - self->index].parker;
    bool my_turn = self->index == 0, over = false;
    while (!over) {
        if (!my_turn)
            take_lock<Timed>(self, [&] { mine.park(); });
        my_turn = false;
        over = table->over;
        if (!over) {
            ++table->counter;
            ++self->operations;
            table->over = stopped(job);
        }
        other.unpark();
    }
}

template <class Parker>
void park_ping_pong(plc_bench_job *job, plc_bench_worker *self) {
    auto *table = static_cast<park_table<Parker> *>(job->object);
    if (job->timed)
        park_in_turn<true>(table, job, self);
    else
        park_in_turn<false>(table, job, self);
}
} // namespace plc_bench
#endif
