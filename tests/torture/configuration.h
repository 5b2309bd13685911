/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Under which circumstances a round of torture runs: threads, objects, processors, priorities, and how often what
   happens. */
#ifndef PLC_TESTS_TORTURE_CONFIGURATION_H
#define PLC_TESTS_TORTURE_CONFIGURATION_H

#include <cstddef>
#include <string_view>
#include <vector>

namespace torture {

struct Configuration {
    const char *name;
    const char *purpose;
    size_t threads;
    size_t objects;    /* of each kind */
    size_t processors; /* 0: all */
    unsigned life;     /* a thread ends and is succeeded after this many operations, on average; 0: never */
    unsigned fork;     /* one operation in so many forks; 0: none */
    unsigned signal;   /* one operation in so many sends a signal to a thread; 0: none */
    unsigned lot;      /* weight of parking and unparking among the operations; that of the others is 10 each */
    bool fifo;         /* SCHED_FIFO with mixed priorities */
    bool nice;         /* mixed nice values */
};

const std::vector<Configuration> &configurations();

/* Null if there is none of that name. */
const Configuration *configuration_named(std::string_view name);

/* What of it can be had here; false, and why not, otherwise. */
bool is_possible(const Configuration &configuration, const char **reason);

/* To be called by each new thread: its processors, priority or nice value. */
void enter_configuration(const Configuration &configuration, size_t thread);

/* Has the calling thread run before all workers, if asked to. */
void enter_watch(bool before_all);

} // namespace torture

#endif
