/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A bounded queue between two threads: one condition variable for "not empty", one for "not full". */
#include <plc/condvar.h>

#include <pthread.h>
#include <stdio.h>

enum { CAPACITY = 4, ITEMS = 10000 };

/* All zero: an empty queue, an unlocked mutex, two condition variables that nobody waits for. */
static struct {
    plc_mutex_t mutex;
    plc_condvar_t not_empty;
    plc_condvar_t not_full;
    int items[CAPACITY];
    size_t first;
    size_t count;
} queue;

static void put(int item) {
    plc_mutex_lock(&queue.mutex);
    while (queue.count == CAPACITY)
        plc_condvar_wait(&queue.not_full, &queue.mutex);
    queue.items[(queue.first + queue.count) % CAPACITY] = item;
    queue.count++;
    plc_mutex_unlock(&queue.mutex);
    plc_condvar_notify_one(&queue.not_empty);
}

/* Takes an item unless there is none for ten seconds. */
static bool take(int *item) {
    const plc_deadline_t deadline = plc_deadline_after_ns(INT64_C(10000000000));
    plc_mutex_lock(&queue.mutex);
    bool in_time = true;
    while (queue.count == 0 && in_time)
        in_time = plc_condvar_wait_until(&queue.not_empty, &queue.mutex, deadline);
    const bool taken = queue.count > 0;
    if (taken) {
        *item = queue.items[queue.first];
        queue.first = (queue.first + 1) % CAPACITY;
        queue.count--;
    }
    plc_mutex_unlock(&queue.mutex);
    plc_condvar_notify_one(&queue.not_full);
    return taken;
}

static void *produce(void *unused) {
    (void)unused;
    for (int item = 1; item <= ITEMS; item++)
        put(item);
    return NULL;
}

int main(void) {
    pthread_t producer;
    long sum = 0;
    int item;
    if (pthread_create(&producer, NULL, produce, NULL) != 0)
        return 1;
    for (int taken = 0; taken < ITEMS && take(&item); taken++)
        sum += item;
    pthread_join(producer, NULL);
    printf("sum of 1 to %d: %ld\n", ITEMS, sum);
    return sum == (long)ITEMS * (ITEMS + 1) / 2 ? 0 : 1;
}
