/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program with known deadlocks and known inversions, and with much that looks like them: what watch.sh has watched.

   watch_program SCENARIO; the lines that a report must name are marked "at: NAME". */
#include "watch_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_barrier_t all_hold_one;

void check(int error, const char *what) {
    if (error != 0) {
        (void)fprintf(stderr, "watch_program: %s: %s\n", what, strerror(error));
        exit(1);
    }
}

void meet(void) {
    (void)pthread_barrier_wait(&all_hold_one);
}

struct start {
    routine routine;
    const char *name;
};

static void *begin(void *argument) {
    const struct start *start = argument;
    CHECK(pthread_setname_np(pthread_self(), start->name));
    return start->routine(NULL);
}

void run_together(unsigned count, const routine *routines) {
    static const char *const names[] = {"worker-1", "worker-2", "worker-3"};
    struct start starts[3];
    pthread_t threads[3];
    CHECK(pthread_barrier_init(&all_hold_one, NULL, count));
    for (unsigned i = 0; i < count; i++) {
        starts[i] = (struct start){routines[i], names[i]};
        CHECK(pthread_create(&threads[i], NULL, begin, &starts[i]));
    }
    for (unsigned i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL));
    CHECK(pthread_barrier_destroy(&all_hold_one));
}

void run_alone(routine one) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, one, NULL));
    CHECK(pthread_join(thread, NULL));
}

static const struct scenario *find(const char *name) {
    const struct scenario *const lists[] = {deadlocks, orders, peace};
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const struct scenario *scenario = lists[i]; scenario->name != NULL; scenario++)
            if (strcmp(scenario->name, name) == 0)
                return scenario;
    return NULL;
}

int main(int argc, char **argv) {
    const struct scenario *scenario = argc == 2 ? find(argv[1]) : NULL;
    if (scenario == NULL)
        return 2;
    if (scenario->run != NULL)
        scenario->run();
    else
        run_together(scenario->count, scenario->routines);
    (void)printf("done\n");
    return 0;
}
