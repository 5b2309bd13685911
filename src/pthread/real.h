/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* glibc's own functions behind the names that the drop-in takes over: for the objects that it leaves to glibc. */
#ifndef PLC_DROPIN_REAL_H
#define PLC_DROPIN_REAL_H

#include <plc/detail/config.h>

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

typedef void (*dropin_handler)(int);
struct __jmp_buf_tag;

struct dropin_real {
    int (*mutex_init)(pthread_mutex_t *, const pthread_mutexattr_t *);
    int (*mutex_destroy)(pthread_mutex_t *);
    int (*mutex_lock)(pthread_mutex_t *);
    int (*mutex_trylock)(pthread_mutex_t *);
    int (*mutex_timedlock)(pthread_mutex_t *, const struct timespec *);
    int (*mutex_clocklock)(pthread_mutex_t *, clockid_t, const struct timespec *);
    int (*mutex_unlock)(pthread_mutex_t *);
    int (*mutex_consistent)(pthread_mutex_t *);
    int (*mutex_getprioceiling)(const pthread_mutex_t *, int *);
    int (*mutex_setprioceiling)(pthread_mutex_t *, int, int *);
    int (*cond_init)(pthread_cond_t *, const pthread_condattr_t *);
    int (*cond_destroy)(pthread_cond_t *);
    int (*cond_wait)(pthread_cond_t *, pthread_mutex_t *);
    int (*cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    int (*cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    int (*cond_signal)(pthread_cond_t *);
    int (*cond_broadcast)(pthread_cond_t *);
    int (*rwlock_init)(pthread_rwlock_t *, const pthread_rwlockattr_t *);
    int (*rwlock_destroy)(pthread_rwlock_t *);
    int (*rwlock_rdlock)(pthread_rwlock_t *);
    int (*rwlock_wrlock)(pthread_rwlock_t *);
    int (*rwlock_tryrdlock)(pthread_rwlock_t *);
    int (*rwlock_trywrlock)(pthread_rwlock_t *);
    int (*rwlock_timedrdlock)(pthread_rwlock_t *, const struct timespec *);
    int (*rwlock_timedwrlock)(pthread_rwlock_t *, const struct timespec *);
    int (*rwlock_clockrdlock)(pthread_rwlock_t *, clockid_t, const struct timespec *);
    int (*rwlock_clockwrlock)(pthread_rwlock_t *, clockid_t, const struct timespec *);
    int (*rwlock_unlock)(pthread_rwlock_t *);
    int (*setcanceltype)(int, int *);
    int (*cancel)(pthread_t);
    void (*longjmp)(struct __jmp_buf_tag *, int);
    void (*longjmp_chk)(struct __jmp_buf_tag *, int);
    int (*sigaction)(int, const struct sigaction *, struct sigaction *);
    dropin_handler (*signal)(int, dropin_handler);
    dropin_handler (*sysv_signal)(int, dropin_handler);
    dropin_handler (*sigset)(int, dropin_handler);
    pid_t (*fork_alone)(void); /* _Fork; null before glibc 2.34 */
};

/* The functions, found on first use. The search may call malloc, and malloc may use our locks; so nobody calls this
   with a bucket locked. errno is preserved. */
const struct dropin_real *dropin_real(void);

#endif
