/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Locks before any constructor ran, in constructors, in main, in exit handlers and in destructors. */
#include "startup.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int used_before_constructors = -1;
static int used_in_constructor = -1;

static void before_constructors(void) {
    used_before_constructors = startup_use_everything();
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = before_constructors;

__attribute__((constructor)) static void construct(void) {
    used_in_constructor = startup_use_everything();
}

static void at_exit(void) {
    if (startup_use_everything() != 0)
        _exit(2);
}

__attribute__((destructor)) static void destruct(void) {
    if (startup_use_everything() != 0)
        _exit(3);
}

int main(int argc, char **argv) {
    Dl_info info;
    void *lock = dlsym(RTLD_DEFAULT, "pthread_mutex_lock");
    int in_main = startup_use_everything();
    if (argc != 2 || lock == NULL || dladdr(lock, &info) == 0)
        return 4;
    printf("locks from %s; failures before constructors %d, in the library's %d, in the program's %d, in main %d\n",
           info.dli_fname, used_before_constructors, startup_failures_of_library(), used_in_constructor, in_main);
    if (strstr(info.dli_fname, argv[1]) == NULL)
        return 5;
    if (atexit(at_exit) != 0)
        return 6;
    return used_before_constructors != 0 || startup_failures_of_library() != 0 || used_in_constructor != 0 ||
           in_main != 0;
}
