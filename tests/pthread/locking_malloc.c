/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A malloc that takes a pthread mutex, as jemalloc's does, and aborts when a lock comes back to it for memory. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Never gives memory back: each block is carved off the arena, after a word with its size. */
enum { ALIGNMENT = 16, ARENA_SIZE = 1 << 30 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char *arena;
static size_t used;
static __thread int is_inside __attribute__((tls_model("initial-exec")));

static void *carve(size_t size, size_t alignment) {
    if (arena == NULL) {
        arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (arena == MAP_FAILED)
            abort();
    }
    size_t start = (used + ALIGNMENT + alignment - 1) / alignment * alignment;
    if (size > ARENA_SIZE || start + size > ARENA_SIZE)
        return NULL;
    used = start + size;
    memcpy(arena + start - sizeof size, &size, sizeof size);
    return arena + start;
}

static void *allocate(size_t size, size_t alignment) {
    static const char complaint[] = "locking_malloc: a lock asked for memory\n";
    if (is_inside) {
        (void)!write(STDERR_FILENO, complaint, sizeof complaint - 1);
        _exit(99);
    }
    is_inside = 1;
    pthread_mutex_lock(&mutex);
    void *block = carve(size, alignment);
    pthread_mutex_unlock(&mutex);
    is_inside = 0;
    return block;
}

void *malloc(size_t size) {
    return allocate(size, ALIGNMENT);
}

void free(void *block) {
    (void)block;
}

void *calloc(size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return allocate(count * size, ALIGNMENT); /* fresh memory of mmap is zero */
}

void *realloc(void *block, size_t size) {
    size_t old_size = 0;
    void *copy = allocate(size, ALIGNMENT);
    if (block == NULL || copy == NULL)
        return copy;
    memcpy(&old_size, (char *)block - sizeof old_size, sizeof old_size);
    return memcpy(copy, block, old_size < size ? old_size : size);
}

void *memalign(size_t alignment, size_t size) {
    return allocate(size, alignment < ALIGNMENT ? ALIGNMENT : alignment);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    *block = memalign(alignment, size);
    return *block == NULL ? 12 : 0; /* ENOMEM */
}
