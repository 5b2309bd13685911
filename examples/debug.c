/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program that says where it waits: named locks, a hook that counts waits, and a dump when somebody sends SIGUSR1. */
#include <plc/plc.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static plc_mutex_t accounts;
static plc_condvar_t paid;
static bool is_paid;
static atomic_uint waits; /* how often a thread has waited for anything */

static void count(void *context, const struct plc_debug_wait *wait) {
    (void)context;
    (void)wait;
    atomic_fetch_add(&waits, 1);
}

static const struct plc_debug_hooks hooks = {.wait_end = count};

/* kill -USR1 tells who waits for what, and since when; the program goes on. */
static void dump(int signal_number) {
    (void)signal_number;
    plc_debug_dump(STDERR_FILENO); /* NOLINT(bugprone-signal-handler): made for it */
}

static void *wait_for_payment(void *unused) {
    plc_mutex_lock(&accounts);
    while (!is_paid)
        plc_condvar_wait(&paid, &accounts);
    plc_mutex_unlock(&accounts);
    return unused;
}

static bool is_waiting(void *context, const struct plc_debug_waiter *waiter) {
    *(bool *)context = waiter->object == &paid;
    return !*(bool *)context;
}

int main(void) {
    pthread_t thread;
    bool seen = false;
    signal(SIGUSR1, dump);
    plc_debug_name(&accounts, "accounts");
    plc_debug_name(&paid, "paid");
    plc_debug_set_hooks(&hooks);

    if (pthread_create(&thread, NULL, wait_for_payment, NULL) != 0)
        return 1;
    while (!seen)
        plc_debug_for_each_waiter(is_waiting, &seen);
    raise(SIGUSR1); /* prints: condvar 0x... "paid": 1 waits ... */

    plc_mutex_lock(&accounts);
    is_paid = true;
    plc_mutex_unlock(&accounts);
    plc_condvar_notify_one(&paid);
    pthread_join(thread, NULL);
    plc_debug_set_hooks(NULL);
    plc_debug_forget(&accounts);
    plc_debug_forget(&paid);
    printf("waited %u times\n", atomic_load(&waits));
    return waits > 0 ? 0 : 1;
}
