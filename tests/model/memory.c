/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The C11 memory model (repaired as in RC11): which stores a load may see, and what a thread learns by it. */
#include "internal.h"

#include <string.h>

/* How it works
 *
 *   Each location keeps its stores. A store's stamp is its place in modification order; a new one may go in between
 * older ones, because the order of two stores by different threads that do not know of each other is free. Each thread
 * has views (internal.h). It may read any store that is not older than the newest it knows of at this location, and
 * must place its own stores after that one: that is coherence, and the only limit on relaxed accesses.
 *
 *   A release store hands on the thread's view, a relaxed one what the thread knew at its last release fence. A
 * read-modify-write hands on the view of the store it read as well: the release sequence (C++20's: a plain store by the
 * same thread ends the sequence). An acquire load joins the view of the store that it read; a relaxed one puts it by
 * for the next acquire fence.
 *
 *   A read-modify-write goes right after the store it read, and nothing may come between later. A compare-exchange that
 * fails is a load, and may be stale.
 *
 *   Sequential consistency: the order in which the steps are executed is the order S. A fence raises the thread's floor
 * to that of all fences and seq_cst stores before, and the common floor to its own; it makes nothing happen before.
 * See README.md for how close this is to the standard. */

/* Between two neighbours there is room for 20 generations of insertions, and for 4000 stores in a row. */
enum { STAMP_GAP = 1 << 20 };

bool order_acquires(int order) {
    return order == ACQUIRE || order == CONSUME || order == ACQ_REL || order == SEQ_CST;
}

bool order_releases(int order) {
    return order == RELEASE || order == ACQ_REL || order == SEQ_CST;
}

/* Memory itself always holds the newest store in modification order, for debuggers and for code that runs after. */
uint64_t memory_read(uintptr_t address, uint8_t size) {
    uint64_t value = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&value, (const void *)address, size);
#else
    memcpy((char *)&value + 8 - size, (const void *)address, size);
#endif
    return value;
}

void memory_write(uintptr_t address, uint8_t size, uint64_t value) {
    static_data_dirty(address, size);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy((void *)address, &value, size);
#else
    memcpy((void *)address, (const char *)&value + 8 - size, size);
#endif
}

void memory_reset(void) {
    mc.location_count = 0;
    memset(mc.sequential, 0, sizeof mc.sequential);
}

/* The location of the atomic object at this address, which the first access makes. */
uint8_t memory_location(uintptr_t address, uint8_t size) {
    uint8_t *slot = race_location_slot(address);
    if (*slot) {
        struct location *known = &mc.locations[*slot - 1];
        if (known->address == address && known->size == size)
            return (uint8_t)(*slot - 1);
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "atomic accesses of different sizes overlap at %#lx",
                         (unsigned long)address);
    }
    if (mc.location_count == MAX_LOCATIONS)
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "more than %d atomic objects", MAX_LOCATIONS);
    uint8_t number = (uint8_t)mc.location_count++;
    struct location *location = &mc.locations[number];
    location->address = address;
    location->size = size;
    location->last_stamp = 0;
    location->reload = true;
    location->contended = contention_known(address);
    for (uint8_t i = 0; i < size; i++)
        *race_location_slot(address + i) = (uint8_t)(number + 1);
    return number;
}

/* Plain code is about to write the object. Whoever may access it from now on knows of this write, or there is a race:
   the old stores are out of everyone's reach. */
void memory_forget(uint8_t location) {
    mc.locations[location].reload = true;
}

struct location *memory_refreshed(uint8_t number) {
    struct location *location = &mc.locations[number];
    if (location->reload) {
        struct store *first = &location->stores[0];
        memset(first, 0, sizeof *first);
        first->value = memory_read(location->address, location->size);
        location->last_stamp += STAMP_GAP;
        first->stamp = location->last_stamp;
        location->count = 1;
        location->newest = 0;
        location->reload = false;
    }
    return location;
}

static uint32_t floor_of(const struct thread *thread, const struct operation *op, int order) {
    uint32_t own = thread->current.seen[op->location];
    uint32_t common = mc.sequential[op->location];
    return order == SEQ_CST && common > own ? common : own;
}

static struct choices cas_choices(const struct thread *thread, const struct operation *op,
                                  const struct location *location) {
    struct choices found = {0, 0};
    uint32_t success_floor = floor_of(thread, op, op->order);
    uint32_t failure_floor = floor_of(thread, op, op->failure_order);
    bool may_fail_spuriously = op->weak && mc.weak_failures_used < mc.options.weak_failures;
    for (int i = 0; i < location->count; i++) {
        const struct store *store = &location->stores[i];
        if (store->value != op->expected) {
            if (store->stamp >= failure_floor)
                found.normal |= UINT64_C(1) << i;
        } else {
            if (!store->taken && store->stamp >= success_floor)
                found.normal |= UINT64_C(1) << i;
            if (may_fail_spuriously && store->stamp >= failure_floor)
                found.odd |= UINT64_C(1) << i;
        }
    }
    return found;
}

