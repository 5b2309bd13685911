/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program with a bad lock, for `plc-run --profile` to find; `slow_lock fixed` is what became of it. Plain pthread,
   as anybody's. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Threads serve orders: they look a price up, write a receipt, and count what was sold. All of it is under one lock,
   because all of it began as three lines. The profile says that threads wait for `shop_lock` in `serve_order`, and
   that whoever holds it the longest is in `serve_order`, too; a look at the flame graph, or at the source, shows
   what is slow there: the receipt, which needs no lock. */
enum { THREADS = 4, ORDERS = 400, PRICES = 16 };

static pthread_mutex_t shop_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t prices[PRICES]; /* under shop_lock */
static uint64_t turnover;       /* under shop_lock */

static int is_fixed;

/* Slow: a signature over every line of it. */
static uint64_t __attribute__((noinline)) write_receipt(uint64_t price) {
    uint64_t signature = price;
    for (int line = 0; line < 60000; line++)
        signature = (signature ^ (uint64_t)line) * 0x9e3779b97f4a7c15u + (signature >> 29);
    return signature;
}

static uint64_t __attribute__((noinline)) serve_order(unsigned item) {
    (void)pthread_mutex_lock(&shop_lock);
    uint64_t price = prices[item % PRICES];
    uint64_t receipt = write_receipt(price);
    turnover += price;
    (void)pthread_mutex_unlock(&shop_lock);
    return receipt;
}

static uint64_t __attribute__((noinline)) serve_order_fixed(unsigned item) {
    (void)pthread_mutex_lock(&shop_lock);
    uint64_t price = prices[item % PRICES];
    turnover += price;
    (void)pthread_mutex_unlock(&shop_lock);
    return write_receipt(price);
}

static void *work(void *receipts) {
    uint64_t sum = 0;
    for (unsigned order = 0; order < ORDERS; order++)
        sum += is_fixed ? serve_order_fixed(order) : serve_order(order);
    *(uint64_t *)receipts = sum;
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    uint64_t receipts[THREADS] = {0};
    uint64_t expected = 0;
    is_fixed = argc > 1 && strcmp(argv[1], "fixed") == 0;
    for (unsigned i = 0; i < PRICES; i++)
        prices[i] = 100 + i;
    for (unsigned order = 0; order < ORDERS; order++)
        expected += THREADS * prices[order % PRICES];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, &receipts[i]) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    printf("sold for %llu\n", (unsigned long long)turnover);
    return turnover == expected && receipts[0] == receipts[THREADS - 1] ? 0 : 1;
}
