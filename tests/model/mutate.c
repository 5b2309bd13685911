/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory-order mutation: each order at each call site weakened in turn, which some scenario must notice. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A first run finds the sites: every return address of an atomic operation, with its order. Then the scenario is
   explored again for each mutant. A mutant is named by its line in the source, so that scenarios which include the
   same code speak of the same mutant; a line that was inlined in several places is one mutant only if all copies are
   weakened together, so they are. */

enum {
    MAX_SITES = 512,
    MAX_MUTANTS = 1024,
    SITE_EXECUTIONS = 5000, /* after these hardly a new site turns up */
};

enum site_kind { SITE_ORDER, SITE_FAILURE_ORDER, SITE_WAKE, SITE_NAMED };

struct site {
    const void *address; /* of a named one: its name */
    uint8_t site_kind, kind, order;
    struct place place;
};

struct mutant {
    int site; /* the first of those with the same place */
    int to;   /* the order instead; of a wake or a named one: 0 */
    char name[224];
};

static struct site sites[MAX_SITES];
static int site_count;
static struct mutant mutants[MAX_MUTANTS];
static int mutant_count;
static bool recording;
static const struct mutant *active;

static int find_site(const void *address, enum site_kind site_kind) {
    for (int i = 0; i < site_count; i++) {
        if (sites[i].address == address && sites[i].site_kind == site_kind)
            return i;
    }
    return -1;
}

static void record(const void *address, enum site_kind site_kind, enum kind kind, int order) {
    if (mc.statistics.executions + mc.statistics.blocked >= SITE_EXECUTIONS || find_site(address, site_kind) >= 0)
        return;
    if (site_count == MAX_SITES)
        execution_failed(MC_MODEL_LIMIT, address, NULL, "more than %d mutation sites", MAX_SITES);
    sites[site_count] = (struct site){
        .address = address, .site_kind = (uint8_t)site_kind, .kind = (uint8_t)kind, .order = (uint8_t)order};
    site_count++;
}

static bool same_mutant_site(const struct site *a, const struct site *b) {
    return a->site_kind == b->site_kind && a->kind == b->kind && a->order == b->order &&
           strcmp(a->place.text, b->place.text) == 0;
}

static bool is_active(const void *address, enum site_kind site_kind) {
    int site = find_site(address, site_kind);
    return site >= 0 && same_mutant_site(&sites[site], &sites[active->site]);
}

/* The order that the operation at this site is to have now. */
int mutate_order(int order, enum kind kind, bool failure, const void *site) {
    enum site_kind site_kind = failure ? SITE_FAILURE_ORDER : SITE_ORDER;
    if (recording && order != RELAXED)
        record(site, site_kind, kind, order);
    if (active && order != RELAXED && is_active(site, site_kind))
        return active->to;
    return order;
}

bool mutate_drops_wake(const void *site) {
    if (recording)
        record(site, SITE_WAKE, OP_FUTEX_WAKE, 0);
    return active && is_active(site, SITE_WAKE);
}

bool mc_mutation(const char *name) {
    if (recording)
        record(name, SITE_NAMED, OP_START, 0);
    return active && is_active(name, SITE_NAMED);
}

static void add_mutant(int site, int to) {
    const struct site *at = &sites[site];
    struct mutant *mutant = &mutants[mutant_count++];
    mutant->site = site;
    mutant->to = to;
    struct operation op = {.kind = (enum kind)at->kind};
    const char *what = at->kind == OP_RMW ? "rmw" : operation_name(&op);
    if (at->site_kind == SITE_WAKE)
        snprintf(mutant->name, sizeof mutant->name, "%s wake dropped", at->place.text);
    else if (at->site_kind == SITE_NAMED)
        snprintf(mutant->name, sizeof mutant->name, "named %s", at->place.text);
    else
        snprintf(mutant->name, sizeof mutant->name, "%s %s%s %s -> %s", at->place.text, what,
                 at->site_kind == SITE_FAILURE_ORDER ? " failure" : "", order_name(at->order), order_name(to));
}

static void add_mutants_of(int site) {
    for (int i = 0; i < site; i++) {
        if (same_mutant_site(&sites[i], &sites[site]))
            return;
    }
    const struct site *at = &sites[site];
    if (mc.options.sites_under && at->site_kind != SITE_NAMED && !strstr(at->place.text, mc.options.sites_under))
        return;
    if (at->site_kind == SITE_ORDER && at->order == SEQ_CST)
        add_mutant(site, ACQ_REL);
    if (at->site_kind == SITE_ORDER && at->order == ACQ_REL) {
        add_mutant(site, ACQUIRE);
        add_mutant(site, RELEASE);
    }
    add_mutant(site, RELAXED);
}

