/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line: one line of counts for each lock, load and number of processors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

static const char usage[] = "usage: %s [--seed N] [--load NAME] [--processors N]...\n"
                            "Remote references per operation, by what the line holds, as tab-separated values.\n";

static void print_row(const char *load_name, const struct workload *workload, int processors,
                      const struct sim_counts *counts) {
    printf("%s\t%s\t%d", load_name, workload->name, processors);
    double operations = (double)counts->operations;
    for (int kind = 0; kind < SIM_KINDS; kind++)
        printf("\t%.3f", (double)counts->remote[kind] / operations);
    double fair_share = operations / processors;
    printf("\t%.3f\t%.3f\t%.1f\t%llu\n", (double)counts->sleeps / operations,
           (double)counts->least_operations / fair_share, (double)counts->elapsed_ns / operations,
           (unsigned long long)counts->operations);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        enum load load;
        bool reads;
    } loads[] = {
        {"mutex", MUTEX, false}, {"crowd", CROWD, false}, {"readers", READERS, true}, {"writes", WRITES, true}};
    int wanted[16] = {1, 2, 4, 8, 16, 32, 64};
    int wanted_count = 7;
    uint64_t seed = 1;
    const char *only = NULL;
    bool chosen = false;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && !strcmp(argv[i], "--seed")) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (i + 1 < argc && !strcmp(argv[i], "--load")) {
            only = argv[i + 1];
        } else if (i + 1 < argc && !strcmp(argv[i], "--processors") && atoi(argv[i + 1]) > 0 &&
                   atoi(argv[i + 1]) <= SIM_MAX_PROCESSORS) {
            wanted_count = chosen ? wanted_count : 0;
            chosen = true;
            if (wanted_count < 16)
                wanted[wanted_count++] = atoi(argv[i + 1]);
        } else {
            printf(usage, argv[0]);
            return 2;
        }
    }
    printf("load\tlock\tprocessors\tother\tlock_line\tdata\tbucket\tnode\tsleeps\tleast_share\tns\toperations\n");
    for (size_t load = 0; load < sizeof loads / sizeof loads[0]; load++) {
        if (only && strcmp(only, loads[load].name))
            continue;
        for (int i = 0; i < workload_count; i++) {
            if (workloads[i].reads != loads[load].reads ||
                (loads[load].load == WRITES && !strcmp(workloads[i].name, "counter")))
                continue;
            for (int j = 0; j < wanted_count; j++) {
                struct sim_counts counts = measure(&workloads[i], loads[load].load, wanted[j], seed);
                print_row(loads[load].name, &workloads[i], wanted[j], &counts);
                fflush(stdout);
            }
        }
    }
    return 0;
}
