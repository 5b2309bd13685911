/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Static linking: there is nothing behind the names that the drop-in takes over, so what only glibc could serve is refused. */
#include "real.h"

#include <errno.h>
#include <stddef.h>

/* A linker takes each name once. glibc's own code for process-shared, robust, priority-inheriting and -protecting objects is
   in the same object files as the names that are ours, and is left out with them. Their initialisation is refused, so that none
   of them comes to be; the rest of the table says the same to one that lies in memory shared with another process. */

static int refuse_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
    (void)mutex;
    (void)attributes;
    return ENOTSUP;
}

static int refuse_mutex(pthread_mutex_t *mutex) {
    (void)mutex;
    return ENOTSUP;
}

static int refuse_mutex_timed(pthread_mutex_t *mutex, const struct timespec *time) {
    (void)mutex;
    (void)time;
    return ENOTSUP;
}

static int refuse_mutex_clock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *time) {
    (void)mutex;
    (void)clock;
    (void)time;
    return ENOTSUP;
}

static int refuse_get_ceiling(const pthread_mutex_t *mutex, int *ceiling) {
    (void)mutex;
    (void)ceiling;
    return ENOTSUP;
}

static int refuse_set_ceiling(pthread_mutex_t *mutex, int ceiling, int *old_ceiling) {
    (void)mutex;
    (void)ceiling;
    (void)old_ceiling;
    return ENOTSUP;
}

static int refuse_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes) {
    (void)cond;
    (void)attributes;
    return ENOTSUP;
}

static int refuse_cond(pthread_cond_t *cond) {
    (void)cond;
    return ENOTSUP;
}

static int refuse_wait(pthread_cond_t *cond, pthread_mutex_t *mutex) {
    (void)cond;
    (void)mutex;
    return ENOTSUP;
}

static int refuse_wait_timed(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *time) {
    (void)cond;
    (void)mutex;
    (void)time;
    return ENOTSUP;
}

static int refuse_wait_clock(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                             const struct timespec *time) {
    (void)cond;
    (void)mutex;
    (void)clock;
    (void)time;
    return ENOTSUP;
}

static int refuse_rwlock_init(pthread_rwlock_t *rwlock, const pthread_rwlockattr_t *attributes) {
    (void)rwlock;
    (void)attributes;
    return ENOTSUP;
}

static int refuse_rwlock(pthread_rwlock_t *rwlock) {
    (void)rwlock;
    return ENOTSUP;
}

static int refuse_rwlock_timed(pthread_rwlock_t *rwlock, const struct timespec *time) {
    (void)rwlock;
    (void)time;
    return ENOTSUP;
}

static int refuse_rwlock_clock(pthread_rwlock_t *rwlock, clockid_t clock, const struct timespec *time) {
    (void)rwlock;
    (void)clock;
    (void)time;
    return ENOTSUP;
}

/* The signal functions and _Fork are not taken over here: signals.c is left out. */
static const struct dropin_real table = {
    .mutex_init = refuse_mutex_init,
    .mutex_destroy = refuse_mutex,
    .mutex_lock = refuse_mutex,
    .mutex_trylock = refuse_mutex,
    .mutex_timedlock = refuse_mutex_timed,
    .mutex_clocklock = refuse_mutex_clock,
    .mutex_unlock = refuse_mutex,
    .mutex_consistent = refuse_mutex,
    .mutex_getprioceiling = refuse_get_ceiling,
    .mutex_setprioceiling = refuse_set_ceiling,
    .cond_init = refuse_cond_init,
    .cond_destroy = refuse_cond,
    .cond_wait = refuse_wait,
    .cond_timedwait = refuse_wait_timed,
    .cond_clockwait = refuse_wait_clock,
    .cond_signal = refuse_cond,
    .cond_broadcast = refuse_cond,
    .rwlock_init = refuse_rwlock_init,
    .rwlock_destroy = refuse_rwlock,
    .rwlock_rdlock = refuse_rwlock,
    .rwlock_wrlock = refuse_rwlock,
    .rwlock_tryrdlock = refuse_rwlock,
    .rwlock_trywrlock = refuse_rwlock,
    .rwlock_timedrdlock = refuse_rwlock_timed,
    .rwlock_timedwrlock = refuse_rwlock_timed,
    .rwlock_clockrdlock = refuse_rwlock_clock,
    .rwlock_clockwrlock = refuse_rwlock_clock,
    .rwlock_unlock = refuse_rwlock,
    .setcanceltype = pthread_setcanceltype,
};

/* glibc's fork counts here; it lies in the object file of glibc's once. */
extern unsigned long __fork_generation;
__attribute__((visibility("default"))) unsigned long __fork_generation;

const struct dropin_real *dropin_real(void) {
    return &table;
}
