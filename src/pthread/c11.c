/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* C11's mtx_*, cnd_* and call_once, all of them: in glibc, and so here, they are pthread's objects under other names. */
#include "cond.h"
#include "layout.h"
#include "mutex.h"
#include "once.h"

#include <errno.h>
#include <threads.h>

/* glibc's own versions call its own mutex code inside, past everybody who takes pthread's names over. So they are taken over as
   one set. Programs may hand such an object to pthread's functions, and the other way round. */
PLC_STATIC_ASSERT(sizeof(mtx_t) == sizeof(pthread_mutex_t), "a mtx_t is a pthread_mutex_t");
PLC_STATIC_ASSERT(sizeof(cnd_t) == sizeof(pthread_cond_t), "a cnd_t is a pthread_cond_t");
PLC_STATIC_ASSERT(sizeof(once_flag) == sizeof(pthread_once_t), "a once_flag is a pthread_once_t");

static pthread_mutex_t *mutex_of(mtx_t *mtx) {
    return (pthread_mutex_t *)(void *)mtx;
}

static pthread_cond_t *cond_of(cnd_t *cnd) {
    return (pthread_cond_t *)(void *)cnd;
}

static int to_c11(int error) {
    switch (error) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

/* ---- Mutex */

/* Every mutex of ours can be waited for with a deadline, so that mtx_timed changes nothing. The kind is what glibc writes: an
   explicit "normal" has the bit that turns elision off. Types that are none are not refused, as in glibc. */
static int c11_mtx_init(mtx_t *mtx, int type) {
    pthread_mutex_t *mutex = mutex_of(mtx);
    (void)dropin_mutex_init(mutex, NULL);
    mutex->__data.__kind = (type & mtx_recursive) != 0 ? PTHREAD_MUTEX_RECURSIVE_NP : DROPIN_KIND_NO_ELISION;
    return thrd_success;
}

static void c11_mtx_destroy(mtx_t *mtx) {
    (void)dropin_mutex_destroy(mutex_of(mtx));
}

static int c11_mtx_lock(mtx_t *mtx) {
    return to_c11(dropin_mutex_lock(mutex_of(mtx)));
}

static int c11_mtx_trylock(mtx_t *mtx) {
    return to_c11(dropin_mutex_trylock(mutex_of(mtx)));
}

static int c11_mtx_timedlock(mtx_t *restrict mtx, const struct timespec *restrict time) {
    return to_c11(dropin_mutex_timedlock(mutex_of(mtx), time));
}

static int c11_mtx_unlock(mtx_t *mtx) {
    return to_c11(dropin_mutex_unlock(mutex_of(mtx)));
}

/* ---- Condition */

static int c11_cnd_init(cnd_t *cnd) {
    return to_c11(dropin_cond_init(cond_of(cnd), NULL));
}

static void c11_cnd_destroy(cnd_t *cnd) {
    (void)dropin_cond_destroy(cond_of(cnd));
}

static int c11_cnd_wait(cnd_t *cnd, mtx_t *mtx) {
    return to_c11(dropin_cond_wait(cond_of(cnd), mutex_of(mtx)));
}

static int c11_cnd_timedwait(cnd_t *restrict cnd, mtx_t *restrict mtx, const struct timespec *restrict time) {
    return to_c11(dropin_cond_timedwait(cond_of(cnd), mutex_of(mtx), time));
}

static int c11_cnd_signal(cnd_t *cnd) {
    return to_c11(dropin_cond_signal(cond_of(cnd)));
}

static int c11_cnd_broadcast(cnd_t *cnd) {
    return to_c11(dropin_cond_broadcast(cond_of(cnd)));
}

/* ---- Once */

static void c11_call_once(once_flag *flag, void (*routine)(void)) {
    (void)dropin_once((pthread_once_t *)(void *)flag, routine);
}

DROPIN_EXPORT(mtx_init, c11_mtx_init);
DROPIN_EXPORT(mtx_destroy, c11_mtx_destroy);
DROPIN_EXPORT(mtx_lock, c11_mtx_lock);
DROPIN_EXPORT(mtx_trylock, c11_mtx_trylock);
DROPIN_EXPORT(mtx_timedlock, c11_mtx_timedlock);
DROPIN_EXPORT(mtx_unlock, c11_mtx_unlock);
DROPIN_EXPORT(cnd_init, c11_cnd_init);
DROPIN_EXPORT(cnd_destroy, c11_cnd_destroy);
DROPIN_EXPORT(cnd_wait, c11_cnd_wait);
DROPIN_EXPORT(cnd_timedwait, c11_cnd_timedwait);
DROPIN_EXPORT(cnd_signal, c11_cnd_signal);
DROPIN_EXPORT(cnd_broadcast, c11_cnd_broadcast);
DROPIN_EXPORT(call_once, c11_call_once);
