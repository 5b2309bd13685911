/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Process-shared conds: glibc's code serves them, with a hidden mutex in between where the program's mutex is ours. */
#include "cond_shared.h"

#include "mutex.h"
#include "real.h"

#include <errno.h>
#include <string.h>

/* glibc's cond releases the mutex that it is given with glibc's own code, which would write into the word of one of our
   mutexes and wake nobody. So it is given another one, of glibc's:

     waiter                               signaller
     lock hidden                          (may hold the program's mutex)
     unlock the program's mutex           lock hidden
     real wait(cond, hidden)              real signal(cond)
     unlock hidden                        unlock hidden
     lock the program's mutex

   From before the program's mutex is free until the waiter is counted in the cond, the hidden mutex is held; so a
   signaller who saw the program's mutex free cannot come too early. Nobody waits for another lock while it holds a
   hidden mutex, so these add no deadlock. Which one belongs to a cond is a matter of its address: sharing one is
   harmless. All signals on shared conds take it, since a signaller cannot know what the waiters hold. A signaller in
   another process has hidden mutexes of its own; there the program's mutex cannot be one of ours, which are private to a
   process. */
enum { HIDDEN_MUTEXES_LOG2 = 6 };
static pthread_mutex_t hidden_mutexes[1 << HIDDEN_MUTEXES_LOG2];

static pthread_mutex_t *hidden_mutex_of(const pthread_cond_t *cond) {
    uint64_t hash = (uint64_t)(uintptr_t)cond * UINT64_C(0x9e3779b97f4a7c15);
    return &hidden_mutexes[hash >> (64 - HIDDEN_MUTEXES_LOG2)];
}

void dropin_cond_shared_after_fork(void) {
    /* Zeroed is unlocked: their holders do not exist here, and the forking thread was not inside a wait. */
    memset(hidden_mutexes, 0, sizeof hidden_mutexes);
}

static int real_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct dropin_cond_limit *limit) {
    const struct dropin_real *real = dropin_real();
    if (limit->time == NULL)
        return real->cond_wait(cond, mutex);
    if (limit->has_clock)
        return real->cond_clockwait(cond, mutex, limit->clock, limit->time);
    return real->cond_timedwait(cond, mutex, limit->time);
}

struct exchange_of_mutexes {
    pthread_mutex_t *hidden;
    pthread_mutex_t *mutex;
};

/* Runs when the real wait returns, and also when a cancellation unwinds it. */
static void take_back(struct exchange_of_mutexes *exchange) {
    (void)dropin_real()->mutex_unlock(exchange->hidden);
    (void)dropin_mutex_lock(exchange->mutex);
}

static int wait_with_our_mutex(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct dropin_cond_limit *limit) {
    pthread_mutex_t *hidden = hidden_mutex_of(cond);
    (void)dropin_real()->mutex_lock(hidden);
    int error = dropin_mutex_unlock(mutex);
    if (error != 0) {
        (void)dropin_real()->mutex_unlock(hidden);
        return error;
    }
    __attribute__((cleanup(take_back))) struct exchange_of_mutexes exchange = {hidden, mutex};
    (void)exchange;
    return real_wait(cond, hidden, limit);
}

int dropin_cond_shared_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct dropin_cond_limit *limit) {
    int kind = dropin_mutex_kind(mutex);
    dropin_count(DROPIN_COUNT_GLIBC);
    if (dropin_kind_is_foreign(kind))
        return real_wait(cond, mutex, limit);
    return wait_with_our_mutex(cond, mutex, limit);
}

int dropin_cond_shared_signal(pthread_cond_t *cond) {
    pthread_mutex_t *hidden = hidden_mutex_of(cond);
    const struct dropin_real *real = dropin_real();
    dropin_count(DROPIN_COUNT_GLIBC);
    (void)real->mutex_lock(hidden);
    int error = real->cond_signal(cond);
    (void)real->mutex_unlock(hidden);
    return error;
}

int dropin_cond_shared_broadcast(pthread_cond_t *cond) {
    pthread_mutex_t *hidden = hidden_mutex_of(cond);
    const struct dropin_real *real = dropin_real();
    dropin_count(DROPIN_COUNT_GLIBC);
    (void)real->mutex_lock(hidden);
    int error = real->cond_broadcast(cond);
    (void)real->mutex_unlock(hidden);
    return error;
}
