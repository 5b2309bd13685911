/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The search: depth first over the choices of who moves and which store is read, by running again from the start. */
#define _GNU_SOURCE
#include "internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reduction by sleep sets
 *
 *   Two steps of different threads that do not depend on each other give the same execution in either order; only one
 * order need be tried. When all that follows thread A's step has been explored and the search tries B's instead, A
 * *sleeps* in that branch until a step is made that A's depends on. Sleeping is by choice: A asleep on "reads store 3"
 * may still move on a store that was made since. A branch in which all who could move are asleep is abandoned: it is
 * counted as sleep-blocked.
 *
 *   A bound on preemptions does not go with this (the schedule that represents its class may be the one over the
 * bound), so a bounded search does without. README.md says how the reduction is checked. */

static bool reduced(void) {
    return !mc.options.naive && mc.options.preemptions == 0;
}

bool choices_any(struct choices a) {
    return (a.normal | a.odd) != 0;
}

struct choices choices_without(struct choices a, struct choices b) {
    return (struct choices){a.normal & ~b.normal, a.odd & ~b.odd};
}

static struct choices choices_union(struct choices a, struct choices b) {
    return (struct choices){a.normal | b.normal, a.odd | b.odd};
}

/* Newest store first: the first executions tried are the sequentially consistent ones, whose traces are the easiest to
   read; odd events come last. */
static bool take_next(struct alternative *from, struct choice *choice) {
    uint64_t *set = from->todo.normal ? &from->todo.normal : &from->todo.odd;
    if (!*set)
        return false;
    choice->odd = set == &from->todo.odd;
    choice->index = (uint8_t)(63 - __builtin_clzll(*set));
    *set &= ~(UINT64_C(1) << choice->index);
    return true;
}

void schedule_begin(void) {
    mc.position = 0;
    mc.step = 0;
    mc.last = -1;
    mc.preemptions = 0;
    mc.sleep_blocked = false;
    memset(mc.sleeping, 0, sizeof mc.sleeping);
}

static bool over_preemption_bound(int thread) {
    return mc.options.preemptions > 0 && mc.last >= 0 && thread != mc.last &&
           mc.preemptions >= mc.options.preemptions && mc.thread[mc.last].op.kind != OP_YIELD &&
           choices_any(operation_choices(mc.last));
}

/* A bounded search also bounds how often an old store is used. The newest one can always be. */
static struct choices within_stale_bound(int thread, struct choices found) {
    const struct operation *op = &mc.thread[thread].op;
    bool by_store = op->kind == OP_LOAD || operation_writes(op);
    if (by_store && mc.options.preemptions > 0 && mc.stale_used >= mc.options.stale)
        found.normal &= UINT64_C(1) << mc.locations[op->location].newest;
    return found;
}

static void count_stale(int thread, struct choice choice) {
    const struct operation *op = &mc.thread[thread].op;
    bool by_store = op->kind == OP_LOAD || operation_writes(op);
    if (by_store && choice.index != memory_refreshed(op->location)->newest)
        mc.stale_used++;
}

static void fail_blocked(void) {
    char who[256];
    int length = 0;
    const void *site = NULL;
    for (int i = 0; i < mc.threads; i++) {
        const struct operation *op = &mc.thread[i].op;
        if (op->kind == OP_DONE)
            continue;
        const char *what = op->kind == OP_SLEEP ? "sleeps on" : op->kind == OP_LOCK ? "waits for lock" : "spins at";
        unsigned long address = (unsigned long)(op->kind == OP_YIELD ? (uintptr_t)op->site : op->address);
        length +=
            snprintf(who + length, sizeof who - (size_t)length, "%s T%d %s %#lx", length ? "," : "", i, what, address);
        site = op->site;
    }
    execution_failed(MC_DEADLOCK, site, NULL, "nobody can move:%s", who);
}

