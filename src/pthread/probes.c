/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What libplc tells the drop-in: waits and wakes become probes; and it asks who holds a mutex or a rwlock of pthread's. */
#include "probes.h"

#include "layout.h"

#include "parking_lot/probes.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* plc:park     address, kind              a thread is queued and about to sleep
   plc:parked   address, kind, timed out   it is back
   plc:unpark   address, kind              a thread is about to be woken
   The kinds are those of plc/debug.h. */
#ifdef DROPIN_PROBES

static void park(const void *address, unsigned kind) {
    STAP_PROBE2(plc, park, address, kind);
    if (kind == PLC_DEBUG_MUTEX)
        DROPIN_PROBE(lll_lock_wait, address);
}

static void parked(const void *address, unsigned kind, bool timed_out) {
    STAP_PROBE3(plc, parked, address, kind, (int)timed_out);
}

static void unpark(const void *address, unsigned kind) {
    STAP_PROBE2(plc, unpark, address, kind);
}

#else
#define park NULL
#define parked NULL
#define unpark NULL
#endif

/* ---- Who holds it: for dumps, which may be made in a signal handler
 *
 * The address is that of a plc_mutex_t or plc_rwlock_t, and most often that lies in an object of pthread's; but a program
 * may use libplc's own as well. So what follows it is read only if it is there, and believed only if it looks like the
 * rest of such an object and names a thread of this process. */

/* Are there eight bytes to read? The kernel says so when it is asked for nothing. */
static bool is_readable(const void *address) {
    enum { NO_SUCH_REQUEST = -1, KERNEL_SIGNAL_SET_SIZE = 8 };
    int saved_errno = errno;
    bool readable =
        syscall(SYS_rt_sigprocmask, NO_SUCH_REQUEST, address, NULL, KERNEL_SIGNAL_SET_SIZE) == 0 || errno != EFAULT;
    errno = saved_errno;
    return readable;
}

static uint64_t thread_if_there(int tid) {
    int saved_errno = errno;
    bool is_there = tid > 0 && syscall(SYS_tgkill, getpid(), tid, 0) == 0;
    errno = saved_errno;
    return is_there ? (uint64_t)tid : 0;
}

static uint64_t holder_of_mutex(const pthread_mutex_t *mutex) {
    if (!is_readable(&mutex->__data.__owner) || !is_readable(&mutex->__data.__kind))
        return 0;
    int kind = dropin_mutex_kind(mutex);
    if (kind < 0 || kind > PTHREAD_MUTEX_ADAPTIVE_NP)
        return 0;
    return thread_if_there(plc_load_relaxed(&mutex->__data.__owner)); /* relaxed: a guess */
}

static uint64_t holder_of_rwlock(const pthread_rwlock_t *rwlock) {
    if (!is_readable(&rwlock->__data.__cur_writer) || !is_readable(&rwlock->__data.__flags))
        return 0;
    if (rwlock->__data.__shared != 0 || rwlock->__data.__flags > PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP)
        return 0;
    return thread_if_there(plc_load_relaxed(&rwlock->__data.__cur_writer)); /* relaxed: a guess */
}

static uint64_t holder(const void *address, unsigned kind) {
    if (kind == PLC_DEBUG_MUTEX)
        return holder_of_mutex(address);
    return kind == PLC_DEBUG_RWLOCK ? holder_of_rwlock(address) : 0;
}

static const struct plc_lot_probes probes = {park, parked, unpark, holder};

__attribute__((constructor)) static void look_on(void) {
    plc_lot_set_probes_(&probes);
}
