/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is said about orders that contradict each other. */
#include "order_report.h"

#include "lock_cycle.h"
#include "report.h"

#include <errno.h>
#include <unistd.h>

static const char *type_of(const struct graph_node *node) {
    return node->is_rwlock ? "rwlock" : "mutex";
}

static const char *purpose(const struct graph_node *node, bool is_exclusive) {
    if (!node->is_rwlock)
        return "";
    return is_exclusive ? " to write" : " to read";
}

static char letter(unsigned index, unsigned length) {
    return (char)('A' + index % length);
}

static void tell_edge(struct report *report, const struct order_cycle *cycle, unsigned index) {
    const struct graph_edge *edge = &cycle->edges[index];
    const struct graph_node *from = &cycle->nodes[index];
    const struct graph_node *to = &cycle->nodes[(index + 1) % cycle->length];
    report_text(report, "\n%c, then %c: thread %d (%.*s)%s\n", letter(index, cycle->length),
                letter(index + 1, cycle->length), edge->tid, THREAD_NAME_SIZE, edge->name,
                edge->has_many_threads ? ", and others" : "");
    report_text(report, "  took %c%s at\n", letter(index, cycle->length), purpose(from, edge->holds_exclusively));
    report_stack(report, edge->held_stack);
    report_text(report, "  and then %c%s at\n", letter(index + 1, cycle->length), purpose(to, edge->takes_exclusively));
    report_stack(report, edge->taken_stack);
}

void order_report(const struct order_cycle *cycle) {
    struct report *report = report_begin();
    report_text(report, "== libplc: lock order inversion in %s [%d]\n", program_invocation_short_name, (int)getpid());
    report_text(report, "%u locks were taken in orders that can end in a deadlock.\n\n", cycle->length);
    for (unsigned i = 0; i < cycle->length; i++)
        report_text(report, "  %c is the %s %p\n", letter(i, cycle->length), type_of(&cycle->nodes[i]),
                    cycle->nodes[i].object);
    for (unsigned i = 0; i < cycle->length; i++)
        tell_edge(report, cycle, i);
    report_text(report, "== end of lock order inversion\n");
    report_send(report);
}

static void tell_omissions(struct report *report, const struct graph_counts *graph, const struct held_counts *held) {
    const struct {
        uint64_t count;
        const char *what;
    } omissions[] = {
        {graph->begun_anew, "times the table of orders was full, and began anew"},
        {held->dropped, "times a thread held more locks than are looked at"},
        {lock_cycle_searches_cut(), "searches for a contradiction took too long"},
        {lock_cycles_left_out(), "inversions were found beyond those reported"},
        {call_stacks_dropped(), "stacks found no room"},
    };
    for (size_t i = 0; i < sizeof omissions / sizeof omissions[0]; i++)
        if (omissions[i].count != 0)
            report_text(report, "  %llu %s\n", (unsigned long long)omissions[i].count, omissions[i].what);
}

void order_report_summary(void) {
    struct graph_counts graph = lock_graph_counts();
    struct held_counts held = held_counts();
    if (graph.edges == 0 && graph.begun_anew == 0)
        return;
    struct report *report = report_begin();
    report_text(report, "== libplc: %s [%d]: lock orders seen: %u, inversions: %u\n", program_invocation_short_name,
                (int)getpid(), graph.edges, lock_cycles_reported());
    tell_omissions(report, &graph, &held);
    report_send_plain(report);
}
