/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line of a scenario's executable. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: %s [options]\n"
    "  --list               name the scenarios\n"
    "  --only NAME          run this one\n"
    "  --preemptions N      explore with at most N preemptions; 0: all\n"
    "  --stale N            with such a bound: at most N uses of a store that is not the newest\n"
    "  --spurious N         at most N futex waits that return for no reason\n"
    "  --weak-failures N    at most N weak compare-exchanges that fail for no reason\n"
    "  --clock-jumps N      at most N clock readings that find it far ahead\n"
    "  --max-executions N   stop after N executions\n"
    "  --at-most N          no more than these, where a scenario asks for more\n"
    "  --seconds S          stop after S seconds\n"
    "  --rate S             search again and again for S seconds, and say how many executions a second that makes\n"
    "  --naive              search without reduction\n"
    "  --verbose            print the story of an expected failure as well\n"
    "  --replay SCHEDULE    run this schedule only, and print its trace\n"
    "  --stop-at STEP       trap before this step, for a debugger (with --replay)\n"
    "  --mutants            name the mutants\n"
    "  --mutate             explore every mutant; the exit status is 0 even if some survive\n"
    "  --explain TEXT       with --mutate: only mutants whose name contains TEXT, with the traces of their failures\n"
    "  --under TEXT         only mutants whose file name contains TEXT\n"
    "  --wanted FILE        only mutants in FILE\n"
    "  --killed FILE        skip the mutants in FILE, and add those that are killed\n"
    "  --stats FILE         append a line of statistics for each scenario\n"
    "  --sites FILE         append which mutants each scenario has\n"
    "  --until-failure      run no scenario after the first in which something was found\n";

/* Options that take an argument; the setters are told which. */
static void set_number(const char *name, const char *value) {
    struct options *options = &mc.options;
    if (!strcmp(name, "--preemptions"))
        options->preemptions = atoi(value);
    else if (!strcmp(name, "--stale"))
        options->stale = atoi(value);
    else if (!strcmp(name, "--spurious"))
        options->spurious = atoi(value);
    else if (!strcmp(name, "--weak-failures"))
        options->weak_failures = atoi(value);
    else if (!strcmp(name, "--clock-jumps"))
        options->clock_jumps = atoi(value);
    else if (!strcmp(name, "--max-executions"))
        options->max_executions = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--at-most"))
        options->at_most = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--seconds"))
        options->seconds = atof(value);
    else if (!strcmp(name, "--rate"))
        options->rate = atof(value);
    else if (!strcmp(name, "--stop-at"))
        options->stop_at = atoi(value);
}

static const char **text_option(const char *name) {
    struct options *options = &mc.options;
    if (!strcmp(name, "--only"))
        return &options->only;
    if (!strcmp(name, "--replay"))
        return &options->replay;
    if (!strcmp(name, "--stats"))
        return &options->stats;
    if (!strcmp(name, "--wanted"))
        return &options->wanted;
    if (!strcmp(name, "--sites"))
        return &options->sites;
    if (!strcmp(name, "--killed"))
        return &options->killed;
    if (!strcmp(name, "--explain"))
        return &options->explain;
    if (!strcmp(name, "--under"))
        return &options->sites_under;
    return NULL;
}

static bool *switch_option(const char *name) {
    struct options *options = &mc.options;
    if (!strcmp(name, "--list"))
        return &options->list;
    if (!strcmp(name, "--naive"))
        return &options->naive;
    if (!strcmp(name, "--mutate"))
        return &options->mutate;
    if (!strcmp(name, "--verbose"))
        return &options->verbose;
    if (!strcmp(name, "--mutants"))
        return &options->list_sites;
    if (!strcmp(name, "--until-failure"))
        return &options->until_failure;
    return NULL;
}

static void parse(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        bool *on = switch_option(argv[i]);
        if (on) {
            *on = true;
        } else if (i + 1 < argc && text_option(argv[i])) {
            *text_option(argv[i]) = argv[i + 1];
            i++;
        } else if (i + 1 < argc && !strncmp(argv[i], "--", 2)) {
            set_number(argv[i], argv[i + 1]);
            i++;
        } else {
            fprintf(stderr, usage, argv[0]);
            exit(2);
        }
    }
}

/* What the command line leaves open, the scenario says. -1 is "not on the command line". */
static void apply_scenario(const struct mc_scenario *scenario, const struct options *line) {
    mc.scenario = scenario;
    mc.options = *line;
    contention_reset();
    struct options *options = &mc.options;
    if (line->preemptions < 0)
        options->preemptions = scenario->preemptions;
    if (line->stale < 0)
        options->stale = scenario->stale;
    if (line->spurious < 0)
        options->spurious = scenario->spurious;
    if (line->weak_failures < 0)
        options->weak_failures = scenario->weak_failures;
    if (line->clock_jumps < 0)
        options->clock_jumps = scenario->clock_jumps;
    if (!line->max_executions)
        options->max_executions = scenario->max_executions;
    else if (!line->mutate && options->max_executions < scenario->executions)
        options->max_executions = scenario->executions;
    if (line->at_most && (options->max_executions == 0 || options->max_executions > line->at_most))
        options->max_executions = line->at_most;
}

