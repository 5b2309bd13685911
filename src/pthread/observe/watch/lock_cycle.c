/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks for orders that contradict each other. */
#include "lock_cycle.h"

#include <plc/detail/atomic.h>

#include <string.h>

/* A cycle of orders can become a deadlock if as many threads as it has orders can be at their places at once, each holding its first lock and
   waiting for its second. So of the cycles in the graph only those count in which

     - what is taken at a lock cannot be had beside what is held there: two readers of a rwlock can, unless its kind lets readers
       wait for writers that wait;
     - no two orders hold a common lock, the gate: with it held, only one of the two threads can be at its place (two readers
       of it can both). It must have been held every time: an order's gates are what all of its occurrences had in common;
     - there are enough threads: what was done by one thread only, in both orders, meets nobody;
     - none of the locks was destroyed.

   Goodlock (Havelund 2000, Bensalem and Havelund 2005) has gates and threads in this way. The search tries cycles of two locks first,
   then three, and so on, under a limit of steps. */
enum {
    MOST_STEPS = 20000,
    REPORTED_SIZE = 1 << 12,
    MOST_REPORTED = 200, /* cycles of one process */
};

static uint64_t reported[REPORTED_SIZE]; /* a set of keys: under the graph's lock, as all here */
static unsigned reported_count;          /* these are read without it, relaxed */
static uint64_t left_out;
static uint64_t searches_cut;

struct search {
    uint32_t path[CYCLE_MOST]; /* edges */
    unsigned length;
    unsigned limit;
    unsigned steps;
};

/* ---- Can these happen at once? */

static bool excludes(struct graph_gate gate, uint32_t node, bool is_shared) {
    return gate.node == node && !(gate.is_shared && is_shared);
}

static bool has_gate(const struct graph_edge *edge, uint32_t node, bool is_shared) {
    if (edge->from == node && (edge->holds_exclusively || !is_shared))
        return true;
    for (unsigned i = 0; i < edge->gate_count; i++)
        if (excludes(edge->gates[i], node, is_shared))
            return true;
    return false;
}

static bool can_be_at_once(const struct graph_edge *one, const struct graph_edge *other) {
    if (!one->has_many_threads && !other->has_many_threads && one->thread == other->thread)
        return false;
    if (has_gate(other, one->from, !one->holds_exclusively))
        return false;
    for (unsigned i = 0; i < one->gate_count; i++)
        if (has_gate(other, one->gates[i].node, one->gates[i].is_shared))
            return false;
    return true;
}

/* Does who takes a lock as the one edge does wait for who holds it as the other does? */
static bool waits_for(const struct graph_edge *taker, const struct graph_edge *holder) {
    return taker->takes_exclusively || holder->holds_exclusively || lock_graph_node(taker->to)->readers_queue;
}

/* ---- The search */

static bool fits(const struct search *search, const struct graph_edge *edge) {
    for (unsigned i = 0; i < search->length; i++) {
        const struct graph_edge *other = lock_graph_edge(search->path[i]);
        if (edge->to == other->from && i > 0)
            return false;
        if (!can_be_at_once(other, edge))
            return false;
    }
    return waits_for(lock_graph_edge(search->path[search->length - 1]), edge) && !lock_graph_node(edge->to)->is_dead;
}

/* Goes on from the path's end; recursive, at most CYCLE_MOST deep. */
static bool extend(struct search *search) {
    const struct graph_edge *first = lock_graph_edge(search->path[0]);
    const struct graph_edge *last = lock_graph_edge(search->path[search->length - 1]);
    for (uint32_t i = lock_graph_node(last->to)->first_edge; i != 0; i = lock_graph_edge(i)->next_edge) {
        const struct graph_edge *edge = lock_graph_edge(i);
        bool closes = edge->to == first->from;
        if (++search->steps > MOST_STEPS)
            return false;
        if (closes != (search->length + 1 == search->limit) || !fits(search, edge))
            continue;
        search->path[search->length++] = i;
        if (closes ? waits_for(edge, first) : extend(search))
            return true;
        search->length--;
    }
    return false;
}

