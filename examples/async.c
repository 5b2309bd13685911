/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A task and a thread count under one mutex: the task polls for it where the thread blocks. */
#include <plc/async.h>
#include <pthread.h>
#include <stdio.h>

enum { ROUNDS = 1000 };

static plc_mutex_t mutex;
static int counter;

struct counting {
    plc_async_waiter_t waiter; /* its place in the queue; zeroed, and pinned while a poll is pending */
    int rounds;
};

static enum plc_poll count(void *context, const plc_waker_t *waker) {
    struct counting *counting = context;
    while (counting->rounds < ROUNDS) {
        if (plc_mutex_lock_async(&mutex, &counting->waiter, waker) == PLC_POLL_PENDING)
            return PLC_POLL_PENDING; /* the waker is woken when another poll is worth it */
        counter++;
        counting->rounds++;
        plc_mutex_unlock_async(&mutex);
    }
    return PLC_POLL_READY;
}

static void *count_by_blocking(void *context) {
    (void)context;
    for (int i = 0; i < ROUNDS; i++) {
        plc_mutex_lock(&mutex);
        counter++;
        plc_mutex_unlock(&mutex);
    }
    return NULL;
}

int main(void) {
    struct counting counting = {.rounds = 0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, count_by_blocking, NULL) != 0)
        return 1;
    plc_block_on(count, &counting); /* any runtime would do */
    pthread_join(thread, NULL);
    printf("counted to %d\n", counter);
    return counter == 2 * ROUNDS ? 0 : 1;
}
