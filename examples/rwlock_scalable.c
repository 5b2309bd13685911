/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Routes that every request looks up and that hardly ever change: readers on all processors at once, now and then a
   writer. */
#include <plc/rwlock_scalable.h>

#include <pthread.h>
#include <stdio.h>

enum { ROUTES = 16, THREADS = 4, LOOKUPS = 100000, CHANGES = 20 };

/* All zero: an unlocked lock. Both columns of the table change together. */
static struct {
    plc_rwlock_scalable_t lock;
    unsigned gateway[ROUTES];
    unsigned mirror[ROUTES];
} routes;

/* Readers do not write to the lock: however many there are, none slows another down. */
static void *look_up(void *mistakes) {
    for (size_t lookup = 0; lookup < LOOKUPS; lookup++) {
        const size_t route = lookup % ROUTES;
        plc_rwlock_scalable_read_lock(&routes.lock);
        if (routes.gateway[route] != routes.mirror[route])
            ++*(unsigned *)mistakes;
        plc_rwlock_scalable_read_unlock(&routes.lock);
    }
    return NULL;
}

static void change(unsigned gateway) {
    plc_rwlock_scalable_write_lock(&routes.lock);
    for (size_t route = 0; route < ROUTES; route++) {
        routes.gateway[route] = gateway;
        routes.mirror[route] = gateway;
    }
    plc_rwlock_scalable_write_unlock(&routes.lock);
}

int main(void) {
    pthread_t threads[THREADS];
    unsigned mistakes[THREADS] = {0};
    unsigned sum = 0;
    for (size_t index = 0; index < THREADS; index++)
        if (pthread_create(&threads[index], NULL, look_up, &mistakes[index]) != 0)
            return 1;
    for (unsigned gateway = 1; gateway <= CHANGES; gateway++)
        change(gateway);
    for (size_t index = 0; index < THREADS; index++) {
        pthread_join(threads[index], NULL);
        sum += mistakes[index];
    }
    printf("%d lookups, %d changes, %u mistakes\n", THREADS * LOOKUPS, CHANGES, sum);
    return sum == 0 ? 0 : 1;
}