static void resolve_sites(void) {
    static const void *addresses[MAX_SITES];
    static struct place places[MAX_SITES];
    for (int i = 0; i < site_count; i++)
        addresses[i] = sites[i].site_kind == SITE_NAMED ? NULL : sites[i].address;
    symbol_resolve(addresses, site_count, places);
    for (int i = 0; i < site_count; i++) {
        if (sites[i].site_kind == SITE_NAMED)
            snprintf(sites[i].place.text, sizeof sites[i].place.text, "%s", (const char *)sites[i].address);
        else
            sites[i].place = places[i];
    }
}

/* The search from here to mutate_end_recording has its sites remembered. */
void mutate_begin_recording(void) {
    site_count = mutant_count = 0;
    recording = true;
}

void mutate_end_recording(void) {
    recording = false;
}

static void name_mutants(void) {
    resolve_sites();
    for (int i = 0; i < site_count; i++)
        add_mutants_of(i);
}

static void collect_mutants(void) {
    uint64_t limit = mc.options.max_executions;
    mc.options.max_executions = limit && limit < SITE_EXECUTIONS ? limit : SITE_EXECUTIONS;
    mutate_begin_recording();
    explore();
    mutate_end_recording();
    mc.options.max_executions = limit;
    name_mutants();
}

/* Which mutants the scenario that was recorded has: the gate asks only those for a mutant that have it. */
void mutate_note_recorded(void) {
    FILE *file = fopen(mc.options.sites, "a");
    if (!file) {
        perror(mc.options.sites);
        exit(2);
    }
    name_mutants();
    for (int i = 0; i < mutant_count; i++)
        fprintf(file, "%s\t%s\n", mc.scenario->name, mutants[i].name);
    fclose(file);
}

/* One name per line, and what else is said of it behind a tab. */
static bool is_named_in(const char *path, const char *name) {
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[256];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\t\n")] = 0;
        found = strcmp(line, name) == 0;
    }
    if (file)
        fclose(file);
    return found;
}

static void note_killed(const char *name) {
    FILE *file = mc.options.killed ? fopen(mc.options.killed, "a") : NULL;
    if (!file)
        return;
    fprintf(file, "%s\t%s\t%s\n", name, failure_name(mc.failure), mc.scenario->name);
    fclose(file);
}

bool is_finding(enum mc_failure failure) {
    return failure != MC_PASS && failure != MC_STEP_BOUND && failure != MC_MODEL_LIMIT;
}

/* Explores every mutant of the current scenario. Returns how many survived. Scenarios that are broken on purpose would
   seem to notice all of them. */
int mutate_scenario(void) {
    int survivors = 0;
    if (mc.scenario->expect != MC_PASS)
        return 0;
    collect_mutants();
    printf("%s: %d mutants\n", mc.scenario->name, mutant_count);
    for (int i = 0; i < mutant_count; i++) {
        if (mc.options.explain && !strstr(mutants[i].name, mc.options.explain))
            continue;
        if (mc.options.wanted && !is_named_in(mc.options.wanted, mutants[i].name))
            continue;
        if (is_named_in(mc.options.killed, mutants[i].name)) { /* shared by all scenarios of a run of the gate */
            printf("  %-8s %s  [by an earlier scenario]\n", "killed", mutants[i].name);
            continue;
        }
        active = &mutants[i];
        explore();
        bool killed = is_finding(mc.failure);
        if (killed && mc.options.explain)
            explain_failure();
        active = NULL;
        survivors += !killed;
        if (killed)
            note_killed(mutants[i].name);
        printf("  %-8s %s  [%s%s, %llu executions, %.2f s]\n", killed ? "killed" : "SURVIVED", mutants[i].name,
               failure_name(mc.failure), mc.statistics.complete || mc.failure ? "" : ", incomplete",
               (unsigned long long)mc.statistics.executions, mc.statistics.seconds);
        fflush(stdout);
    }
    return survivors;
}

void mutate_list(void) {
    collect_mutants();
    for (int i = 0; i < mutant_count; i++)
        printf("%s\n", mutants[i].name);
}
