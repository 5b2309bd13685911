// SPDX-License-Identifier: MIT OR Apache-2.0
// A crew: threads that start together, run one kernel until told to stop, and are counted.
#include "harness/crew.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <thread>

namespace plc_bench {
namespace {
// peers/rust/abi.rs asserts the same.
static_assert(sizeof(plc_bench_job) == 256 && offsetof(plc_bench_job, stop) == 128 && sizeof(plc_bench_worker) == 40);

uint64_t run_duration_ns = 100000000;
// From here on a run takes twice as long: the scheduler's turns are a few milliseconds, and each thread needs several.
constexpr std::size_t many_threads = 16;
bool waits_wanted = true;

struct alignas(128) member {
    plc_bench_worker worker{};
    std::unique_ptr<wait_histogram> waits;
    uint64_t begin_ns = 0;
    uint64_t processor_ns = 0;
    uint64_t switches = 0;
};

uint64_t switches_of(int who) {
    rusage usage;
    getrusage(who, &usage);
    return static_cast<uint64_t>(usage.ru_nvcsw + usage.ru_nivcsw);
}

// What the whole process used between two instants: for runs in which most threads sleep all the time.
class process_use {
  public:
    void begin() {
        processor_ns_ = process_processor_ns();
        switches_ = switches_of(RUSAGE_SELF);
    }
    void end() {
        processor_ns_ = process_processor_ns() - processor_ns_;
        switches_ = switches_of(RUSAGE_SELF) - switches_;
    }
    uint64_t processor_ns() const {
        return processor_ns_;
    }
    uint64_t switches() const {
        return switches_;
    }

  private:
    uint64_t processor_ns_ = 0, switches_ = 0;
};

void pin_to(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(processor), &set);
    sched_setaffinity(0, sizeof(set), &set);
}

// Each thread measures its own processor time: the kernel's sum for the process lags by up to a tick per thread.
void work(const plc_bench_kernel &kernel, plc_bench_job &job, member &self, pthread_barrier_t *start) {
    if (start)
        pthread_barrier_wait(start);
    self.begin_ns = plc_bench_now_ns();
    uint64_t processor_ns = thread_processor_ns();
    uint64_t switches = switches_of(RUSAGE_THREAD);
    kernel.work(&job, &self.worker);
    self.switches = switches_of(RUSAGE_THREAD) - switches;
    self.processor_ns = thread_processor_ns() - processor_ns;
}

// Waits until the process has hardly done anything for a while: all but one of its threads sleep.
void wait_until_idle() {
    constexpr uint64_t look_every_ns = 10000000, deadline_ns = 10000000000;
    uint64_t begin = plc_bench_now_ns();
    for (int quiet = 0; quiet < 3 && plc_bench_now_ns() - begin < deadline_ns;) {
        uint64_t before = process_processor_ns();
        plc_bench_pause(look_every_ns);
        quiet = process_processor_ns() - before < look_every_ns / 4 ? quiet + 1 : 0;
    }
}

// Nothing of the process may keep the thread that watches from running; without the right to it, the scheduler's
// choices are part of what it sees.
void go_before_all_others() {
    sched_param first{};
    first.sched_priority = sched_get_priority_min(SCHED_FIFO);
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
}

// The threads of one run.
class crew {
  public:
    crew(const plc_bench_kernel &kernel, const cell &what, plc_bench_job &job, std::vector<member> &members)
        : kernel_(kernel), what_(what), job_(job), members_(members) {}

    void start(std::size_t i, pthread_barrier_t *barrier) {
        member &self = members_[i];
        self.worker.index = i;
        self.worker.random = 0x9e3779b97f4a7c15u * (i + 1);
        bool watches = what_.start == cell::driver_first && i == 0;
        if (job_.timed && (watches || what_.start != cell::driver_first)) {
            self.waits = std::make_unique<wait_histogram>();
            self.worker.waits = self.waits.get();
        }
        threads_.emplace_back([=, &self] {
            if (!what_.processors.empty())
                pin_to(what_.processors[i % what_.processors.size()]);
            if (watches)
                go_before_all_others();
            work(kernel_, job_, self, barrier);
        });
    }
    void start_all_but_first() {
        for (std::size_t i = 1; i < members_.size(); ++i)
            start(i, nullptr);
    }
    // Returns when they were told.
    uint64_t stop() {
        __atomic_store_n(&job_.stop, 1u, __ATOMIC_RELAXED);
        return plc_bench_now_ns();
    }
    void join() {
        for (std::thread &thread : threads_)
            thread.join();
    }

