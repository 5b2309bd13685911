/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The directory of cache lines: MESI without the bus. */
#include "lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_SIZE = 1 << 16, MAX_NAMES = 64 };

struct line {
    uintptr_t number; /* 0: unused entry */
    uint64_t readers; /* a bit for each processor that has it */
    int writer;       /* the one that alone has it and may write it, or -1 */
    int64_t free_at;  /* it is on its way until then */
};

struct name {
    uintptr_t first, last;
    enum sim_kind kind;
};

static struct line table[TABLE_SIZE];
static size_t used;
static struct name names[MAX_NAMES];
static size_t name_count;
static uint64_t counts[SIM_KINDS];

void lines_reset(void) {
    memset(table, 0, sizeof table);
    memset(counts, 0, sizeof counts);
    used = 0;
}

void lines_name(const void *object, size_t size, enum sim_kind kind) {
    uintptr_t first = (uintptr_t)object / SIM_LINE;
    uintptr_t last = ((uintptr_t)object + size - 1) / SIM_LINE;
    for (size_t i = 0; i < name_count; i++) {
        if (names[i].first == first && names[i].last == last)
            return;
    }
    if (name_count == MAX_NAMES)
        abort();
    names[name_count++] = (struct name){first, last, kind};
}

static enum sim_kind kind_of(uintptr_t number) {
    for (size_t i = 0; i < name_count; i++) {
        if (number >= names[i].first && number <= names[i].last)
            return names[i].kind;
    }
    return SIM_OTHER;
}

void lines_start_counting(void) {
    memset(counts, 0, sizeof counts);
}

void lines_counts(uint64_t remote[SIM_KINDS]) {
    memcpy(remote, counts, sizeof counts);
}

static struct line *find(uintptr_t number) {
    size_t at = (size_t)((number * UINT64_C(0x9E3779B97F4A7C15)) >> 48);
    while (table[at].number && table[at].number != number)
        at = (at + 1) % TABLE_SIZE;
    if (!table[at].number) {
        if (++used > TABLE_SIZE / 2) {
            fprintf(stderr, "simulator: more than %d lines\n", TABLE_SIZE / 2);
            abort();
        }
        table[at] = (struct line){number, 0, -1, 0};
    }
    return &table[at];
}

int64_t lines_access(uintptr_t address, int processor, enum sim_access how, int64_t now) {
    struct line *line = find(address / SIM_LINE);
    uint64_t self = UINT64_C(1) << processor;
    bool is_there = how == SIM_READ ? (line->readers & self) != 0 : line->writer == processor;
    bool is_new = line->readers == 0;
    int64_t cost = how == SIM_MODIFY ? SIM_MODIFY_NS : SIM_HIT_NS;
    if (is_there || is_new) { /* a line that nobody has had yet is nobody's doing */
        line->readers = is_new ? self : line->readers;
        line->writer = is_new ? processor : line->writer;
        return now + cost;
    }
    counts[kind_of(line->number)]++;
    if (now < line->free_at)
        now = line->free_at;
    line->free_at = now + SIM_TRANSFER_NS;
    if (how == SIM_READ) {
        line->readers |= self;
        line->writer = -1;
    } else {
        line->readers = self;
        line->writer = processor;
    }
    return line->free_at + cost;
}
