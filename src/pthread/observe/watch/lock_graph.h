/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The graph of orders: locks, and for each pair that was nested, how. */
#ifndef PLC_OBSERVE_LOCK_GRAPH_H
#define PLC_OBSERVE_LOCK_GRAPH_H

#include "held.h"

enum {
    GRAPH_NODES = 1 << 15,
    GRAPH_EDGES = 1 << 16,
    EDGE_GATES = 8, /* of the locks that are held besides, so many are kept: those taken first */
    CYCLE_MOST = 8, /* locks; longer cycles are not looked for */
    THREAD_NAME_SIZE = 16,
};

struct graph_node {
    uint64_t identity;
    const void *object; /* where the lock was, for reports */
    uint32_t next_hash; /* an older node: smaller, or zero */
    uint32_t first_edge;
    uint32_t visit;
    bool is_rwlock;
    bool readers_queue; /* readers wait for writers that wait */
    bool is_dead;       /* destroyed */
};

/* A lock held besides: the node, and whether for reading only. */
struct graph_gate {
    uint32_t node;
    bool is_shared;
};

/* "from, then to", with the same kinds of hold. */
struct graph_edge {
    uint32_t from;
    uint32_t to;
    uint32_t next_edge; /* from the same node; zero: none */
    uint32_t next_hash;
    bool holds_exclusively;
    bool takes_exclusively;
    bool has_many_threads; /* more than one thread did so */
    uint8_t gate_count;
    struct graph_gate gates[EDGE_GATES]; /* held at every time, besides `from` */
    int tid;                             /* and from here on: what it was like the last time that something changed */
    uint64_t thread;
    char name[THREAD_NAME_SIZE];
    call_stack_id held_stack;
    call_stack_id taken_stack;
};

/* A cycle of orders; each edge's `to` is the next one's `from`. */
struct order_cycle {
    unsigned length;
    struct graph_edge edges[CYCLE_MOST];
    struct graph_node nodes[CYCLE_MOST]; /* the edges' from */
};

/* False: there is no memory. */
bool lock_graph_start(void);
void lock_graph_after_fork(void);

/* Grows whenever the graph begins anew: then older numbers mean nothing. */
uint32_t lock_graph_epoch(void);

/* The lock with this identity was destroyed. Takes the graph's lock only if the lock is in the graph. */
void lock_graph_forget(uint64_t identity);

/* All below: with the graph's lock held. */
struct quiet_section lock_graph_lock(void);

/* The thread takes the lock while it holds what it holds. True if a cycle came about by this that was not reported before. */
bool lock_graph_add(struct watched_thread *self, const struct held_lock *taken, struct order_cycle *cycle);

const struct graph_node *lock_graph_node(uint32_t node);
const struct graph_edge *lock_graph_edge(uint32_t edge);

/* For searches: a number that no node's visit has. */
uint32_t lock_graph_new_visit(void);
bool lock_graph_visit(uint32_t node, uint32_t visit); /* false: visited already */

struct graph_counts {
    uint32_t nodes;
    uint32_t edges;
    uint32_t begun_anew;
};
struct graph_counts lock_graph_counts(void);

#endif
