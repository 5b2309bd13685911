/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A library whose constructor locks: it runs before the constructor of a preloaded drop-in. */
#include "startup.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

static int used_by_library = -1;

static void nothing(void) {}

/* Every family, and one object of glibc's: its functions must be found although no constructor ran. */
int startup_use_everything(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_mutex_t shared;
    pthread_mutexattr_t attributes;
    const struct timespec past = {1, 0};
    int failures = 0;
    errno = 4711;
    failures += pthread_mutex_lock(&mutex) != 0;
    failures += pthread_mutex_trylock(&mutex) != EBUSY;
    failures += pthread_cond_timedwait(&cond, &mutex, &past) != ETIMEDOUT;
    failures += pthread_cond_signal(&cond) != 0;
    failures += pthread_mutex_unlock(&mutex) != 0;
    failures += pthread_mutex_lock(&recursive) != 0;
    failures += pthread_mutex_lock(&recursive) != 0;
    failures += pthread_mutex_unlock(&recursive) != 0;
    failures += pthread_mutex_unlock(&recursive) != 0;
    failures += pthread_rwlock_rdlock(&rwlock) != 0;
    failures += pthread_rwlock_trywrlock(&rwlock) != EBUSY;
    failures += pthread_rwlock_unlock(&rwlock) != 0;
    failures += pthread_once(&once, nothing) != 0;
    failures += pthread_mutexattr_init(&attributes) != 0;
    failures += pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) != 0;
    failures += pthread_mutex_init(&shared, &attributes) != 0;
    failures += pthread_mutex_lock(&shared) != 0;
    failures += pthread_mutex_trylock(&shared) != EBUSY;
    failures += pthread_mutex_unlock(&shared) != 0;
    failures += pthread_mutex_destroy(&shared) != 0;
    failures += errno != 4711;
    return failures;
}

__attribute__((constructor(101))) static void early(void) {
    used_by_library = startup_use_everything();
}

int startup_failures_of_library(void) {
    return used_by_library;
}
