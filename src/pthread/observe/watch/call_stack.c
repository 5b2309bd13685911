/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unwinds the caller's stack, seldom, and keeps each stack once. */
#include "call_stack.h"

#include "pages.h"

#include <plc/detail/atomic.h>

#include <string.h>
#include <unwind.h>

/* Unwinding costs microseconds, and programs take locks from the same places again and again. So a thread remembers for
   each stack not only the return addresses but also where on the stack they were. The next call from the same place, at the
   same height, has the same stack if every one of those slots holds the same address still: the address in one slot tells
   which function the next frame is, its size, and thereby where the next slot is. (A frame whose size varies could deceive
   this, if an old return address lay in the right place of another frame's unused part. The stack would be one that this
   thread had with the same innermost frames.) Slots are read from the innermost one on, and the next one only if the last
   was right, so that only live frames are read.

   Stacks are kept in one arena that only grows, found by a table of open addressing.

   Memory order
     [CS1] a stack is complete: CAS-release of its table slot -> load-acquire by whoever finds it there. A number that is
          handed on otherwise goes from thread to thread under a lock. */
enum {
    TABLE_SIZE = 1 << 16,
    MOST_STACKS = TABLE_SIZE / 2,
    ARENA_SIZE = 8 << 20, /* in bytes; reserved, and used as it fills */
    UNIT = 8,             /* a number counts units of the arena */
};

struct kept_stack {
    uint32_t hash;
    uint32_t depth;
    uintptr_t addresses[];
};

static char *arena; /* begins with an unused unit: number zero is no stack */
static uint32_t arena_used = 1;
static uint32_t table[TABLE_SIZE];
static uint32_t kept;
static uint64_t dropped;

static char *arena_get(void) {
    char *memory = plc_load_acquire(&arena); /* acquire, only for the pages' sake */
    if (PLC_LIKELY(memory != NULL))
        return memory;
    char *fresh = observe_pages(ARENA_SIZE);
    if (fresh != NULL && !plc_cas_acq_rel_or_acquire(&arena, &memory, fresh)) {
        (void)munmap(fresh, ARENA_SIZE);
        return memory;
    }
    return fresh;
}

static struct kept_stack *stack_at(call_stack_id id) {
    return (struct kept_stack *)(void *)(plc_load_relaxed(&arena) + (size_t)id * UNIT);
}

/* ---- Keeping each stack once */

static uint32_t hash_of(const uintptr_t *addresses, uint32_t depth) {
    uint64_t hash = depth;
    for (uint32_t i = 0; i < depth; i++)
        hash = (hash ^ addresses[i]) * UINT64_C(0x9E3779B97F4A7C15) >> 7 ^ hash << 25;
    return (uint32_t)(hash ^ hash >> 32);
}

static call_stack_id drop(void) {
    (void)plc_fetch_add_relaxed(&dropped, UINT64_C(1)); /* relaxed, as all counts here */
    return 0;
}

static call_stack_id new_stack(const uintptr_t *addresses, uint32_t depth, uint32_t hash) {
    uint32_t units = (uint32_t)((sizeof(struct kept_stack) + depth * sizeof(uintptr_t) + UNIT - 1) / UNIT);
    if (arena_get() == NULL || plc_load_relaxed(&kept) >= MOST_STACKS)
        return drop();
    uint32_t id = plc_fetch_add_relaxed(&arena_used, units);
    if (id > ARENA_SIZE / UNIT - units) {
        plc_store_relaxed(&kept, (uint32_t)MOST_STACKS); /* whoever comes later need not try */
        return drop();
    }
    struct kept_stack *stack = stack_at(id);
    stack->hash = hash;
    stack->depth = depth;
    memcpy(stack->addresses, addresses, depth * sizeof *addresses);
    (void)plc_fetch_add_relaxed(&kept, 1u);
    return id;
}

static bool is_same(call_stack_id id, const uintptr_t *addresses, uint32_t depth, uint32_t hash) {
    const struct kept_stack *stack = stack_at(id);
    return stack->hash == hash && stack->depth == depth &&
           memcmp(stack->addresses, addresses, depth * sizeof *addresses) == 0;
}

