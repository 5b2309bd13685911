/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Misuse aborts, with a message that names the mistake: each of these must be found. */
#include <plc/condvar.h>
#include <plc/once.h>
#include <plc/rwlock.h>

#include "lot.h"

static plc_mutex_t mutex, other;
static plc_rwlock_t rwlock;
static plc_once_t once, inner;
static plc_condvar_t condvar;
static bool waiting;

static void mutex_unlock(int self) {
    (void)self;
    plc_mutex_unlock(&mutex);
}

static void mutex_unlock_fair(int self) {
    (void)self;
    plc_mutex_unlock_fair(&mutex);
}

static void garbage_in_mutex(void) {
    mutex.state = 0x41;
}

static void mutex_lock(int self) {
    (void)self;
    plc_mutex_lock(&mutex);
}

static void read_unlock(int self) {
    (void)self;
    plc_rwlock_read_unlock(&rwlock);
}

static void write_unlock_of_reader(int self) {
    (void)self;
    plc_rwlock_read_lock(&rwlock);
    plc_rwlock_write_unlock(&rwlock);
}

static void upgradable_unlock_of_reader(int self) {
    (void)self;
    plc_rwlock_read_lock(&rwlock);
    plc_rwlock_upgradable_unlock(&rwlock);
}

static void upgrade_of_reader(int self) {
    (void)self;
    plc_rwlock_read_lock(&rwlock);
    plc_rwlock_upgrade(&rwlock);
}

static void full_of_readers(void) {
    rwlock.state = PLC_RWLOCK_FULL_;
}

static void one_reader_more(int self) {
    (void)self;
    MC_ASSERT(!plc_rwlock_try_read_lock(&rwlock));
    MC_ASSERT(!plc_rwlock_read_lock_until(&rwlock, PLC_NO_DEADLINE));
    plc_rwlock_read_lock(&rwlock);
}

static bool call_again(void *argument) {
    return plc_once_call(&once, call_again, argument);
}

static bool call_outer(void *argument) {
    return plc_once_call(&inner, call_again, argument);
}

static void call_from_within(int self) {
    (void)self;
    plc_once_call(&once, call_outer, NULL);
}

static void garbage_in_once(void) {
    once.state = 3;
}

static void call_garbage(int self) {
    (void)self;
    plc_once_call(&once, call_again, NULL);
}

/* Both wait, each with a mutex of its own: whoever comes second is told. */
static void wait_with_two_mutexes(int self) {
    plc_mutex_t *mine = self ? &other : &mutex;
    plc_mutex_lock(mine);
    plc_condvar_wait(&condvar, mine);
}

/* The waiter without a mutex is there first; the other has one. */
static void lock_nothing(void *lock) {
    (void)lock;
}

static bool says_waiting(void) {
    return plc_load_relaxed(&waiting);
}

static void unlock_nothing(void *lock) {
    (void)lock;
    plc_store_relaxed(&waiting, true);
}

static const struct plc_lock_ops nothing = {.lock = lock_nothing, .unlock = unlock_nothing};

static void wait_with_mutex_and_other_lock(int self) {
    if (self == 0) {
        plc_condvar_wait_any(&condvar, &nothing, NULL);
    } else {
        while (!says_waiting())
            mc_yield();
        plc_mutex_lock(&mutex);
        plc_condvar_wait(&condvar, &mutex);
    }
}

#define MUST_FIND(what) .expect = MC_ASSERTION, .says = (what)
#define ONE .threads = 1, .setup = lot_setup
MC_SCENARIOS(
    {.name = "misuse: unlock of a free mutex", ONE, .thread = mutex_unlock, MUST_FIND("not locked")},
    {.name = "misuse: fair unlock of a free mutex", ONE, .thread = mutex_unlock_fair, MUST_FIND("not locked")},
    {.name = "misuse: lock of garbage",
     .threads = 1,
     .setup = garbage_in_mutex,
     .thread = mutex_lock,
     MUST_FIND("does not hold a mutex")},
    {.name = "misuse: unlock of garbage",
     .threads = 1,
     .setup = garbage_in_mutex,
     .thread = mutex_unlock,
     MUST_FIND("does not hold a mutex")},
    {.name = "misuse: read unlock of a free lock", ONE, .thread = read_unlock, MUST_FIND("not locked for reading")},
    {.name = "misuse: write unlock by a reader", ONE, .thread = write_unlock_of_reader, MUST_FIND("for writing")},
    {.name = "misuse: upgradable unlock by a reader",
     ONE,
     .thread = upgradable_unlock_of_reader,
     MUST_FIND("nobody holds upgradably")},
    {.name = "misuse: upgrade by a reader", ONE, .thread = upgrade_of_reader, MUST_FIND("nobody holds upgradably")},
    {.name = "misuse: too many readers",
     .threads = 1,
     .setup = full_of_readers,
     .thread = one_reader_more,
     MUST_FIND("too many readers")},
    {.name = "misuse: a once that calls itself, by way of another",
     ONE,
     .thread = call_from_within,
     MUST_FIND("calls the once that is running it")},
    {.name = "misuse: call of garbage",
     .threads = 1,
     .setup = garbage_in_once,
     .thread = call_garbage,
     MUST_FIND("does not hold a once")},
    {.name = "misuse: two mutexes with one condvar",
     .threads = 2,
     .setup = lot_setup,
     .thread = wait_with_two_mutexes,
     MUST_FIND("while other threads wait on it with another")},
    {.name = "misuse: a mutex and another lock with one condvar",
     .threads = 2,
     .setup = lot_setup,
     .thread = wait_with_mutex_and_other_lock,
     MUST_FIND("while other threads wait on it with another")});
