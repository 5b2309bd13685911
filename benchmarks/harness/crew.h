// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs one kernel with a number of threads for a fixed time and says what came of it.
#ifndef PLC_BENCH_CREW_H
#define PLC_BENCH_CREW_H

#include "harness/abi.h"
#include "harness/wait_histogram.h"

#include <cstdint>
#include <string>
#include <vector>

namespace plc_bench {
// A cell of the matrix: what the job says, and how it is run.
struct cell {
    plc_bench_job job{};
    std::vector<int> processors;        // where worker i is pinned, modulo the size; empty: nowhere
    bool waits = false;                 // a second, timed run for the waiting times
    bool served = false;                // threads of the peer work for the workers: their processor time counts, too
    bool two_sides = false;             // the first job.producers threads and the others do different things
    uint64_t least_ns = 0;              // a run takes no less
    uint64_t workers_per_operation = 1; // 2 where two threads' turns make one operation
    enum { all, consumers, writes, furthest } counted = all; // what the guarded counter must equal
    // Who comes when. driver_last: worker 0, without which nothing happens, when all others sleep. driver_first: it
    // watches the others come, and its waits are those that count; the run ends when they all sleep.
    enum { together, driver_last, driver_first } start = together;
};

struct outcome {
    std::string error; // empty: the guarded counter was right
    double ns_per_operation = 0;
    double processor_ns_per_operation = 0;
    double jain = 0;          // Jain's index of the threads' operations: 1 fair, 1/n one thread alone; the lower side's
    double slowest_share = 0; // the slowest thread's operations, 1 = its fair share
    double switches = 0;      // context switches per operation, of either kind
    double reads_share = 0;   // these three are of read-write locks
    double writes_per_second = 0;
    double reads_per_second = 0;
    double alive_bytes = 0; // memory per thread alive, and all that is left when they are gone
    double left_bytes = 0;
    wait_histogram waits; // of the timed run
};

// The processor time of the calling thread.
uint64_t thread_processor_ns();
// That of all threads, those that have ended included.
uint64_t process_processor_ns();

// How long each run of a crew lasts, for all cells that do not ask for more; of a large crew, twice as long.
void set_run_duration(uint64_t ns);
// Whether there are timed runs too.
void want_waits(bool wanted);
outcome run_crew(const plc_bench_kernel &kernel, const cell &what);
} // namespace plc_bench
#endif
