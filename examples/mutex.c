/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A byte of lock in every entry of a table: threads move money between accounts, and none is lost. */
#include <plc/mutex.h>

#include <pthread.h>
#include <stdio.h>

enum { ACCOUNTS = 1000, THREADS = 4, TRANSFERS = 50000, OPENING_BALANCE = 100 };

struct account {
    int balance;
    plc_mutex_t mutex; /* zeroed memory is an unlocked mutex */
};

static struct account accounts[ACCOUNTS];

/* Both locks are needed at once, and always in the order of their addresses: else two transfers in opposite directions
   could each hold what the other waits for. */
static void transfer(struct account *from, struct account *to, int amount) {
    struct account *first = from < to ? from : to;
    struct account *second = from < to ? to : from;
    plc_mutex_lock(&first->mutex);
    plc_mutex_lock(&second->mutex);
    from->balance -= amount;
    to->balance += amount;
    plc_mutex_unlock(&second->mutex);
    plc_mutex_unlock(&first->mutex);
}

/* A cheap look that never blocks: says nothing about an account that is busy. */
static bool glance(struct account *account, int *balance) {
    if (!plc_mutex_try_lock(&account->mutex))
        return false;
    *balance = account->balance;
    plc_mutex_unlock(&account->mutex);
    return true;
}

static void *make_transfers(void *argument) {
    unsigned random = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < TRANSFERS; i++) {
        random = random * 1664525u + 1013904223u;
        const unsigned from = (random >> 8) % ACCOUNTS;
        const unsigned to = (from + 1 + (random >> 20) % (ACCOUNTS - 1)) % ACCOUNTS;
        transfer(&accounts[from], &accounts[to], 1);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < ACCOUNTS; i++)
        accounts[i].balance = OPENING_BALANCE;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, make_transfers, (void *)(uintptr_t)(i + 1)) != 0)
            return 1;

    int balance;
    if (glance(&accounts[0], &balance))
        printf("account 0 holds %d at the moment\n", balance);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    long sum = 0;
    for (int i = 0; i < ACCOUNTS; i++)
        sum += accounts[i].balance;
    printf("%d accounts of %zu bytes hold %ld\n", ACCOUNTS, sizeof(struct account), sum);
    return sum == (long)ACCOUNTS * OPENING_BALANCE ? 0 : 1;
}
