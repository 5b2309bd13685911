/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* many_locks COUNT [static|shared]: so many mutexes, each initialised (unless static), taken twice, and left; a
   profiler must bear with it. shared: as many rwlocks and mutexes, which four threads take for the first time at the
   same moment. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 2 };

static struct shared {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
} * shared;
static size_t shared_count;
static pthread_barrier_t together;

/* Objects are inserted into the profile's tables by whoever comes first, and nothing may be counted twice or lost. */
static void *take_all(void *unused) {
    (void)pthread_barrier_wait(&together);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < shared_count; i++) {
            if (pthread_rwlock_rdlock(&shared[i].rwlock) != 0 || pthread_rwlock_unlock(&shared[i].rwlock) != 0 ||
                pthread_mutex_lock(&shared[i].mutex) != 0 || pthread_mutex_unlock(&shared[i].mutex) != 0)
                abort();
        }
    }
    return unused;
}

static int take_together(size_t count) {
    pthread_t threads[THREADS];
    shared = calloc(count, sizeof *shared);
    shared_count = count;
    if (shared == NULL || pthread_barrier_init(&together, NULL, THREADS) != 0)
        return 1;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, take_all, NULL) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    return 0;
}

int main(int argc, char **argv) {
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    int is_static = argc > 2 && strcmp(argv[2], "static") == 0;
    if (argc > 2 && strcmp(argv[2], "shared") == 0)
        return take_together(count);
    pthread_mutex_t *locks = calloc(count, sizeof *locks); /* zeroed is PTHREAD_MUTEX_INITIALIZER */
    if (locks == NULL)
        return 1;
    for (size_t i = 0; i < count && !is_static; i++)
        if (pthread_mutex_init(&locks[i], NULL) != 0)
            return 1;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            if (pthread_mutex_lock(&locks[i]) != 0 || pthread_mutex_unlock(&locks[i]) != 0)
                return 1;
        }
    }
    free(locks);
    return 0;
}
