/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Holders of a reader-writer lock that let others in between, or hand over, in every mode. */
#include <plc/rwlock.h>

#include "lot.h"

static plc_rwlock_t lock;
static int data, copy, writes;

static void change(void) {
    MC_ASSERT(plc_rwlock_is_write_locked(&lock));
    data++;
    copy++;
    writes++;
}

static void look(void) {
    MC_ASSERT(plc_rwlock_is_locked(&lock));
    MC_ASSERT(data == copy);
}

static void write_once(void) {
    plc_rwlock_write_lock(&lock);
    change();
    plc_rwlock_write_unlock(&lock);
}

static void read_bump(int self) {
    if (self) {
        write_once();
        return;
    }
    plc_rwlock_read_lock(&lock);
    look();
    plc_rwlock_read_bump(&lock);
    look();
    plc_rwlock_read_unlock_fair(&lock);
}

static void write_bump(int self) {
    if (self) {
        write_once();
        return;
    }
    plc_rwlock_write_lock(&lock);
    change();
    plc_rwlock_write_bump(&lock);
    change();
    plc_rwlock_write_unlock(&lock);
}

static void upgradable_bump(int self) {
    plc_rwlock_upgradable_lock(&lock);
    look();
    if (self == 0)
        plc_rwlock_upgradable_bump(&lock);
    look();
    plc_rwlock_upgradable_unlock_fair(&lock);
}

static void free_again(void) {
    MC_ASSERT(lock.state == 0 && !plc_rwlock_is_locked(&lock));
    MC_ASSERT(data == writes);
    lot_must_be_empty();
}

#define BUMP .threads = 2, .setup = lot_setup, .finish = free_again, .preemptions = 3, .stale = 1
MC_SCENARIOS({.name = "rwlock: a reader bumps" ON, .thread = read_bump, BUMP},
             {.name = "rwlock: a writer bumps" ON, .thread = write_bump, BUMP},
             {.name = "rwlock: an upgradable holder bumps" ON, .thread = upgradable_bump, BUMP});
