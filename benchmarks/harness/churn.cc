// SPDX-License-Identifier: MIT OR Apache-2.0
// Makes threads of a short life, keeps as many alive as was asked for, and looks at the process's memory.
#include "harness/churn.h"

#include <ctime>
#include <fstream>
#include <memory>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <unistd.h>

namespace plc_bench {
namespace {
struct life {
    const plc_bench_kernel *kernel = nullptr;
    plc_bench_job *job = nullptr;
    plc_bench_worker worker{};
    pthread_t thread{};
    sem_t leave;
};

void *live(void *argument) {
    life *self = static_cast<life *>(argument);
    self->kernel->work(self->job, &self->worker);
    while (sem_wait(&self->leave) != 0) {
    }
    return nullptr;
}

uint64_t end(life &one) {
    sem_post(&one.leave);
    pthread_join(one.thread, nullptr);
    return one.worker.operations;
}

double resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    double size = 0, resident = 0;
    statm >> size >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

uint64_t process_switches() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_nvcsw + usage.ru_nivcsw);
}
} // namespace

outcome run_churn(const plc_bench_kernel &kernel, const churn &what) {
    outcome result;
    plc_bench_job job = what.job;
    job.object = kernel.create(&job);
    auto lives = std::make_unique<life[]>(what.alive);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, std::size_t{64} << 10);
    double memory_before = resident_bytes();
    uint64_t done = 0, switches = process_switches(), processor = process_processor_ns(), begin = plc_bench_now_ns();
    for (uint64_t i = 0; i < what.threads; ++i) {
        life &next = lives[i % what.alive];
        uint64_t step = plc_bench_now_ns();
        if (i >= what.alive)
            done += end(next);
        else
            sem_init(&next.leave, 0, 0);
        next.kernel = &kernel;
        next.job = &job;
        next.worker = plc_bench_worker{};
        if (pthread_create(&next.thread, &attributes, live, &next) != 0)
            plc_bench_broken("cannot make so many threads");
        result.waits.add(plc_bench_now_ns() - step);
    }
    double memory_alive = resident_bytes();
    for (uint64_t i = 0; i < what.alive; ++i)
        done += end(lives[i]);
    double threads = static_cast<double>(what.threads);
    result.ns_per_operation = static_cast<double>(plc_bench_now_ns() - begin) / threads;
    result.processor_ns_per_operation = static_cast<double>(process_processor_ns() - processor) / threads;
    result.switches = static_cast<double>(process_switches() - switches) / threads;
    result.alive_bytes = (memory_alive - memory_before) / static_cast<double>(what.alive);
    result.left_bytes = resident_bytes() - memory_before;
    pthread_attr_destroy(&attributes);
    uint64_t guarded = kernel.destroy(job.object);
    if (guarded != done || done != what.threads * what.job.turns)
        result.error = "the guarded counter is " + std::to_string(guarded) + " after " + std::to_string(done);
    return result;
}
} // namespace plc_bench