  private:
    const plc_bench_kernel &kernel_;
    const cell &what_;
    plc_bench_job &job_;
    std::vector<member> &members_;
    std::vector<std::thread> threads_;
};

// These three run the members' threads and return the length of the run.
uint64_t run_together(crew &all, std::vector<member> &members, uint64_t least_ns, process_use &use) {
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(members.size() + 1));
    for (std::size_t i = 0; i < members.size(); ++i)
        all.start(i, &barrier);
    pthread_barrier_wait(&barrier);
    use.begin();
    plc_bench_pause(std::max(least_ns, members.size() < many_threads ? run_duration_ns : 2 * run_duration_ns));
    uint64_t stopped = all.stop();
    use.end();
    all.join();
    pthread_barrier_destroy(&barrier);
    // From the first worker's start: with many threads this one may be late from the barrier.
    uint64_t begin = stopped;
    for (const member &each : members)
        begin = std::min(begin, each.begin_ns);
    return stopped - begin;
}

// The others' way to where they wait is not part of it.
uint64_t run_driver_last(crew &all, process_use &use) {
    all.start_all_but_first();
    wait_until_idle();
    uint64_t begin = plc_bench_now_ns();
    use.begin();
    all.start(0, nullptr);
    plc_bench_pause(run_duration_ns);
    uint64_t stopped = all.stop();
    use.end();
    all.join();
    return stopped - begin;
}

uint64_t run_driver_first(crew &all, process_use &use) {
    all.start(0, nullptr);
    wait_until_idle();
    uint64_t begin = plc_bench_now_ns();
    use.begin();
    all.start_all_but_first();
    uint64_t length = plc_bench_now_ns() - begin;
    wait_until_idle();
    use.end();
    all.stop();
    all.join();
    return length;
}

// The threads whose operations are the cell's: with a queue those that consume, for each item is counted once.
bool is_counted(const cell &what, const member &each) {
    return what.counted != cell::consumers || each.worker.index >= what.job.producers;
}

uint64_t expected_count(const cell &what, const std::vector<member> &members) {
    uint64_t sum = 0;
    for (const member &each : members) {
        if (what.counted == cell::furthest) {
            sum = std::max(sum, each.worker.operations);
            continue;
        }
        if (is_counted(what, each))
            sum += each.worker.operations - (what.counted == cell::writes ? each.worker.reads : 0);
    }
    return sum;
}

std::string verify(const cell &what, const std::vector<member> &members, uint64_t guarded) {
    uint64_t expected = expected_count(what, members);
    if (guarded == expected)
        return "";
    return "the guarded counter is " + std::to_string(guarded) + " after " + std::to_string(expected) + " operations";
}

// Jain's index of the counted threads from `first` to before `last`: 1 if all did the same.
double jain_index(const cell &what, const std::vector<member> &members, std::size_t first, std::size_t last) {
    double sum = 0, squares = 0, threads = 0;
    for (std::size_t i = first; i < last; ++i) {
        if (!is_counted(what, members[i]))
            continue;
        double operations = static_cast<double>(members[i].worker.operations);
        sum += operations;
        squares += operations * operations;
        threads += 1;
    }
    return squares > 0 ? sum * sum / (threads * squares) : 0;
}

double fairness(const cell &what, const std::vector<member> &members) {
    if (!what.two_sides)
        return jain_index(what, members, 0, members.size());
    return std::min(jain_index(what, members, 0, what.job.producers),
                    jain_index(what, members, what.job.producers, members.size()));
}