/* The stores that a load may read, a read-modify-write may change, or a plain store may be placed after. */
struct choices memory_choices(const struct thread *thread, const struct operation *op) {
    const struct location *location = memory_refreshed(op->location);
    if (op->kind == OP_CAS)
        return cas_choices(thread, op, location);
    struct choices found = {0, 0};
    uint32_t lowest = floor_of(thread, op, op->order);
    for (int i = 0; i < location->count; i++) {
        const struct store *store = &location->stores[i];
        if (store->stamp >= lowest && (op->kind == OP_LOAD || !store->taken))
            found.normal |= UINT64_C(1) << i;
    }
    return found;
}

static void read_store(struct thread *thread, uint8_t number, const struct store *store, int order) {
    if (thread->current.seen[number] < store->stamp)
        thread->current.seen[number] = store->stamp;
    view_join(&thread->acquirable, &store->released);
    if (order_acquires(order))
        view_join(&thread->current, &store->released);
}

static uint32_t stamp_after(const struct location *location, int predecessor) {
    uint32_t before = location->stores[predecessor].stamp;
    uint32_t next = 0;
    for (int i = 0; i < location->count; i++) {
        uint32_t stamp = location->stores[i].stamp;
        if (stamp > before && (next == 0 || stamp < next))
            next = stamp;
    }
    if (next == 0)
        return before + STAMP_GAP;
    if (next - before < 2)
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "too many stores between two others in modification order");
    return before + (next - before) / 2;
}

/* Adds a store right after store `predecessor`, which a read-modify-write has read. */
static void add_store(struct thread *thread, const struct operation *op, int predecessor, uint64_t value) {
    struct location *location = &mc.locations[op->location];
    if (location->count == MAX_STORES)
        execution_failed(MC_MODEL_LIMIT, op->site, NULL, "more than %d stores to one object", MAX_STORES);
    int number = location->count;
    struct store *store = &location->stores[number];
    if (location->contended && value != location->stores[location->newest].value)
        note_change(thread);
    store->stamp = stamp_after(location, predecessor);
    location->count++;
    store->value = value;
    store->taken = false;
    store->step = (uint32_t)mc.step;
    thread->current.seen[op->location] = store->stamp;
    store->released = order_releases(op->order) ? thread->current : thread->released;
    store->released.seen[op->location] = store->stamp;
    if (op->kind != OP_STORE) {
        struct store *read = &location->stores[predecessor];
        read->taken = true;
        view_join(&store->released, &read->released);
    }
    if (op->order == SEQ_CST && mc.sequential[op->location] < store->stamp)
        mc.sequential[op->location] = store->stamp;
    if (store->stamp > location->last_stamp) {
        location->last_stamp = store->stamp;
        location->newest = (uint8_t)number;
        memory_write(location->address, location->size, value);
    }
}

uint64_t memory_apply(int rmw, uint64_t old, uint64_t operand, uint8_t size) {
    uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
    switch (rmw) {
    case RMW_ADD:
        return (old + operand) & mask;
    case RMW_SUB:
        return (old - operand) & mask;
    case RMW_AND:
        return old & operand & mask;
    case RMW_OR:
        return (old | operand) & mask;
    case RMW_XOR:
        return (old ^ operand) & mask;
    case RMW_NAND:
        return ~(old & operand) & mask;
    default:
        return operand & mask;
    }
}

void memory_execute(struct thread *thread, struct operation *op, struct choice choice) {
    struct location *location = memory_refreshed(op->location);
    struct store *store = &location->stores[choice.index];
    bool fails = op->kind == OP_CAS && (choice.odd || store->value != op->expected);
    race_atomic(op, op->kind != OP_LOAD && !fails);
    mc.weak_failures_used += choice.odd;
    op->result = store->value;
    op->success = !fails;
    if (op->kind == OP_LOAD || fails) {
        read_store(thread, op->location, store, fails ? op->failure_order : op->order);
        return;
    }
    if (op->kind == OP_STORE) {
        add_store(thread, op, choice.index, op->operand);
        return;
    }
    uint64_t value = op->kind == OP_CAS ? op->operand : memory_apply(op->rmw, store->value, op->operand, op->size);
    read_store(thread, op->location, store, op->order);
    add_store(thread, op, choice.index, value);
}

static void agree_on_floor(struct thread *thread) {
    for (int i = 0; i < MAX_LOCATIONS; i++) {
        uint32_t *own = &thread->current.seen[i];
        if (*own < mc.sequential[i])
            *own = mc.sequential[i];
        mc.sequential[i] = *own;
    }
}

void memory_fence(struct thread *thread, int order) {
    if (order_acquires(order))
        view_join(&thread->current, &thread->acquirable);
    if (order == SEQ_CST)
        agree_on_floor(thread);
    if (order_releases(order))
        thread->released = thread->current;
}

void memory_process_barrier(struct thread *thread) {
    memory_fence(thread, SEQ_CST);
    for (int i = 0; i < mc.threads; i++)
        agree_on_floor(&mc.thread[i]);
    memory_fence(thread, SEQ_CST);
}
