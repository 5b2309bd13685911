/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unwinds the caller's stack by what was learnt from earlier ones, and by the compiler's unwinder where that does not do. */
#include "call_stack.h"

#include "pages.h"

#include <plc/detail/atomic.h>

#include <unwind.h>

/* Unwinding costs microseconds, and programs take locks from the same places again and again. All stacks are kept in one tree, in which
   a frame's parent is the one that it called: a path from the root is a stack from the inside out, and the number of its last
   node is the number of the stack. A node says what the unwinder found there: how far above the slot of its own return address
   that of its caller lies. A function's frame at one call has one size, as a rule. So the next stack is read slot by slot, each address that
   is found leading to the next node, for as long as there are nodes.

   Where the rule does not hold (a frame with alloca), two stacks tell different distances of the same node, and from then on every stack
   that comes by it is unwound. Until then an old return address that happens to lie in the right place could lead to a wrong outer
   part; an address that leads to no node does no harm. Only what lies between us and the highest slot that the unwinder
   found on this thread's stack is read.

   Where a call does not push its return address (other processors than x86-64), everything is unwound.

   Memory order
     [CS1] a node is complete: CAS-release of its table slot -> load-acquire by whoever finds it there. A number that is
           handed on otherwise goes from thread to thread under a lock. */
enum {
    MOST_NODES = 1 << 18,
    TABLE_SIZE = 1 << 19,
    FIRST_DISTANCES = 1 << 12,
    MOST_FIRST_DISTANCE = 2048,
};

/* A node's distance to the next slot, or one of these. */
enum {
    UNWIND = 0, /* it is not known, or not always the same */
    ENDS = 1,   /* nothing comes after it */
};

struct node {
    uintptr_t address;
    uint32_t parent;
    uint32_t next; /* bytes, or see above */
};

static struct tree {
    struct node nodes[MOST_NODES]; /* the first is unused: it is the parent of the innermost frames */
    uint32_t table[TABLE_SIZE];
    uint64_t first
        [FIRST_DISTANCES]; /* a check of caller and way, and the distance from call_stack_find's frame to the first slot */
} * tree;
static uint32_t used = 1;
static uint64_t dropped;

static struct tree *tree_get(void) {
    struct tree *found = plc_load_acquire(&tree); /* acquire, only for the pages' sake */
    if (PLC_LIKELY(found != NULL))
        return found;
    struct tree *fresh = observe_pages(sizeof *fresh);
    if (fresh != NULL && !plc_cas_acq_rel_or_acquire(&tree, &found, fresh)) {
        (void)munmap(fresh, sizeof *fresh);
        return found;
    }
    return fresh;
}

uint64_t call_stacks_dropped(void) {
    return plc_load_relaxed(&dropped);
}

/* ---- Nodes */

static uint32_t hash_of(uint32_t parent, uintptr_t address) {
    uint64_t hash = ((uint64_t)address ^ (uint64_t)parent << 40) * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing */
    return (uint32_t)(hash >> 40) % TABLE_SIZE;
}

static bool is_node(const struct node *node, uint32_t parent, uintptr_t address) {
    return node->address == address && node->parent == parent;
}

/* Zero: there is none. */
static uint32_t find_child(const struct tree *in, uint32_t parent, uintptr_t address) {
    for (uint32_t i = hash_of(parent, address);; i = (i + 1) % TABLE_SIZE) {
        uint32_t id = plc_load_acquire(&in->table[i]); /* acquire [CS1] */
        if (id == 0 || is_node(&in->nodes[id], parent, address))
            return id;
    }
}

/* Zero: there is no room. */
static uint32_t new_node(struct tree *in, uint32_t parent, uintptr_t address, uint32_t next) {
    if (plc_load_relaxed(&used) >= MOST_NODES) /* relaxed: a number to be had, no more */
        return 0;
    uint32_t id = plc_fetch_add_relaxed(&used, 1u);
    if (id >= MOST_NODES) {
        plc_store_relaxed(&used, (uint32_t)MOST_NODES);
        return 0;
    }
    in->nodes[id] = (struct node){address, parent, next};
    return id;
}

/* If two threads bring the same node at once, one of the two is never used. */
static uint32_t add_child(struct tree *in, uint32_t parent, uintptr_t address, uint32_t next) {
    uint32_t mine = 0;
    for (uint32_t i = hash_of(parent, address);; i = (i + 1) % TABLE_SIZE) {
        uint32_t id = plc_load_acquire(&in->table[i]); /* acquire [CS1] */
        if (id == 0) {
            if (mine == 0)
                mine = new_node(in, parent, address, next);
            if (mine == 0 || plc_cas_release_or_acquire(&in->table[i], &id, mine)) /* release [CS1], acquire [CS1] */
                return mine;
        }
        if (is_node(&in->nodes[id], parent, address)) {
            if (plc_load_relaxed(&in->nodes[id].next) != next) /* relaxed: stands for itself */
                plc_store_relaxed(&in->nodes[id].next, (uint32_t)UNWIND);
            return id;
        }
    }
}

unsigned call_stack_addresses(call_stack_id id, uintptr_t addresses[CALL_STACK_DEPTH]) {
    const struct tree *in = plc_load_acquire(&tree); /* acquire, as above */
    unsigned depth = 0;
    for (uint32_t node = id; node != 0; node = in->nodes[node].parent)
        depth++;
    unsigned left = depth;
    for (uint32_t node = id; node != 0; node = in->nodes[node].parent)
        addresses[--left] = in->nodes[node].address;
    return depth;
}