/* Is there any way at all? Most orders contradict nothing, and this looks at each node once. */
static bool leads_to(uint32_t from, uint32_t to) {
    static uint32_t queue[GRAPH_NODES];
    uint32_t visit = lock_graph_new_visit();
    unsigned count = 0;
    (void)lock_graph_visit(from, visit);
    queue[count++] = from;
    for (unsigned next = 0; next < count; next++) {
        for (uint32_t i = lock_graph_node(queue[next])->first_edge; i != 0; i = lock_graph_edge(i)->next_edge) {
            uint32_t reached = lock_graph_edge(i)->to;
            if (reached == to)
                return true;
            if (lock_graph_visit(reached, visit))
                queue[count++] = reached;
        }
    }
    return false;
}

/* ---- Each once */

static uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t value = (a << 32 ^ b) * UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
    return value ^ value >> 32;
}

/* False if it was there. A full set says so of all. */
static bool add_key(uint64_t key) {
    unsigned i = (unsigned)(key % REPORTED_SIZE);
    for (unsigned probes = 0; probes < REPORTED_SIZE; probes++, i = (i + 1) % REPORTED_SIZE) {
        if (reported[i] == key)
            return false;
        if (reported[i] == 0) {
            reported[i] = key;
            return true;
        }
    }
    return false;
}

/* The same locks, or other locks at the same places: one report is enough. Sums, for a cycle has no beginning. */
static bool is_new(const struct search *search) {
    uint64_t locks = 1;
    uint64_t places = 2;
    for (unsigned i = 0; i < search->length; i++) {
        const struct graph_edge *edge = lock_graph_edge(search->path[i]);
        locks += mix((uint64_t)lock_graph_epoch() << 24 ^ edge->from, edge->to);
        places += mix(edge->held_stack, edge->taken_stack);
    }
    bool are_new_locks = add_key(locks);
    bool are_new_places = add_key(places);
    return are_new_locks && are_new_places;
}

static void describe(const struct search *search, struct order_cycle *cycle) {
    cycle->length = search->length;
    for (unsigned i = 0; i < search->length; i++) {
        cycle->edges[i] = *lock_graph_edge(search->path[i]);
        cycle->nodes[i] = *lock_graph_node(cycle->edges[i].from);
    }
}

bool lock_cycle_find(uint32_t index, struct order_cycle *cycle) {
    const struct graph_edge *edge = lock_graph_edge(index);
    struct search search = {.path = {index}};
    if (lock_graph_node(edge->from)->is_dead || !leads_to(edge->to, edge->from))
        return false;
    for (search.limit = 2; search.limit <= CYCLE_MOST; search.limit++) {
        search.length = 1;
        if (extend(&search))
            break;
        if (search.steps > MOST_STEPS) {
            (void)plc_fetch_add_relaxed(&searches_cut, UINT64_C(1));
            return false;
        }
    }
    if (search.limit > CYCLE_MOST || !is_new(&search))
        return false;
    if (reported_count == MOST_REPORTED) {
        (void)plc_fetch_add_relaxed(&left_out, UINT64_C(1));
        return false;
    }
    plc_store_relaxed(&reported_count, reported_count + 1);
    describe(&search, cycle);
    return true;
}

unsigned lock_cycles_reported(void) {
    return plc_load_relaxed(&reported_count);
}

uint64_t lock_cycle_searches_cut(void) {
    return plc_load_relaxed(&searches_cut);
}

uint64_t lock_cycles_left_out(void) {
    return plc_load_relaxed(&left_out);
}

void lock_cycle_after_fork(void) {
    memset(reported, 0, sizeof reported);
    plc_store_relaxed(&reported_count, 0u);
    plc_store_relaxed(&left_out, UINT64_C(0));
    plc_store_relaxed(&searches_cut, UINT64_C(0));
}
