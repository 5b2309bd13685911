/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A setting that is looked up on first use, by whichever thread comes first; if that fails the next caller tries again.
 */
#define _POSIX_C_SOURCE 200809L
#include <plc/once.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8 };

static plc_once_t looked_up; /* zero: not run yet */
static char home[256];
static int lookups;

static bool look_up(void *variable) {
    const char *value = getenv(variable);
    lookups++;
    const size_t size = value ? strlen(value) + 1 : 0;
    if (size == 0 || size > sizeof home)
        return false;
    memcpy(home, value, size);
    return true;
}

/* The setting, or null. Everything that look_up() wrote is visible if plc_once_call returns true. */
static void *get_home(void *variable) {
    return plc_once_call(&looked_up, look_up, variable) ? home : NULL;
}

int main(void) {
    static char variable[] = "PLC_EXAMPLE_HOME";
    pthread_t threads[THREADS];
    int failed = 0;

    unsetenv(variable);
    if (get_home(variable) != NULL || plc_once_is_done(&looked_up))
        return 1; /* it failed, and may be tried again */
    setenv(variable, "/home/example", 1);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, get_home, variable) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        failed += result != home;
    }
    printf("%s after %d lookups\n", home, lookups);
    return failed == 0 && lookups == 2 ? 0 : 1;
}
