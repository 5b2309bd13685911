/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One run of the simulator in a process of its own. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { END_NS = 2000000 };

const struct workload *find_workload(const char *name) {
    for (int i = 0; i < workload_count; i++) {
        if (!strcmp(workloads[i].name, name))
            return &workloads[i];
    }
    fprintf(stderr, "simulator: there is no lock called %s\n", name);
    abort();
}

static struct sim_counts run(const struct workload *workload, enum load load, int processors, uint64_t seed) {
    workloads_begin(load);
    struct sim_counts counts = sim_run(processors, seed, END_NS, workload->body);
    workloads_check();
    return counts;
}

struct sim_counts measure(const struct workload *workload, enum load load, int processors, uint64_t seed) {
    struct sim_counts counts = {{0}, 0, 0, 0, 0};
    int ends[2];
    if (pipe(ends) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        alarm(300); /* a run that hangs fails */
        counts = run(workload, load, processors, seed);
        _exit(write(ends[1], &counts, sizeof counts) == (ssize_t)sizeof counts ? 0 : 1);
    }
    close(ends[1]);
    int status = -1;
    bool whole = child > 0 && read(ends[0], &counts, sizeof counts) == (ssize_t)sizeof counts;
    if (child <= 0 || waitpid(child, &status, 0) != child || !whole || status != 0) {
        fprintf(stderr, "simulator: the run of %s with %d processors failed\n", workload->name, processors);
        abort();
    }
    close(ends[0]);
    return counts;
}
