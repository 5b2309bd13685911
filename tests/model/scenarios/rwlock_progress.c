/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Holders that wait for somebody else to come in: who may have the lock beside them, or after a bump, gets it. */
#include <plc/rwlock.h>

#include "lot.h"

static plc_rwlock_t lock;
static uint8_t has_read, has_written;
static int data;

static void await(const uint8_t *flag) {
    while (!plc_load_relaxed(flag))
        mc_yield();
}

static void read_and_say_so(void) {
    plc_rwlock_read_lock(&lock);
    plc_store_relaxed(&has_read, 1);
    plc_rwlock_read_unlock(&lock);
}

static void write_and_say_so(void) {
    plc_rwlock_write_lock(&lock);
    data++;
    plc_store_relaxed(&has_written, 1);
    plc_rwlock_write_unlock(&lock);
}

static void free_again(void) {
    MC_ASSERT(lock.state == 0);
    lot_must_be_empty();
}

/* T0 stays upgradable until T1 has read. */
static void upgradable_awaits_reader(int self) {
    if (self == 0) {
        plc_rwlock_upgradable_lock(&lock);
        await(&has_read);
        plc_rwlock_upgradable_unlock(&lock);
    } else {
        read_and_say_so();
    }
}

/* T0 and T1 read until T2 has written, which their bumps allow it to. */
static void readers_bump_for_writer(int self) {
    if (self == 2) {
        write_and_say_so();
        return;
    }
    plc_rwlock_read_lock(&lock);
    while (!plc_load_relaxed(&has_written)) {
        plc_rwlock_read_bump(&lock);
        mc_yield();
    }
    plc_rwlock_read_unlock(&lock);
}

/* T0 tries to write; T1 and T2 read. */
static void try_beside_readers(int self) {
    if (self > 0) {
        read_and_say_so();
    } else if (plc_rwlock_try_write_lock(&lock)) {
        data++;
        plc_rwlock_write_unlock(&lock);
    }
}

#ifdef IDEAL
#define BOUND 3
#else
#define BOUND 2
#endif
#define COMMON .setup = lot_setup, .finish = free_again, .preemptions = BOUND, .stale = 1
MC_SCENARIOS({.name = "rwlock: an upgradable holder waits for a reader" ON,
              .threads = 2,
              .thread = upgradable_awaits_reader,
              COMMON},
             {.name = "rwlock: readers bump until a writer has been there" ON,
              .threads = 3,
              .thread = readers_bump_for_writer,
              COMMON},
             {.name = "rwlock: a try to write beside readers" ON, .threads = 3, .thread = try_beside_readers, COMMON});
