/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The child of a fork, at any moment: the waiters are gone, and what their locks say of them is stale. */
#include <plc/condvar.h>
#include <plc/rwlock.h>

#include "lot.h"

static plc_mutex_t mutex, other;
static plc_rwlock_t rwlock;
static plc_condvar_t condvar;
static char key;
static int section;

/* The lot is emptied by the kernel, which wipes its pages, or by a handler where that cannot be. */
static void fork_here(void) {
    bool wipes = mc_choose(2) == 0;
    mc_fork(wipes);
    if (!wipes)
        plc_bucket_table_forget();
    lot_must_be_empty();
}

/* ---- T0 holds a lock, the others want it; what T0 holds it still holds in the child. */

static void use_mutex(void) {
    plc_mutex_lock(&mutex);
    section++;
    plc_mutex_unlock(&mutex);
}

static void mutex_held(int self) {
    if (self) {
        use_mutex();
        return;
    }
    plc_mutex_lock(&mutex);
    fork_here();
    plc_mutex_unlock(&mutex);
    use_mutex();
    MC_ASSERT(plc_mutex_lock_until(&mutex, soon())); /* PARKED may have been stale until the last lock */
    plc_mutex_unlock_fair(&mutex);
}

static void mutex_at_rest(void) {
    MC_ASSERT(mutex.state == 0);
    lot_must_be_empty();
}

/* T0 forks while it holds nothing, and others may hold the mutex: that one is lost, but another is as good as new. */
static void mutex_of_others_held(int self) {
    if (self) {
        use_mutex();
        return;
    }
    fork_here();
    if (plc_mutex_try_lock(&mutex))
        plc_mutex_unlock(&mutex);
    plc_mutex_lock(&other);
    plc_mutex_unlock(&other);
}

static void other_at_rest(void) {
    MC_ASSERT(other.state == 0);
    lot_must_be_empty();
}

static void use_rwlock(int self) {
    if (self == 1) {
        plc_rwlock_write_lock(&rwlock);
        section++;
        plc_rwlock_write_unlock(&rwlock);
    } else {
        plc_rwlock_read_lock(&rwlock);
        plc_rwlock_read_unlock(&rwlock);
    }
}

/* Every mode once more, alone. */
static void use_rwlock_alone(void) {
    use_rwlock(1);
    use_rwlock(0);
    plc_rwlock_upgradable_lock(&rwlock);
    plc_rwlock_upgrade(&rwlock);
    plc_rwlock_downgrade(&rwlock);
    plc_rwlock_read_unlock(&rwlock);
    MC_ASSERT(!plc_rwlock_is_locked(&rwlock));
}

static void write_lock_held(int self) {
    if (self) {
        use_rwlock(self);
        return;
    }
    plc_rwlock_write_lock(&rwlock);
    fork_here();
    plc_rwlock_write_unlock(&rwlock);
    use_rwlock_alone();
}

/* Twice, so that the second unlock meets an heir on its way. */
static void write_lock_held_again(int self) {
    if (self) {
        plc_rwlock_write_lock(&rwlock);
        section++;
        plc_rwlock_write_unlock(&rwlock);
        return;
    }
    use_rwlock(1);
    plc_rwlock_write_lock(&rwlock);
    fork_here();
    plc_rwlock_write_unlock(&rwlock);
    use_rwlock_alone();
}

/* ---- T1 waits; the child notifies nobody, and can use the condvar with any mutex. */

static void condvar_stale(int self) {
    plc_mutex_lock(&mutex);
    if (self) {
        plc_condvar_wait_until(&condvar, &mutex, soon());
        plc_mutex_unlock(&mutex);
        return;
    }
    fork_here();
    plc_mutex_unlock(&mutex);
    if (mc_choose(2))
        MC_ASSERT(!plc_condvar_notify_one(&condvar));
    plc_mutex_lock(&other);
    MC_ASSERT(!plc_condvar_wait_until(&condvar, &other, soon()));
    plc_mutex_unlock(&other);
    MC_ASSERT(plc_condvar_notify_all(&condvar) == 0 && condvar.state == 0);
    use_mutex();
}

/* ---- A bucket is locked at that moment, or the table is being replaced. */

static void park_unpark_grow(int self) {
    if (self == 1) {
        plc_bucket_table_wish_to_grow();
        plc_bucket_table_wish_to_grow();
        plc_park(&key, &no_ops, NULL, 0, soon());
        return;
    }
    fork_here();
    MC_ASSERT(plc_bucket_table_size() == PLC_FIRST_TABLE_SIZE);
    MC_ASSERT(!plc_unpark_one(&key, NULL, NULL).unparked);
    MC_ASSERT(plc_park(&key, &no_ops, NULL, 0, soon()).status == PLC_PARK_TIMED_OUT);
}

#define FORK .setup = lot_setup, .stale = 1
MC_SCENARIOS({.name = "fork: the mutex is held" ON,
              .threads = 2,
              .thread = mutex_held,
              .finish = mutex_at_rest,
              FORK,
              .preemptions = 4},
             {.name = "fork: the mutex is held, two wait" ON,
              .threads = 3,
              .thread = mutex_held,
              .finish = mutex_at_rest,
              FORK,
              .preemptions = 3},
             {.name = "fork: others use the mutex" ON,
              .threads = 3,
              .thread = mutex_of_others_held,
              .finish = other_at_rest,
              FORK,
              .preemptions = 2},
             {.name = "fork: the lock is held for writing" ON,
              .threads = 3,
              .thread = write_lock_held,
              .finish = lot_must_be_empty,
              FORK,
              .preemptions = 3},
             {.name = "fork: the lock is held for writing, and has an heir" ON,
              .threads = 3,
              .thread = write_lock_held_again,
              .finish = lot_must_be_empty,
              FORK,
              .preemptions = 2},
             {.name = "fork: a condvar with a waiter" ON,
              .threads = 2,
              .thread = condvar_stale,
              .finish = mutex_at_rest,
              FORK,
              .preemptions = 4},
             {.name = "fork: while a bucket is locked" ON,
              .threads = 2,
              .thread = park_unpark_grow,
              .finish = lot_must_be_empty,
              FORK,
              .preemptions = 4});
