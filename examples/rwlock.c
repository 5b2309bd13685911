/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A table of results that many threads look up and few compute: read, upgradable, write, and back to read. */
#include <plc/rwlock.h>

#include <pthread.h>
#include <stdio.h>

enum { NUMBERS = 64, THREADS = 4, LOOKUPS = 20000 };

/* All zero: an unlocked lock and a table in which nothing is known yet. */
static struct {
    plc_rwlock_t lock;
    unsigned steps[NUMBERS];
    unsigned computed;
} table;

/* The steps that the Collatz sequence of this number takes to reach 1. */
static unsigned compute(unsigned long number) {
    unsigned steps = 0;
    for (; number > 1; steps++)
        number = number % 2 ? 3 * number + 1 : number / 2;
    return steps;
}

/* The upgradable mode excludes other upgradable holders but not readers: we look again without disturbing anybody, and
   keep readers out only for the moment in which we write. Between the look and the write nobody else can write. */
static unsigned compute_once(size_t index) {
    plc_rwlock_upgradable_lock(&table.lock);
    if (table.steps[index] == 0) {
        const unsigned steps = compute(index + 2);
        plc_rwlock_upgrade(&table.lock);
        table.steps[index] = steps;
        table.computed++;
        plc_rwlock_downgrade_to_upgradable(&table.lock);
    }
    const unsigned steps = table.steps[index];
    plc_rwlock_upgradable_unlock(&table.lock);
    return steps;
}

static unsigned look_up(size_t index) {
    plc_rwlock_read_lock(&table.lock);
    const unsigned steps = table.steps[index];
    plc_rwlock_read_unlock(&table.lock);
    return steps != 0 ? steps : compute_once(index);
}

static void *look_up_many(void *mistakes) {
    for (size_t lookup = 0; lookup < LOOKUPS; lookup++) {
        const size_t index = lookup * 7 % NUMBERS;
        if (look_up(index) != compute(index + 2))
            ++*(unsigned *)mistakes;
    }
    return NULL;
}

/* Forgets everything, unless the readers do not let us in for ten seconds; then reads, before anybody can write. */
static bool forget(unsigned *computed) {
    if (!plc_rwlock_write_lock_until(&table.lock, plc_deadline_after_ns(INT64_C(10000000000))))
        return false;
    for (size_t index = 0; index < NUMBERS; index++)
        table.steps[index] = 0;
    plc_rwlock_downgrade(&table.lock);
    *computed = table.computed;
    plc_rwlock_read_unlock(&table.lock);
    return true;
}

int main(void) {
    pthread_t threads[THREADS];
    unsigned mistakes[THREADS] = {0};
    unsigned computed = 0;
    unsigned sum = 0;

    for (size_t index = 0; index < THREADS; index++)
        if (pthread_create(&threads[index], NULL, look_up_many, &mistakes[index]) != 0)
            return 1;
    for (size_t index = 0; index < THREADS; index++) {
        pthread_join(threads[index], NULL);
        sum += mistakes[index];
    }
    if (!forget(&computed))
        return 1;
    printf("%d lookups, %u computed, %u mistakes\n", THREADS * LOOKUPS, computed, sum);
    return sum == 0 && computed == NUMBERS ? 0 : 1;
}
