/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unwinds the calling thread's stack with the compiler's own unwinder. */
#include "stack.h"

#include <link.h>
#include <unwind.h>

static uintptr_t our_begin;
static uintptr_t our_end;

struct walk {
    uintptr_t *frames;
    unsigned count;
    unsigned most;
};

bool observe_stack_is_ours(uintptr_t address) {
    return address >= our_begin && address < our_end;
}

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *argument) {
    struct walk *walk = argument;
    uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    if (address == 0)
        return _URC_END_OF_STACK;
    if (walk->count == 0 && observe_stack_is_ours(address))
        return _URC_NO_REASON;
    walk->frames[walk->count++] = address;
    return walk->count == walk->most ? _URC_END_OF_STACK : _URC_NO_REASON;
}

unsigned observe_stack(uintptr_t *frames, unsigned most) {
    struct walk walk = {frames, 0, most};
    (void)_Unwind_Backtrace(step, &walk);
    return walk.count;
}

/* Called for each loaded object; ours is the one that holds this very function. */
static int find_ours(struct dl_phdr_info *info, size_t size, void *unused) {
    uintptr_t here = (uintptr_t)&observe_stack_start;
    uintptr_t begin = UINTPTR_MAX;
    uintptr_t end = 0;
    (void)size;
    (void)unused;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t address = (uintptr_t)info->dlpi_addr + (uintptr_t)segment->p_vaddr;
        if (segment->p_type != PT_LOAD)
            continue;
        begin = address < begin ? address : begin;
        end = address + segment->p_memsz > end ? address + (uintptr_t)segment->p_memsz : end;
    }
    if (here < begin || here >= end)
        return 0;
    our_begin = begin;
    our_end = end;
    return 1;
}

void observe_stack_start(void) {
    uintptr_t frames[4];
    (void)dl_iterate_phdr(find_ours, NULL);
    (void)observe_stack(frames, sizeof frames / sizeof frames[0]);
}
