/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Nodes and edges in tables of fixed size; when one is full, all is forgotten and learnt anew. */
#include "lock_graph.h"

#include "../../layout.h"
#include "lock_cycle.h"
#include "pages.h"

#include <plc/detail/atomic.h>

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* A graph of locks that come and go grows for ever, and std::mutex does not tell when it goes. So a full graph begins anew, as ThreadSanitizer's
   does: orders that are still in use are learnt again in no time. What is lost is an inversion whose two sides lie further apart
   than a graph's life; how often it began anew is said at the end.

   All is written under graph_lock. What is read without: the epoch (relaxed: whoever has an older one finds that out under
   the lock), and, to find out whether there is a node for a lock at all, the chains of nodes. Who walks along one while the graph begins
   anew reads zeros, or newer nodes, and comes to an end: each is smaller than the one before.

   Memory order
     [LO1] a node is complete: store-release of its number as its chain's head -> load-acquire of the head. */
static plc_mutex_t graph_lock;

static struct graph {
    struct graph_node nodes[GRAPH_NODES]; /* the first of both is unused: zero is none */
    struct graph_edge edges[GRAPH_EDGES];
    uint32_t heads[GRAPH_EDGES]; /* of the hash's chains */
    uint32_t node_heads[GRAPH_NODES];
} * graph;

static uint32_t epoch;
static uint32_t node_count;
static uint32_t edge_count;
static uint32_t begun_anew;
static uint32_t last_visit;

struct quiet_section lock_graph_lock(void) {
    return quiet_enter(&graph_lock);
}

uint32_t lock_graph_epoch(void) {
    return plc_load_relaxed(&epoch);
}

/* The pages are given back: they read as zero when they are used again. */
static void begin_anew(void) {
    (void)madvise(graph, sizeof *graph, MADV_DONTNEED);
    plc_store_relaxed(&epoch, epoch + 1);
    node_count = 1;
    edge_count = 1;
    last_visit = 0;
}

bool lock_graph_start(void) {
    graph = observe_pages(sizeof *graph);
    if (graph == NULL)
        return false;
    begin_anew();
    return true;
}

void lock_graph_after_fork(void) {
    graph_lock = (plc_mutex_t)PLC_MUTEX_INIT;
    begin_anew();
    begun_anew = 0;
    lock_cycle_after_fork();
}

struct graph_counts lock_graph_counts(void) {
    struct quiet_section section = lock_graph_lock();
    struct graph_counts counts = {node_count - 1, edge_count - 1, begun_anew};
    quiet_leave(&section);
    return counts;
}

/* ---- Nodes */

const struct graph_node *lock_graph_node(uint32_t node) {
    return &graph->nodes[node];
}

const struct graph_edge *lock_graph_edge(uint32_t edge) {
    return &graph->edges[edge];
}

static uint32_t *node_chain_of(uint64_t identity) {
    return &graph->node_heads[identity % GRAPH_NODES]; /* identities are consecutive numbers */
}

/* Zero: there is none. */
static uint32_t find_node(uint64_t identity) {
    uint32_t node = plc_load_acquire(node_chain_of(identity)); /* acquire [LO1] */
    while (node != 0 && plc_load_relaxed(&graph->nodes[node].identity) != identity)
        node = plc_load_relaxed(&graph->nodes[node].next_hash); /* relaxed, both: [LO1] came before */
    return node;
}

/* There is room for it. */
static uint32_t find_or_add_node(const struct held_lock *lock) {
    uint32_t index = find_node(lock->identity);
    if (index != 0)
        return index;
    uint32_t *chain = node_chain_of(lock->identity);
    index = node_count++;
    struct graph_node *node = &graph->nodes[index];
    node->object = lock->object;
    node->is_rwlock = lock->mode != OBSERVE_MUTEX;
    node->readers_queue = lock->readers_queue;
    plc_store_relaxed(&node->identity, lock->identity); /* relaxed, both: the head comes after */
    plc_store_relaxed(&node->next_hash, *chain);
    plc_store_release(chain, index); /* release [LO1] */
    return index;
}

void lock_graph_forget(uint64_t identity) {
    if (find_node(identity) == 0)
        return;
    struct quiet_section section = lock_graph_lock();
    uint32_t node = find_node(identity);
    if (node != 0)
        graph->nodes[node].is_dead = true;
    quiet_leave(&section);
}

uint32_t lock_graph_new_visit(void) {
    return ++last_visit;
}

bool lock_graph_visit(uint32_t node, uint32_t visit) {
    if (graph->nodes[node].visit == visit)
        return false;
    graph->nodes[node].visit = visit;
    return true;
}

/* ---- Edges */

static uint32_t *chain_of(uint32_t from, uint32_t to) {
    uint64_t hash = ((uint64_t)from << 32 | to) * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing */
    return &graph->heads[(hash >> 32) % GRAPH_EDGES];
}

