/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program written for pthread, on libplc's small locks: the only change is the header that it includes. */
#include <plc/pthread.h>

#include <stdio.h>
#include <string.h>

enum { CAPACITY = 4, LINES = 1000 };

/* A bounded queue of numbers: 16 bytes for the mutex and 16 for each cond, instead of 40 and 48. */
static struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    int items[CAPACITY];
    int count;
} queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0};

static void put(int item) {
    pthread_mutex_lock(&queue.mutex);
    while (queue.count == CAPACITY)
        pthread_cond_wait(&queue.not_full, &queue.mutex);
    queue.items[queue.count++] = item;
    pthread_mutex_unlock(&queue.mutex);
    pthread_cond_signal(&queue.not_empty);
}

static int take(void) {
    int item;
    pthread_mutex_lock(&queue.mutex);
    while (queue.count == 0)
        pthread_cond_wait(&queue.not_empty, &queue.mutex);
    item = queue.items[0];
    queue.count--;
    memmove(queue.items, queue.items + 1, (size_t)queue.count * sizeof queue.items[0]);
    pthread_mutex_unlock(&queue.mutex);
    pthread_cond_signal(&queue.not_full);
    return item;
}

static void *produce(void *argument) {
    for (int i = 1; i <= LINES; i++)
        put(i);
    return argument;
}

int main(void) {
    pthread_t producer;
    long sum = 0;
    if (pthread_create(&producer, NULL, produce, NULL) != 0)
        return 1;
    for (int i = 0; i < LINES; i++)
        sum += take();
    if (pthread_join(producer, NULL) != 0)
        return 1;
    printf("the sum of %d numbers is %ld\n", LINES, sum);
    return sum == (long)LINES * (LINES + 1) / 2 ? 0 : 1;
}