/* Makes the node for a step that has not been tried before. Returns false if all who could move are asleep. */
static bool make_node(void) {
    struct node *node = &mc.nodes[mc.node_count];
    bool anybody = false;
    node->count = node->at = 0;
    memcpy(node->sleeping, mc.sleeping, sizeof node->sleeping);
    for (int k = 0; k < mc.threads; k++) {
        int thread = (k + (mc.last < 0 ? 0 : mc.last)) % mc.threads; /* who moved last goes on first */
        struct choices found = operation_choices(thread);
        if (!choices_any(found))
            continue;
        anybody = true;
        if (over_preemption_bound(thread))
            continue;
        if (reduced())
            found = choices_without(found, mc.sleeping[thread]);
        else
            found = within_stale_bound(thread, found);
        if (choices_any(found))
            node->alternatives[node->count++] = (struct alternative){(uint8_t)thread, found};
    }
    if (!anybody)
        fail_blocked();
    if (node->count == 0)
        return false;
    take_next(&node->alternatives[0], &node->choice);
    mc.node_count++;
    return true;
}

/* All that an explored alternative could have done by now, as opposed to what later stores will let it do. */
static struct choices explored(int thread) {
    const struct operation *op = &mc.thread[thread].op;
    bool by_store = op->kind == OP_LOAD || operation_writes(op);
    int count = by_store ? memory_refreshed(op->location)->count : 64;
    uint64_t mask = count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    return (struct choices){mask, mask};
}

/* Who sleeps after the node's choice. Only needed at the end of the known path, where new nodes will copy it. */
static void update_sleeping(const struct node *node) {
    int mover = node->alternatives[node->at].thread;
    memcpy(mc.sleeping, node->sleeping, sizeof mc.sleeping);
    for (int i = 0; i < node->at; i++) {
        int thread = node->alternatives[i].thread;
        mc.sleeping[thread] = choices_union(mc.sleeping[thread], explored(thread));
    }
    mc.sleeping[mover] = (struct choices){0, 0};
    for (int i = 0; i < mc.threads; i++) {
        if (choices_any(mc.sleeping[i]) && operation_dependent(&mc.thread[i].op, &mc.thread[mover].op))
            mc.sleeping[i] = (struct choices){0, 0};
    }
}

/* After other steps an invariant would find what it found before, or what it will find after the next one that counts. */
static bool changes_memory(const struct operation *op) {
    return (operation_writes(op) && op->success) || op->kind == OP_UNLOCK || op->kind == OP_FORK;
}

static void move(int thread, struct choice choice) {
    if (mc.step == mc.options.stop_at)
        raise(SIGTRAP); /* --stop-at: here the debugger takes over */
    if (mc.tracing) {
        struct operation before = mc.thread[thread].op;
        trace_step(thread, &before, choice);
    }
    mc.statistics.steps++;
    operation_execute(thread, choice);
    if (mc.scenario->invariant && changes_memory(&mc.thread[thread].op)) {
        mc.mode = MODE_DIRECT;
        mc.scenario->invariant();
        mc.mode = MODE_MODEL;
    }
}

/* A step that touches nothing needs no alternatives: whoever is about to make one makes it now. */
static int untouching_thread(void) {
    for (int i = 0; i < mc.threads; i++) {
        if (mc.thread[i].op.kind == OP_START)
            return i;
    }
    return -1;
}

static bool all_done(void) {
    for (int i = 0; i < mc.threads; i++) {
        if (mc.thread[i].op.kind != OP_DONE)
            return false;
    }
    return true;
}

static void count_preemption(int thread) {
    if (mc.options.preemptions > 0 && mc.last >= 0 && mc.last != thread && mc.thread[mc.last].op.kind != OP_YIELD &&
        choices_any(operation_choices(mc.last)))
        mc.preemptions++;
}

