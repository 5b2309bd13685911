/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The configurations, and how a thread enters one. */
#include "configuration.h"

#include <algorithm>
#include <cerrno>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace torture {

const std::vector<Configuration> &configurations() {
    static const std::vector<Configuration> all = {
        /* name, purpose, threads, objects, processors, life, fork, signal, lot, fifo, nice */
        {"few", "everybody wants the same few objects", 6, 1, 0, 4000, 8000, 200, 10, false, false},
        {"many", "many objects, little contention", 6, 64, 0, 4000, 8000, 200, 10, false, false},
        {"one", "one processor: every wait is for a thread that does not run", 5, 2, 1, 4000, 8000, 200, 10, false,
         false},
        {"two", "two processors, one thread each", 2, 2, 2, 4000, 8000, 200, 10, false, false},
        {"crowd", "many more threads than processors", 48, 3, 0, 2000, 8000, 200, 10, false, false},
        {"lives", "threads are born and die all the time", 8, 3, 0, 20, 8000, 200, 10, false, false},
        {"forks", "children are forked all the time", 4, 3, 0, 2000, 150, 200, 10, false, false},
        {"signals", "signals hit everybody all the time", 6, 3, 0, 2000, 8000, 3, 10, false, false},
        {"nice", "threads of very different nice values", 6, 2, 0, 4000, 8000, 200, 10, false, true},
        {"growth", "a crowd that parks on many keys, so that the table grows", 160, 200, 0, 500, 8000, 500, 60, false,
         false},
        {"fifo", "SCHED_FIFO with mixed priorities on two processors (needs a privilege)", 6, 2, 2, 4000, 0, 200, 10,
         true, false},
        {"fifo-one", "SCHED_FIFO with mixed priorities on one processor (needs a privilege)", 5, 2, 1, 4000, 0, 200, 10,
         true, false},
    };
    return all;
}

const Configuration *configuration_named(std::string_view name) {
    const auto &all = configurations();
    const auto found = std::find_if(all.begin(), all.end(), [name](const auto &one) { return name == one.name; });
    return found == all.end() ? nullptr : &*found;
}

namespace {

bool set_fifo(int priority) {
    sched_param parameters = {};
    parameters.sched_priority = priority;
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters) == 0;
}

bool may_use_fifo() {
    int policy = 0;
    sched_param before = {};
    pthread_getschedparam(pthread_self(), &policy, &before);
    const bool may = set_fifo(1);
    pthread_setschedparam(pthread_self(), policy, &before);
    return may;
}

/* The first of those on which the process may run. */
void set_processors(size_t count) {
    cpu_set_t allowed;
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    if (count == 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (size_t i = 0; i < CPU_SETSIZE && count > 0; ++i) {
        if (CPU_ISSET(i, &allowed)) {
            CPU_SET(i, &wanted);
            --count;
        }
    }
    sched_setaffinity(0, sizeof wanted, &wanted);
}

} // namespace

bool is_possible(const Configuration &configuration, const char **reason) {
    *reason = "";
#ifdef PLC_TORTURE_SPIN
    if (configuration.fifo) {
        *reason = "the spin parker waits for ever for threads of a lower SCHED_FIFO priority";
        return false;
    }
#endif
    if (configuration.fifo && !may_use_fifo()) {
        *reason = "this process may not use SCHED_FIFO";
        return false;
    }
    return true;
}

void enter_configuration(const Configuration &configuration, size_t thread) {
    set_processors(configuration.processors);
    if (configuration.fifo)
        set_fifo(1 + static_cast<int>(thread % 4));
    /* Only up from where the process is: down needs a privilege. */
    if (configuration.nice) {
        static const int lowest = getpriority(PRIO_PROCESS, static_cast<id_t>(getpid()));
        const auto self = static_cast<id_t>(syscall(SYS_gettid));
        setpriority(PRIO_PROCESS, self, std::min(lowest + static_cast<int>(thread % 4) * 6, 19));
    }
}

void enter_watch(bool before_all) {
    if (before_all)
        set_fifo(50);
}

} // namespace torture
