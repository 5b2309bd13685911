/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A thread joins the queue of a reader-writer lock while another, woken from it, is on its way to the lock. */
#include <plc/rwlock.h>

#include "lot.h"

static plc_rwlock_t lock;
static int data, copy, writes;
static uint32_t overtaken, arrived;

static void held_from_the_start(void) {
    lot_setup();
    plc_rwlock_write_lock(&lock);
}

static void change(void) {
    data++;
    copy++;
    writes++;
}

static uint32_t waiters(void) {
    return plc_load_relaxed(&plc_bucket_of(plc_current_table(), &lock)->waiters);
}

static void wait_for(const uint32_t *flag) {
    while (!plc_load_relaxed(flag))
        mc_yield();
}

/* T1 and T2 wait; T0 wakes one of them, takes the lock before it comes, and keeps it until T3 has arrived. */
static void join_behind_the_woken(int self) {
    if (self == 3) {
        wait_for(&overtaken);
        plc_store_relaxed(&arrived, 1);
        plc_rwlock_read_lock(&lock);
        MC_ASSERT(data == copy);
        plc_rwlock_read_unlock(&lock);
    } else if (self) {
        plc_rwlock_write_lock(&lock);
        change();
        plc_rwlock_write_unlock(&lock);
    } else {
        while (waiters() < 2)
            mc_yield();
        plc_rwlock_write_unlock(&lock);
        bool first = plc_rwlock_try_write_lock(&lock);
        plc_store_relaxed(&overtaken, 1);
        if (!first)
            return;
        wait_for(&arrived);
        change();
        plc_rwlock_write_unlock(&lock);
    }
}

static void free_again(void) {
    MC_ASSERT(lock.state == 0);
    MC_ASSERT(data == writes);
    lot_must_be_empty();
}

MC_SCENARIOS({.name = "rwlock: a reader joins behind the woken writer" ON,
              .threads = 4,
              .setup = held_from_the_start,
              .thread = join_behind_the_woken,
              .finish = free_again,
              .preemptions = 1,
              .stale = 1});
