/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A task waits for a number that another thread sends; the calling thread runs it to its end. */
#include <plc/atomic_waker.h>
#include <plc/block_on.h>
#include <pthread.h>
#include <stdio.h>

struct mailbox {
    plc_atomic_waker_t receiver;
    bool is_full; /* atomic: the sender writes it while the receiver looks */
    int number;
};

static enum plc_poll receive(void *context, const plc_waker_t *waker) {
    struct mailbox *mailbox = context;
    plc_atomic_waker_register_by_ref(&mailbox->receiver, waker); /* first register, then look */
    return __atomic_load_n(&mailbox->is_full, __ATOMIC_ACQUIRE) ? PLC_POLL_READY : PLC_POLL_PENDING;
}

static void *send(void *context) {
    struct mailbox *mailbox = context;
    mailbox->number = 42;
    __atomic_store_n(&mailbox->is_full, true, __ATOMIC_RELEASE);
    plc_atomic_waker_wake(&mailbox->receiver); /* first act, then wake */
    return NULL;
}

int main(void) {
    struct mailbox mailbox = {0};
    pthread_t sender;
    if (pthread_create(&sender, NULL, send, &mailbox) != 0)
        return 1;
    plc_block_on(receive, &mailbox);
    printf("received %d\n", mailbox.number);
    pthread_join(sender, NULL);
    plc_waker_t left = plc_atomic_waker_take(&mailbox.receiver);
    plc_waker_drop(&left);
    return mailbox.number == 42 ? 0 : 1;
}
