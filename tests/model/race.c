/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Data races and uses after the end of a lifetime: the past accesses of each byte. */
#include "internal.h"

#include <string.h>

/* A cell stands for eight aligned bytes and remembers, for each kind of access, who accessed which of them at which
   step of its own. Two accesses conflict when one is a write and not both are atomic; a conflict is a race unless the
   earlier one happened before the later. Since happens-before is the same in all equivalent schedules, it is enough
   that one schedule of each class is run. */

enum access_kind { READ, WRITE, ATOMIC_READ, ATOMIC_WRITE, LIFETIME_END };

struct access {
    const void *site;
    uint32_t epoch;
    uint8_t thread, kind, bytes; /* bytes: a bit for each */
};

enum { MAX_ACCESSES = 24, CELLS = 1 << 14 };

struct cell {
    uintptr_t word; /* address / 8 */
    uint32_t execution;
    uint8_t count;
    uint8_t locations[8]; /* which location begins or extends here, plus one: memory.c's index */
    struct access accesses[MAX_ACCESSES];
};

static struct cell cells[CELLS];
static uint32_t execution; /* cells of earlier executions count as empty */
static int used;

void race_reset(void) {
    used = 0;
    if (++execution == 0) {
        memset(cells, 0, sizeof cells);
        execution = 1;
    }
}

static struct cell *find_cell(uintptr_t word) {
    uint32_t at = (uint32_t)((word * UINT64_C(0x9E3779B97F4A7C15)) >> 50);
    for (;; at = (at + 1) % CELLS) {
        struct cell *cell = &cells[at];
        if (cell->execution != execution) {
            if (++used > CELLS / 2)
                execution_failed(MC_MODEL_LIMIT, NULL, NULL, "more than %d words touched", CELLS / 2);
            cell->word = word;
            cell->execution = execution;
            cell->count = 0;
            memset(cell->locations, 0, sizeof cell->locations);
            return cell;
        }
        if (cell->word == word)
            return cell;
    }
}

/* The same cell is often asked for twice: what an operation touches, and which atomic object is there. */
static struct cell *cell_of(uintptr_t address) {
    static struct cell *recent = cells;
    uintptr_t word = address / 8;
    if (recent->word != word || recent->execution != execution)
        recent = find_cell(word);
    return recent;
}

uint8_t *race_location_slot(uintptr_t address) {
    return &cell_of(address)->locations[address % 8];
}

static bool is_atomic(int kind) {
    return kind == ATOMIC_READ || kind == ATOMIC_WRITE;
}

static bool is_read(int kind) {
    return kind == READ || kind == ATOMIC_READ;
}

static const char *kind_name(int kind) {
    static const char *const names[] = {"read", "write", "atomic read", "atomic write", "end of lifetime"};
    return names[kind];
}

/* Two unordered atomic accesses are no race, but contention. */
static void note_contention(const struct cell *cell, uintptr_t address) {
    const struct location *location = &mc.locations[cell->locations[address % 8] - 1];
    if (!location->contended)
        contention_found(location->address);
}

/* A touch by someone who knows that the lifetime ended is wrong as well, unless it is a plain write or an atomic store,
   which may begin a new lifetime. On stacks only unordered touches count: clang does not announce the writes that begin
   the next life there. */
static void check(const struct cell *cell, uint8_t bytes, int kind, bool reads, uintptr_t address, const void *site) {
    const uint32_t *clock = mc.thread[mc.current].current.clock;
    for (int i = 0; i < cell->count; i++) {
        const struct access *past = &cell->accesses[i];
        if (!(past->bytes & bytes))
            continue;
        bool ordered = past->epoch <= clock[past->thread]; /* true of its own */
        if (ordered && !(past->kind == LIFETIME_END && reads && !fiber_owns(address)))
            continue;
        if (past->kind == LIFETIME_END)
            execution_failed(MC_USE_AFTER_FREE, site, past->site, "T%d: %s of %#lx, whose lifetime T%d ended",
                             mc.current, kind_name(kind), (unsigned long)address, past->thread);
        if (is_read(past->kind) && is_read(kind))
            continue;
        if (is_atomic(past->kind) && is_atomic(kind)) {
            note_contention(cell, address);
            continue;
        }
        execution_failed(kind == LIFETIME_END ? MC_USE_AFTER_FREE : MC_RACE, site, past->site,
                         "T%d: %s of %#lx, not ordered after the %s by T%d", mc.current, kind_name(kind),
                         (unsigned long)address, kind_name(past->kind), past->thread);
    }
}

