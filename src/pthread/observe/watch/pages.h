/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory for the observers: never from the heap, which may be what takes the lock. */
#ifndef PLC_OBSERVE_PAGES_H
#define PLC_OBSERVE_PAGES_H

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

/* Zeroed, and used as it is touched; null if there is none. Keeps errno. */
static inline void *observe_pages(size_t size) {
    int saved_errno = errno;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved_errno;
    return pages == MAP_FAILED ? NULL : pages;
}

#endif
