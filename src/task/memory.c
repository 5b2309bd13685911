/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where libplc's few allocations come from. Set before anything allocates (plc_set_allocator), so plain. */
#include "task/memory.h"

#include <plc/unparker.h>
#include <stdlib.h>

static void *(*allocate)(size_t size) = malloc;
static void (*release)(void *memory) = free;

void plc_set_allocator(void *(*new_allocate)(size_t size), void (*new_release)(void *memory)) {
    allocate = new_allocate;
    release = new_release;
}

void *plc_allocate(size_t size) {
    return allocate(size);
}

void plc_release(void *memory) {
    release(memory);
}