static void extent(char *text, size_t size) {
    if (mc.options.preemptions)
        snprintf(text, size, "%d preemptions, %d stale", mc.options.preemptions, mc.options.stale);
    else
        snprintf(text, size, mc.options.naive ? "exhaustive, naive" : "exhaustive");
    if (!mc.statistics.complete && mc.failure == MC_PASS)
        snprintf(text + strlen(text), size - strlen(text), ", stopped early");
}

static void report(bool good) {
    const struct statistics *s = &mc.statistics;
    char how_far[64];
    extent(how_far, sizeof how_far);
    double runs = (double)(s->executions + s->blocked);
    printf("%-6s %-58s %d threads, %s: %llu executions, %llu sleep-blocked, %llu steps, %.3f s, %.0f/s\n",
           good ? "ok" : "FAILED", mc.scenario->name, mc.scenario->threads, how_far, (unsigned long long)s->executions,
           (unsigned long long)s->blocked, (unsigned long long)s->steps, s->seconds,
           s->seconds > 0 ? runs / s->seconds : 0.0);
    FILE *file = mc.options.stats ? fopen(mc.options.stats, "a") : NULL;
    if (file) {
        fprintf(file, "%s\t%d\t%s\t%llu\t%llu\t%.2f\t%s\t%s\n", mc.scenario->name, mc.scenario->threads, how_far,
                (unsigned long long)s->executions, (unsigned long long)s->blocked, s->seconds,
                failure_name(mc.scenario->expect), failure_name(mc.failure));
        fclose(file);
    }
}

static bool naive_agrees(void) {
    uint64_t reduced = outcome_digest();
    mc.options.naive = true;
    bool same = explore() && outcome_digest() == reduced;
    report(same);
    if (!same)
        outcome_print();
    return same;
}

/* Scenarios that are broken on purpose have no mutants. */
static void search_and_note_sites(const struct mc_scenario *scenario) {
    const bool noted = mc.options.sites && scenario->expect == MC_PASS;
    if (noted)
        mutate_begin_recording();
    explore();
    mutate_end_recording();
    if (noted)
        mutate_note_recorded();
}

static bool run(const struct mc_scenario *scenario) {
    search_and_note_sites(scenario);
    bool expected = mc.failure == scenario->expect && (!scenario->says || strstr(mc.message, scenario->says));
    bool same_outcomes =
        mc.failure != MC_PASS || !scenario->outcomes || outcome_check(scenario->outcomes, mc.statistics.complete);
    bool good = expected && same_outcomes;
    report(good);
    if (mc.failure != MC_PASS && (!good || mc.options.verbose))
        explain_failure();
    else if (!expected)
        printf("  a %s was to be found%s%s\n", failure_name(scenario->expect), scenario->says ? ": " : "",
               scenario->says ? scenario->says : "");
    if (!same_outcomes) {
        printf("  expected: %s\n", scenario->outcomes);
        outcome_print();
    }
    if (good && scenario->compare_naive && !mc.options.naive && mc.failure == MC_PASS)
        good = naive_agrees();
    fflush(stdout);
    return good;
}

static bool replay(const char *schedule) {
    if (!schedule_parse(schedule)) {
        fprintf(stderr, "mc: not a schedule: %s\n", schedule);
        exit(2);
    }
    explain_failure();
    return mc.failure == MC_PASS;
}

/* Small searches are over before a clock has noticed them. */
static bool measure_rate(void) {
    struct statistics all = {0};
    while (all.seconds < mc.options.rate && explore()) {
        all.executions += mc.statistics.executions + mc.statistics.blocked;
        all.steps += mc.statistics.steps;
        all.seconds += mc.statistics.seconds;
    }
    printf("%s: %.0f executions/s, of %.0f steps\n", mc.scenario->name, (double)all.executions / all.seconds,
           (double)all.steps / (double)all.executions);
    return mc.failure == MC_PASS;
}

static bool act_on(const struct mc_scenario *scenario, const struct options *line) {
    apply_scenario(scenario, line);
    if (mc.options.list)
        return puts(scenario->name) >= 0;
    if (!mc.options.replay && !mc.options.naive)
        explore_contention();
    if (mc.options.list_sites)
        return mutate_list(), true;
    if (mc.options.mutate)
        return mutate_scenario() >= 0;
    if (mc.options.rate > 0)
        return measure_rate();
    if (mc.options.replay)
        return replay(mc.options.replay);
    return run(scenario);
}

int mc_main(int argc, char **argv, const struct mc_scenario *scenarios, int count) {
    mc.options.preemptions = mc.options.stale = mc.options.spurious = mc.options.weak_failures =
        mc.options.clock_jumps = -1;
    mc.options.stop_at = -1;
    parse(argc, argv);
    struct options line = mc.options;
    fiber_init();
    static_data_init();
    crash_init();
    bool good = true;
    for (int i = 0; i < count; i++) {
        if (line.only && strcmp(line.only, scenarios[i].name) != 0)
            continue;
        good &= act_on(&scenarios[i], &line);
        if (line.until_failure && is_finding(mc.failure))
            break;
    }
    return good ? 0 : 1;
}