/* ---- The distance to the first slot */

static uint64_t check_of(const void *caller, enum call_stack_way way) {
    return ((uint64_t)(uintptr_t)caller * CALL_STACK_WAYS + (unsigned)way) * UINT64_C(0x9E3779B97F4A7C15);
}

/* The words are read and written whole, and the slot shows whether they are right: relaxed. */
static uint64_t *first_of(struct tree *in, uint64_t check) {
    return &in->first[(check >> 20) % FIRST_DISTANCES];
}

static const uintptr_t *first_slot(struct tree *in, const char *base, uint64_t check) {
    uint64_t word = plc_load_relaxed(first_of(in, check));
    return word >> 32 == check >> 32 ? (const uintptr_t *)(const void *)(base + (uint32_t)word) : NULL;
}

static void learn_first(struct tree *in, const char *base, uint64_t check, const uintptr_t *slot) {
    uintptr_t distance = (uintptr_t)slot - (uintptr_t)base;
    if (distance < MOST_FIRST_DISTANCE)
        plc_store_relaxed(first_of(in, check), check >> 32 << 32 | distance);
}

/* ---- Unwinding */

struct unwinding {
    const void *caller;
    unsigned depth;
    uintptr_t addresses[CALL_STACK_DEPTH];
    const uintptr_t *slots[CALL_STACK_DEPTH]; /* null: not where a call would have put it */
};

/* Where a call has pushed the return address at which this frame goes on. */
static const uintptr_t *slot_of(struct _Unwind_Context *context, uintptr_t address) {
#if defined(__x86_64__)
    uintptr_t place = _Unwind_GetCFA(context) - sizeof(uintptr_t);
    const uintptr_t *slot = (const uintptr_t *)place; /* NOLINT(performance-no-int-to-ptr): the unwinder says so */
    return place % sizeof *slot == 0 && *slot == address ? slot : NULL;
#else
    (void)context;
    (void)address;
    return NULL;
#endif
}

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument) {
    struct unwinding *unwinding = argument;
    uintptr_t address = _Unwind_GetIP(context);
    if (address == 0)
        return _URC_END_OF_STACK;
    if (unwinding->depth == 0 && address != (uintptr_t)unwinding->caller)
        return _URC_NO_REASON; /* a frame of ours */
    unwinding->slots[unwinding->depth] = slot_of(context, address);
    unwinding->addresses[unwinding->depth++] = address;
    return unwinding->depth < CALL_STACK_DEPTH ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static uint32_t distance_after(const struct unwinding *unwinding, unsigned i) {
    if (i + 1 == unwinding->depth)
        return ENDS;
    const uintptr_t *slot = unwinding->slots[i];
    const uintptr_t *next = unwinding->slots[i + 1];
    if (slot == NULL || next <= slot || (uintptr_t)next - (uintptr_t)slot > UINT32_MAX)
        return UNWIND;
    return (uint32_t)((uintptr_t)next - (uintptr_t)slot);
}

static __attribute__((noinline)) call_stack_id unwind(struct call_stack_thread *thread, const void *caller,
                                                      const char *base, uint64_t check) {
    struct tree *in = tree_get();
    struct unwinding unwinding = {.caller = caller};
    call_stack_id id = 0;
    if (in == NULL)
        return 0;
    (void)_Unwind_Backtrace(visit, &unwinding);
    if (unwinding.depth == 0) /* code without unwind tables: the place alone */
        unwinding.addresses[unwinding.depth++] = (uintptr_t)caller;
    if (unwinding.slots[0] != NULL)
        learn_first(in, base, check, unwinding.slots[0]);
    for (unsigned i = 0; i < unwinding.depth; i++) {
        uint32_t next = add_child(in, id, unwinding.addresses[i], distance_after(&unwinding, i));
        const char *slot = (const char *)unwinding.slots[i];
        if (slot != NULL && slot > thread->top)
            thread->top = slot;
        if (next == 0) {
            (void)plc_fetch_add_relaxed(&dropped, UINT64_C(1)); /* relaxed, as all counts */
            break;
        }
        id = next;
    }
    return id;
}

__attribute__((noinline)) call_stack_id call_stack_find(struct call_stack_thread *thread, const void *caller,
                                                        enum call_stack_way way) {
    const char *base = __builtin_frame_address(0);
    uint64_t check = check_of(caller, way);
    struct tree *in = plc_load_acquire(&tree); /* acquire, as above */
    if (PLC_UNLIKELY(in == NULL))
        return unwind(thread, caller, base, check);
    const uintptr_t *slot = first_slot(in, base, check);
    uintptr_t address = (uintptr_t)caller;
    uint32_t node = 0;
    while (slot != NULL && (const char *)slot <= thread->top && (node != 0 || *slot == address)) {
        address = *slot;
        node = find_child(in, node, address);
        uint32_t next = node == 0 ? (uint32_t)UNWIND : plc_load_relaxed(&in->nodes[node].next); /* relaxed: see above */
        if (next == ENDS)
            return node;
        if (next == UNWIND)
            break;
        slot = (const uintptr_t *)(const void *)((const char *)slot + next);
    }
    return unwind(thread, caller, base, check);
}
