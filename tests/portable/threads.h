/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the portable tests share: checks, and threads that all run the same. */
#ifndef PLC_PORTABLE_THREADS_H
#define PLC_PORTABLE_THREADS_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4 };

static void fail(const char *what, const char *file, int line) {
    (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}
#define CHECK(condition) ((condition) ? (void)0 : fail(#condition, __FILE__, __LINE__))

static void run(void *(*body)(void *number)) {
    static char numbers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, body, &numbers[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

#endif