/* Later checks need not see an access, in the bytes of the new one that covers it: any plain write does (whoever
   races with the old access races with the write, or is ordered after both), or by the same thread's access of the
   same or a stronger kind. */
static bool covers(const struct access *newer, const struct access *older) {
    if (newer->kind == WRITE || newer->kind == LIFETIME_END)
        return true;
    if (older->kind == LIFETIME_END)
        return newer->kind == ATOMIC_WRITE; /* a new life */
    return older->thread == newer->thread &&
           (older->kind == newer->kind || (older->kind == ATOMIC_READ && newer->kind == ATOMIC_WRITE));
}

static void record(struct cell *cell, uint8_t bytes, int kind, const void *site) {
    struct access access = {site, mc.thread[mc.current].current.clock[mc.current], (uint8_t)mc.current, (uint8_t)kind,
                            bytes};
    int kept = 0;
    for (int i = 0; i < cell->count; i++) {
        struct access *past = &cell->accesses[i];
        if (past->bytes & bytes && covers(&access, past))
            past->bytes &= (uint8_t)~bytes;
        if (!past->bytes)
            continue;
        if (kept != i)
            cell->accesses[kept] = *past;
        kept++;
    }
    if (kept == MAX_ACCESSES)
        execution_failed(MC_MODEL_LIMIT, site, NULL, "too many different accesses to one word");
    cell->accesses[kept] = access;
    cell->count = (uint8_t)(kept + 1);
}

/* Loops and neighbouring fields touch the same word again and again between two steps. Then nothing is new: there has
   been nobody else since, and whoever races with this access races with the one that is known. */
static bool is_repetition(const struct cell *cell, uint8_t bytes, int kind) {
    const uint32_t epoch = mc.thread[mc.current].current.clock[mc.current];
    for (int i = cell->count - 1; i >= 0; i--) {
        const struct access *past = &cell->accesses[i];
        if (past->thread != mc.current || past->epoch != epoch)
            return false;
        if (!(bytes & ~past->bytes) && (past->kind == kind || (past->kind == WRITE && kind == READ)))
            return true;
    }
    return false;
}

/* Plain code writes here: whatever atomic objects there are begin anew. */
static void forget_atomics(const struct cell *cell, size_t offset, size_t size) {
    static const uint8_t none[8];
    if (memcmp(cell->locations, none, sizeof none) == 0)
        return;
    for (size_t i = offset; i < offset + size; i++) {
        if (cell->locations[i])
            memory_forget((uint8_t)(cell->locations[i] - 1));
    }
}

static void touch(uintptr_t address, size_t size, int kind, bool reads, const void *site) {
    while (size) {
        size_t offset = address % 8;
        size_t part = size < 8 - offset ? size : 8 - offset;
        uint8_t bytes = (uint8_t)(((1u << part) - 1) << offset);
        struct cell *cell = cell_of(address);
        if (!is_repetition(cell, bytes, kind)) {
            check(cell, bytes, kind, reads, address, site);
            record(cell, bytes, kind, site);
        }
        if (kind == WRITE || kind == LIFETIME_END)
            forget_atomics(cell, offset, part);
        address += part;
        size -= part;
    }
}

void race_plain(uintptr_t address, size_t size, bool write, const void *site) {
    touch(address, size, write ? WRITE : READ, !write, site);
}

void race_atomic(const struct operation *op, bool writes) {
    touch(op->address, op->size, writes ? ATOMIC_WRITE : ATOMIC_READ, op->kind != OP_STORE, op->site);
}

void race_lifetime_end(uintptr_t address, size_t size, const void *site) {
    touch(address, size, LIFETIME_END, false, site);
}