/* A schedule given by hand may not fit the program. */
static void check_replayed(int thread, struct choice choice) {
    if (!mc.options.replay)
        return;
    struct choices wanted = {0, 0};
    *(choice.odd ? &wanted.odd : &wanted.normal) = UINT64_C(1) << choice.index;
    if (thread >= mc.threads || choices_any(choices_without(wanted, operation_choices(thread))))
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "the schedule does not fit this program at step %d", mc.step);
}

static void count_step(void) {
    if (mc.step >= MAX_STEPS)
        execution_failed(MC_STEP_BOUND, mc.thread[mc.current].op.site, NULL, "more than %d steps", MAX_STEPS);
    mc.step++;
}

/* For an operation that is no step of the search: the running thread goes on with it. */
void schedule_step_at_once(struct choice choice) {
    count_step();
    move(mc.current, choice);
}

/* Makes the next step of the execution; returns who is to go on, or -1 at the end. */
static int next_step(void) {
    count_step();
    int thread = untouching_thread();
    if (thread >= 0) {
        move(thread, (struct choice){0, false});
        return thread;
    }
    if (all_done())
        return -1;
    if (mc.position == mc.node_count && !make_node()) {
        mc.sleep_blocked = true;
        return -1;
    }
    struct node *node = &mc.nodes[mc.position];
    thread = node->alternatives[node->at].thread;
    check_replayed(thread, node->choice);
    if (reduced() && mc.position == mc.node_count - 1)
        update_sleeping(node);
    count_preemption(thread);
    count_stale(thread, node->choice);
    mc.last = thread;
    mc.position++;
    move(thread, node->choice);
    return thread;
}

/* Did the thread go to sleep inside its operation? Then its fiber has nothing to do yet. */
static bool fell_asleep(int thread) {
    return thread >= 0 && mc.thread[thread].op.kind == OP_SLEEP && mc.thread[thread].op.result != MC_TIMED_OUT;
}

/* A fiber has announced its next operation (or ended). Makes steps until some thread has to run on, which may be the
   caller itself. */
void schedule_from_fiber(void **save) {
    int thread;
    do
        thread = next_step();
    while (fell_asleep(thread));
    if (thread < 0)
        execution_leave();
    mc.current = thread;
    void **resumed = &mc.thread[thread].stack_pointer;
    if (save != resumed)
        fiber_switch(save, *resumed);
}

/* Goes to the next path of the tree; false when there is none. */
bool schedule_backtrack(void) {
    while (mc.node_count) {
        struct node *node = &mc.nodes[mc.node_count - 1];
        do {
            if (take_next(&node->alternatives[node->at], &node->choice))
                return true;
        } while (++node->at < node->count);
        mc.node_count--;
    }
    return false;
}

/* A schedule as text: for each step with a choice a letter for the thread, and the number of the store or alternative
   unless it is 0; an apostrophe marks the odd variant. */
void schedule_print(void) {
    for (int i = 0; i < mc.position; i++) {
        const struct node *node = &mc.nodes[i];
        putchar('a' + node->alternatives[node->at].thread);
        if (node->choice.index)
            printf("%d", node->choice.index);
        if (node->choice.odd)
            putchar('\'');
    }
    contention_print();
    putchar('\n');
}

bool schedule_parse(const char *text) {
    mc.node_count = 0;
    while (*text && *text != '@') {
        if (*text < 'a' || *text >= 'a' + MC_MAX_THREADS || mc.node_count == MAX_STEPS)
            return false;
        struct node *node = &mc.nodes[mc.node_count++];
        memset(node, 0, sizeof *node);
        node->count = 1;
        node->alternatives[0].thread = (uint8_t)(*text++ - 'a');
        char *end;
        if (*text >= '0' && *text <= '9') {
            node->choice.index = (uint8_t)(strtol(text, &end, 10) & 63);
            text = end;
        }
        node->choice.odd = *text == '\'';
        text += node->choice.odd;
    }
    contention_reset();
    return *contention_parse(text) == 0;
}
