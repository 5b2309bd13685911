/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Signal handlers that jump out of a wait right before or after its sleep: the thread is no longer there, and nobody else sleeps
   for ever or has what it was given. */
#include <plc/rwlock.h>
#include <setjmp.h>

#include "lot.h"
#include "parking_lot/undo.h"
#include "sync/condvar.h"

void model_interrupt(int thread);

static plc_mutex_t mutex;
static plc_rwlock_t rwlock;
static plc_condvar_t condvar;
static int counter;
static bool gave_up;

/* ---- T0 is the one that is interrupted, once. */

static jmp_buf landing;
static bool may_jump, has_jumped;

static bool every_frame(const void *frame, void *context) {
    (void)frame, (void)context;
    return true;
}

void model_interrupt(int thread) {
    if (thread || !may_jump || !mc_choose(2))
        return;
    may_jump = false; /* taking it back may sleep, too */
    has_jumped = true;
    plc_undo_jump_(every_frame, NULL);
    longjmp(landing, 1);
}

/* Does what `wait` does up to where it returns, or up to a jump. */
static bool is_torn_out_of(void (*wait)(void)) {
    may_jump = true;
    if (setjmp(landing))
        return true;
    wait();
    may_jump = false;
    return false;
}

static void lock_for_good(void) {
    plc_mutex_lock(&mutex);
}

static void lock_for_a_while(void) {
    gave_up = !plc_mutex_lock_until(&mutex, soon());
}

static void write_for_good(void) {
    plc_rwlock_write_lock(&rwlock);
}

static void read_for_good(void) {
    plc_rwlock_read_lock(&rwlock);
}

/* ---- The mutex */

static void count_mutex(void) {
    counter++;
    plc_mutex_unlock(&mutex);
}

static void torn_out_of_mutex(int self) {
    if (self == 0 && is_torn_out_of(lock_for_good))
        return;
    if (self)
        plc_mutex_lock(&mutex);
    count_mutex();
}

static void comes_back_to_mutex(int self) {
    if (self || is_torn_out_of(lock_for_good))
        plc_mutex_lock(&mutex);
    count_mutex();
}

static void torn_out_of_timed_lock(int self) {
    if (self == 0 && (is_torn_out_of(lock_for_a_while) || gave_up))
        return;
    if (self)
        plc_mutex_lock(&mutex);
    count_mutex();
}

static void handed_over(int self) {
    if (self == 0 && is_torn_out_of(lock_for_good))
        return;
    if (self)
        plc_mutex_lock(&mutex);
    counter++;
    plc_mutex_unlock_fair(&mutex);
}

static void mutex_is_free(void) {
    MC_ASSERT(counter >= mc_thread_count() - 1);
    MC_ASSERT(counter == mc_thread_count() || has_jumped || gave_up);
    MC_ASSERT(mutex.state == 0);
    lot_must_be_empty();
}

static void all_had_mutex(void) {
    MC_ASSERT(counter == mc_thread_count());
    MC_ASSERT(mutex.state == 0);
    lot_must_be_empty();
}

/* ---- The reader-writer lock */

static void torn_out_of_write(int self) {
    if (self == 1) {
        plc_rwlock_read_lock(&rwlock);
        plc_rwlock_read_unlock(&rwlock);
        return;
    }
    if (self == 0 && is_torn_out_of(write_for_good))
        return;
    if (self)
        plc_rwlock_write_lock(&rwlock);
    counter++;
    plc_rwlock_write_unlock(&rwlock);
}

static void torn_out_of_read(int self) {
    if (self) {
        plc_rwlock_write_lock(&rwlock);
        counter++;
        plc_rwlock_write_unlock(&rwlock);
    } else if (!is_torn_out_of(read_for_good)) {
        plc_rwlock_read_unlock(&rwlock);
    }
}

static void rwlock_is_free(void) {
    MC_ASSERT(rwlock.state == 0);
    lot_must_be_empty();
}

/* ---- The condvar: T1 tells one, and who is told tells the next. */

static bool ready;

static void wait_until_ready(void) {
    while (!ready)
        plc_condvar_wait(&condvar, &mutex);
}

static void torn_out_of_condvar(int self) {
    plc_mutex_lock(&mutex);
    if (self == 0 && is_torn_out_of(wait_until_ready))
        return; /* without the mutex, and without a word to anybody */
    if (self == 2)
        wait_until_ready();
    ready = true;
    plc_condvar_notify_one(&condvar);
    counter++;
    plc_mutex_unlock(&mutex);
}

static void condvar_is_empty(void) {
    MC_ASSERT(counter >= mc_thread_count() - 1);
    MC_ASSERT(mutex.state == 0 && condvar.state == 0);
    lot_must_be_empty();
}

#define JUMP(what, count, function, end, bound)                                                                        \
    {                                                                                                                  \
        .name = "jump: " what ON, .threads = count, .setup = lot_setup, .thread = function, .finish = end,             \
        .preemptions = bound, .stale = 1                                                                               \
    }

MC_SCENARIOS(JUMP("out of a mutex, two threads", 2, torn_out_of_mutex, mutex_is_free, 3),
             JUMP("out of a mutex", 3, torn_out_of_mutex, mutex_is_free, 2),
             JUMP("out of a mutex, and back", 3, comes_back_to_mutex, all_had_mutex, 2),
             JUMP("out of a timed lock", 3, torn_out_of_timed_lock, mutex_is_free, 2),
             JUMP("out of a mutex that is handed over", 3, handed_over, mutex_is_free, 2),
             JUMP("out of a write lock, two threads", 2, torn_out_of_write, rwlock_is_free, 3),
             JUMP("out of a write lock", 3, torn_out_of_write, rwlock_is_free, 2),
             JUMP("out of a read lock", 2, torn_out_of_read, rwlock_is_free, 3),
             JUMP("out of a read lock among writers", 3, torn_out_of_read, rwlock_is_free, 2),
             JUMP("out of a condvar", 2, torn_out_of_condvar, condvar_is_empty, 3),
             JUMP("out of a condvar, the notification goes on", 3, torn_out_of_condvar, condvar_is_empty, 2));
