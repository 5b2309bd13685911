/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Somebody else's interposer in front of the drop-in, as a tracer or a sanitizer would be: counts and passes on. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static int (*next_lock)(pthread_mutex_t *);
static int (*next_unlock)(pthread_mutex_t *);
static __thread int depth __attribute__((tls_model("initial-exec")));
static unsigned long calls;

static void find(void) {
    *(void **)&next_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    *(void **)&next_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    if (next_lock == NULL || next_unlock == NULL)
        abort();
}

static int pass_on(int (**next)(pthread_mutex_t *), pthread_mutex_t *mutex) {
    if (*next == NULL)
        find();
    if (++depth > 2)
        abort(); /* the drop-in came back to us */
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    int code = (*next)(mutex);
    depth--;
    return code;
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    return pass_on(&next_lock, mutex);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    return pass_on(&next_unlock, mutex);
}

__attribute__((destructor)) static void end(void) {
    static const char complaint[] = "interposer: nobody came by\n";
    if (calls == 0) {
        (void)!write(STDERR_FILENO, complaint, sizeof complaint - 1);
        _exit(98);
    }
}
