/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Prints the file that pthread_mutex_lock comes from, after having used it. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

int main(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    Dl_info info;
    void *function = dlsym(RTLD_DEFAULT, "pthread_mutex_lock");
    if (pthread_mutex_lock(&mutex) != 0 || pthread_mutex_unlock(&mutex) != 0)
        return 1;
    if (function == NULL || dladdr(function, &info) == 0)
        return 1;
    return puts(info.dli_fname) == EOF;
}
