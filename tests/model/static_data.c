/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Snapshot and restore of the static data of the code under test, so that each execution begins alike. */
#define _GNU_SOURCE
#include "internal.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The checker is a shared object, so all that is writable in the executable belongs to the code under test.
   Instrumented code announces each write, so only the blocks that were written need restoring; code that is not
   instrumented must not write static data. */

enum {
#if defined(PLC_MODEL_COVERAGE)
    BLOCK = 8, /* no block may hold a counter beside data */
#else
    BLOCK = 256,
#endif
    MAX_IMAGE = 4 << 20,
};

static uintptr_t image;
static size_t image_size;
static char *original;
static uint32_t dirty_blocks[MAX_IMAGE / BLOCK];
static uint8_t is_dirty[MAX_IMAGE / BLOCK];
static uint32_t dirty_count;

/* The executable comes first; its writable segment begins with what relocation made read-only. */
static int find_image(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size;
    (void)unused;
    uintptr_t read_only_end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_W)) {
            image = info->dlpi_addr + header->p_vaddr;
            image_size = header->p_memsz;
        } else if (header->p_type == PT_GNU_RELRO) {
            read_only_end = (info->dlpi_addr + header->p_vaddr + header->p_memsz) & ~(uintptr_t)4095;
        }
    }
    if (read_only_end > image) {
        image_size -= read_only_end - image;
        image = read_only_end;
    }
    return 1;
}

void static_data_init(void) {
    dl_iterate_phdr(find_image, NULL);
    if (image_size > MAX_IMAGE || !(original = malloc(image_size))) {
        fprintf(stderr, "mc: %zu bytes of static data are too many\n", image_size);
        exit(2);
    }
    memcpy(original, (const void *)image, image_size);
}

void static_data_dirty(uintptr_t address, size_t size) {
    if (address - image >= image_size || size == 0)
        return;
    size_t first = (address - image) / BLOCK, last = (address - image + size - 1) / BLOCK;
    for (size_t block = first; block <= last && block * BLOCK < image_size; block++) {
        if (!is_dirty[block]) {
            is_dirty[block] = 1;
            dirty_blocks[dirty_count++] = (uint32_t)block;
        }
    }
}

void static_data_restore(void) {
    for (uint32_t i = 0; i < dirty_count; i++) {
        size_t at = (size_t)dirty_blocks[i] * BLOCK;
        size_t length = image_size - at < BLOCK ? image_size - at : BLOCK;
        memcpy((void *)(image + at), original + at, length);
        is_dirty[dirty_blocks[i]] = 0;
    }
    dirty_count = 0;
}
