/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which atomic objects threads really contend for: only their operations need to be steps of the search. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An atomic object whose accesses are all ordered by something else (it is only ever read, it belongs to one thread, it
   is guarded by a lock) behaves like plain memory: when its accesses take place makes no difference. As with plain
   memory nobody need be interrupted there. The search starts by assuming this of every object. The first time that two
   accesses conflict and are not ordered, or that an access has a choice of stores, the object is known to be contended
   and the search starts again. A search that comes to its end has proved its assumptions: the first unordered access of
   any execution comes after steps that the search did take, in some equivalent order. */

enum { MAX_CONTENDED = 256 };

/* Stands for every object: the child of a fork sees all of memory as it is at one moment. */
#define EVERYTHING ((uintptr_t)1)

static uintptr_t contended[MAX_CONTENDED];
static int count;

void contention_reset(void) {
    count = 0;
}

bool contention_known(uintptr_t address) {
    for (int i = 0; i < count; i++) {
        if (contended[i] == address || contended[i] == EVERYTHING)
            return true;
    }
    return mc.options.naive;
}

static void add(uintptr_t address) {
    if (count < MAX_CONTENDED)
        contended[count++] = address;
}

_Noreturn void contention_found(uintptr_t address) {
    if (count == MAX_CONTENDED)
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "more than %d contended objects", MAX_CONTENDED);
    add(address);
    mc.restart = true;
    execution_leave();
}

void contention_everywhere(void) {
    if (!contention_known(EVERYTHING))
        contention_found(EVERYTHING);
}

/* Part of a printed schedule, which would not fit if other objects were contended. */
void contention_print(void) {
    for (int i = 0; i < count; i++)
        printf("%c%lx", i ? ',' : '@', (unsigned long)contended[i]);
}

const char *contention_parse(const char *text) {
    while (*text == '@' || *text == ',') {
        char *end;
        add(strtoul(text + 1, &end, 16));
        text = end;
    }
    return text;
}