static uint32_t find_edge(uint32_t from, uint32_t to, bool holds_exclusively, bool takes_exclusively) {
    uint32_t i = *chain_of(from, to);
    while (i != 0) {
        const struct graph_edge *edge = &graph->edges[i];
        if (edge->from == from && edge->to == to && edge->holds_exclusively == holds_exclusively &&
            edge->takes_exclusively == takes_exclusively)
            break;
        i = edge->next_hash;
    }
    return i;
}

static bool is_exclusive(const struct held_lock *held) {
    return held->mode != OBSERVE_READ;
}

/* A lock without a node has no identity, or was handed over. */
static bool counts(const struct held_lock *held) {
    return held->node != 0;
}

static void find_nodes(struct watched_thread *self) {
    for (unsigned i = 0; i < self->held_count; i++) {
        struct held_lock *held = &self->held[i];
        bool is_left_out = held->identity == 0 || held_is_handed_over(held->object);
        held->node = is_left_out ? 0 : find_or_add_node(held);
    }
}

static void describe(struct graph_edge *edge, const struct watched_thread *self, const struct held_lock *held,
                     call_stack_id stack) {
    edge->thread = self->number;
    edge->tid = self->tid;
    edge->held_stack = held->stack;
    edge->taken_stack = stack;
    (void)prctl(PR_GET_NAME, edge->name);
}

/* Zero: the graph is full. */
static uint32_t new_edge(const struct watched_thread *self, const struct held_lock *held, uint32_t to,
                         bool takes_exclusively, call_stack_id stack) {
    if (edge_count == GRAPH_EDGES)
        return 0;
    uint32_t index = edge_count++;
    struct graph_edge *edge = &graph->edges[index];
    uint32_t *chain = chain_of(held->node, to);
    edge->from = held->node;
    edge->to = to;
    edge->holds_exclusively = is_exclusive(held);
    edge->takes_exclusively = takes_exclusively;
    for (unsigned i = 0; i < self->held_count && edge->gate_count < EDGE_GATES; i++)
        if (&self->held[i] != held && counts(&self->held[i]))
            edge->gates[edge->gate_count++] = (struct graph_gate){self->held[i].node, !is_exclusive(&self->held[i])};
    describe(edge, self, held, stack);
    edge->next_hash = *chain;
    *chain = index;
    edge->next_edge = graph->nodes[held->node].first_edge;
    graph->nodes[held->node].first_edge = index;
    return index;
}

static const struct held_lock *held_with_node(const struct watched_thread *self, uint32_t node) {
    for (unsigned i = 0; i < self->held_count; i++)
        if (self->held[i].node == node && counts(&self->held[i]))
            return &self->held[i];
    return NULL;
}

/* A lock that is not held this time, or less firmly, keeps nobody away. */
static bool narrow_gates(struct graph_edge *edge, const struct watched_thread *self) {
    unsigned kept = 0;
    bool changed = false;
    for (unsigned i = 0; i < edge->gate_count; i++) {
        struct graph_gate gate = edge->gates[i];
        const struct held_lock *held = held_with_node(self, gate.node);
        changed |= held == NULL || (!gate.is_shared && !is_exclusive(held));
        if (held != NULL)
            edge->gates[kept++] = (struct graph_gate){gate.node, gate.is_shared || !is_exclusive(held)};
    }
    edge->gate_count = (uint8_t)kept;
    return changed;
}

/* The edge, if it is new or allows more than before; zero otherwise, or if there is no room. */
static uint32_t learn(const struct watched_thread *self, const struct held_lock *held, uint32_t to,
                      bool takes_exclusively, call_stack_id stack) {
    uint32_t index = find_edge(held->node, to, is_exclusive(held), takes_exclusively);
    if (index == 0)
        return new_edge(self, held, to, takes_exclusively, stack);
    struct graph_edge *edge = &graph->edges[index];
    bool changed = narrow_gates(edge, self);
    if (!edge->has_many_threads && edge->thread != self->number) {
        edge->has_many_threads = true;
        changed = true;
    }
    if (changed)
        describe(edge, self, held, stack);
    return changed ? index : 0;
}

bool lock_graph_add(struct watched_thread *self, const struct held_lock *taken, struct order_cycle *cycle) {
    if (edge_count > GRAPH_EDGES - HELD_MOST || node_count >= GRAPH_NODES - HELD_MOST) {
        begin_anew();
        begun_anew++;
        return false;
    }
    find_nodes(self);
    uint32_t node = find_or_add_node(taken);
    bool found = false;
    for (unsigned i = 0; i < self->held_count; i++) {
        const struct held_lock *held = &self->held[i];
        if (!counts(held) || held->node == node)
            continue;
        uint32_t edge = learn(self, held, node, is_exclusive(taken), taken->stack);
        if (edge != 0 && !found)
            found = lock_cycle_find(edge, cycle);
    }
    return found;
}