/* If two threads bring the same stack at once, one of the copies is never used. */
static call_stack_id intern(const uintptr_t *addresses, uint32_t depth) {
    uint32_t hash = hash_of(addresses, depth);
    call_stack_id mine = 0;
    for (uint32_t i = hash % TABLE_SIZE;; i = (i + 1) % TABLE_SIZE) {
        call_stack_id id = plc_load_acquire(&table[i]); /* acquire [CS1] */
        if (id == 0) {
            if (mine == 0)
                mine = new_stack(addresses, depth, hash);
            if (mine == 0 || plc_cas_release_or_acquire(&table[i], &id, mine)) /* release [CS1], acquire [CS1] */
                return mine;
        }
        if (is_same(id, addresses, depth, hash))
            return id;
    }
}

const uintptr_t *call_stack_addresses(call_stack_id id, unsigned *depth) {
    if (id == 0) {
        *depth = 0;
        return NULL;
    }
    const struct kept_stack *stack = stack_at(id);
    *depth = stack->depth;
    return stack->addresses;
}

uint64_t call_stacks_dropped(void) {
    return plc_load_relaxed(&dropped);
}

/* ---- Unwinding */

struct unwinding {
    struct remembered_stack *stack;
    bool has_begun;  /* our own frames are passed */
    bool is_certain; /* each address was found in its slot */
};

/* The slot above which the caller of this frame continues. Only where a call pushes its return address. */
static const uintptr_t *slot_of(struct _Unwind_Context *context) {
#if defined(__x86_64__)
    return (const uintptr_t *)(uintptr_t)(_Unwind_GetCFA(context) - sizeof(uintptr_t));
#else
    (void)context;
    return NULL;
#endif
}

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument) {
    struct unwinding *unwinding = argument;
    struct remembered_stack *stack = unwinding->stack;
    uintptr_t address = _Unwind_GetIP(context);
    if (address == 0)
        return _URC_END_OF_STACK;
    if (!unwinding->has_begun && address != (uintptr_t)stack->caller)
        return _URC_NO_REASON;
    unwinding->has_begun = true;
    const uintptr_t *slot = slot_of(context);
    uintptr_t above = (uintptr_t)slot - (uintptr_t)stack->base;
    if (slot == NULL || (uintptr_t)slot % sizeof *slot != 0 || above >= UINT32_MAX || *slot != address)
        unwinding->is_certain = false;
    stack->addresses[stack->depth] = address;
    stack->slots[stack->depth] = (uint32_t)above;
    stack->depth++;
    return stack->depth < CALL_STACK_DEPTH ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static bool is_still(const struct remembered_stack *stack, const void *caller, const char *base) {
    if (stack->id == 0 || stack->caller != caller || stack->base != base)
        return false;
    for (uint32_t i = 0; i < stack->depth; i++)
        if (*(const uintptr_t *)(const void *)(base + stack->slots[i]) != stack->addresses[i])
            return false;
    return true;
}

static call_stack_id unwind(struct remembered_stack *stack, const void *caller, const char *base) {
    struct unwinding unwinding = {stack, false, true};
    stack->caller = caller;
    stack->base = base;
    stack->id = 0;
    stack->depth = 0;
    (void)_Unwind_Backtrace(visit, &unwinding);
    if (stack->depth == 0) { /* code without unwind tables: the place alone */
        stack->addresses[0] = (uintptr_t)caller;
        stack->depth = 1;
        unwinding.is_certain = false;
    }
    call_stack_id id = intern(stack->addresses, stack->depth);
    if (unwinding.is_certain)
        stack->id = id;
    return id;
}

__attribute__((noinline)) call_stack_id call_stack_find(struct call_stack_memory *memory, const void *caller) {
    const char *base = __builtin_frame_address(0);
    uint64_t hash =
        ((uint64_t)(uintptr_t)caller ^ (uint64_t)(uintptr_t)base << 20) * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci */
    struct remembered_stack *stack = &memory->stacks[(hash >> 32) % CALL_STACK_REMEMBERED];
    return PLC_LIKELY(is_still(stack, caller, base)) ? stack->id : unwind(stack, caller, base);
}