void summarise(const cell &what, const std::vector<member> &members, uint64_t length, const process_use &use,
               outcome &result) {
    double sum = 0, processor = 0, switches = 0, reads = 0, threads = 0, least = 1e300, most = 0;
    for (const member &each : members) {
        processor += static_cast<double>(each.processor_ns);
        switches += static_cast<double>(each.switches);
        if (!is_counted(what, each))
            continue;
        double operations = static_cast<double>(each.worker.operations);
        sum += operations;
        reads += static_cast<double>(each.worker.reads);
        least = std::min(least, operations);
        most = std::max(most, operations);
        threads += 1;
    }
    double done = what.counted == cell::furthest ? most : sum / static_cast<double>(what.workers_per_operation);
    done = std::max(done, 1.0);
    result.processor_ns_per_operation = processor / done;
    // A single thread never waits: what it did not run, others did. Unless it is served.
    bool never_waits = members.size() == 1 && !what.served;
    result.ns_per_operation = never_waits ? processor / done : static_cast<double>(length) / done;
    result.switches = switches / done;
    if (what.served) {
        result.processor_ns_per_operation = static_cast<double>(use.processor_ns()) / done;
        result.switches = static_cast<double>(use.switches()) / done;
    }
    result.jain = fairness(what, members);
    result.slowest_share = sum > 0 ? least * threads / sum : 0;
    if (what.counted == cell::writes && sum > 0) {
        result.reads_share = reads / sum;
        result.writes_per_second = (sum - reads) * 1e9 / static_cast<double>(length);
        result.reads_per_second = reads * 1e9 / static_cast<double>(length);
    }
}

// The same for a run that is about the whole process.
void summarise_process(const cell &what, const std::vector<member> &members, uint64_t length, const process_use &use,
                       outcome &result) {
    double done =
        static_cast<double>(what.start == cell::driver_first ? members.size() - 1 : expected_count(what, members));
    done = std::max(done, 1.0);
    result.ns_per_operation = static_cast<double>(length) / done;
    result.processor_ns_per_operation = static_cast<double>(use.processor_ns()) / done;
    result.switches = static_cast<double>(use.switches()) / done;
}

// One run on a fresh object. A timed one yields nothing but the waits, for its clock reads disturb the rest; unless only
// the one that watches reads the clock.
void run_fresh(const plc_bench_kernel &kernel, const cell &what, bool timed, outcome &result) {
    std::vector<member> members(what.job.workers);
    plc_bench_job job = what.job;
    job.timed = timed;
    job.object = kernel.create(&job);
    crew all(kernel, what, job, members);
    process_use use;
    uint64_t length = what.start == cell::driver_first  ? run_driver_first(all, use)
                      : what.start == cell::driver_last ? run_driver_last(all, use)
                                                        : run_together(all, members, what.least_ns, use);
    result.error = verify(what, members, kernel.destroy(job.object));
    if (what.start != cell::together)
        summarise_process(what, members, length, use, result);
    else if (!timed)
        summarise(what, members, length, use, result);
    for (const member &each : members)
        if (each.waits)
            result.waits.merge(*each.waits);
}
} // namespace

uint64_t thread_processor_ns() {
    timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<uint64_t>(used.tv_sec) * 1000000000u + static_cast<uint64_t>(used.tv_nsec);
}

uint64_t process_processor_ns() {
    timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<uint64_t>(used.tv_sec) * 1000000000u + static_cast<uint64_t>(used.tv_nsec);
}

void set_run_duration(uint64_t ns) {
    run_duration_ns = ns;
}

void want_waits(bool wanted) {
    waits_wanted = wanted;
}

outcome run_crew(const plc_bench_kernel &kernel, const cell &what) {
    outcome result;
    run_fresh(kernel, what, what.start == cell::driver_first, result);
    if (what.waits && waits_wanted && result.error.empty())
        run_fresh(kernel, what, true, result);
    return result;
}
} // namespace plc_bench

extern "C" void plc_bench_pause(uint64_t ns) {
    timespec length{static_cast<time_t>(ns / 1000000000u), static_cast<long>(ns % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &length, nullptr);
}

extern "C" void plc_bench_broken(const char *what) {
    std::fprintf(stderr, "plc_bench: %s\n", what);
    std::abort();
}
