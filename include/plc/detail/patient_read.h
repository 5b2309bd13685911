/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How pthread's default rwlocks are read: behind a waiting writer, but not for ever. */
#ifndef PLC_DETAIL_PATIENT_READ_H
#define PLC_DETAIL_PATIENT_READ_H

#include <plc/rwlock.h>

#include <time.h>

/* Who may read although a writer waits? glibc's default kind lets everybody, so that programs which read-lock
   recursively, or which wait for another reader while they read, do not lock up; but fifteen readers can keep a writer
   out for good. Here:

     R1. A thread that holds a read lock, of any rwlock, reads through. Of any, because two threads may hold one each and
         want the other's. The caller keeps a count per thread: it says that as well as a list would, and cannot
         overflow. Should another thread do a reader's unlock in its place, the count is off by one, and R2 mends it.
     R2. Others queue behind the writer. Whoever is still queued after 100 ms, and finds that readers still have the
         lock, reads through too: some reader inside may be waiting for it. So nothing locks up that does not under
         glibc, and each thread overtakes a waiting writer at most ten times a second.
     R3. If a writer has the lock after those 100 ms, the next patience is twice as long: a reader that gives up its
         place in the queue loses it, and must not do so for ever. */
enum { PLC_READ_PATIENCE_NS_ = 100000000 };

/* Does the deadline come within this time? */
static inline bool plc_deadline_is_within_(plc_deadline_t deadline, int64_t ns) {
    struct timespec now;
    if (plc_deadline_is_never(deadline))
        return false;
    (void)clock_gettime(deadline.clock == PLC_CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, &now);
    return deadline.ns - ns <= (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* R2 and R3. */
static inline bool plc_rwlock_read_patiently_(plc_rwlock_t *lock,
                                              plc_deadline_t deadline) PLC_NO_THREAD_SAFETY_ANALYSIS {
    for (int64_t patience = PLC_READ_PATIENCE_NS_;; patience *= 2) {
        bool is_last = plc_deadline_is_within_(deadline, patience);
        if (plc_rwlock_read_lock_until(lock, is_last ? deadline : plc_deadline_after_ns(patience)))
            return true;
        if (is_last)
            return false;
        if (plc_rwlock_try_recursive_read_lock(lock))
            return true;
    }
}

/* All three; held is how many read locks this thread holds. */
static inline bool plc_rwlock_read_as_pthread_(plc_rwlock_t *lock, unsigned held,
                                               plc_deadline_t deadline) PLC_NO_THREAD_SAFETY_ANALYSIS {
    return held != 0 ? plc_rwlock_recursive_read_lock_until(lock, deadline)
                     : plc_rwlock_read_patiently_(lock, deadline);
}

#endif
