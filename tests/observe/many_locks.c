/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* many_locks COUNT [static]: so many mutexes, each initialised (unless static), taken twice, and left; a profiler must bear with it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    int is_static = argc > 2 && strcmp(argv[2], "static") == 0;
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
