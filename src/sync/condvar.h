/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The wait of the condition variable with everything that only the replacement for pthread asks of it. */
#ifndef PLC_SYNC_CONDVAR_H
#define PLC_SYNC_CONDVAR_H

#include <plc/condvar.h>

PLC_BEGIN_DECLS

/* How to wait. */
struct plc_condvar_request {
    plc_mutex_t *mutex;             /* the mutex that the caller holds, or null if it holds ... */
    const struct plc_lock_ops *ops; /* ... a lock of another type, which is let go of and taken again by these */
    void *lock;
    plc_deadline_t deadline;
    /* A condvar on which others wait with another mutex or lock: degrade to "any lock" instead of aborting. */
    bool degrade;
    /* As in struct plc_park_ops; may be null, both or none. With them the thread's cancellation type is the deferred one but
       where they say otherwise, which a jump out of a signal handler makes good as well. */
    void (*wait_begin)(void *hook_context);
    void (*wait_end)(void *hook_context);
    void *hook_context;
};

/* Lets go of the lock, waits, takes the lock again; returns whether it was notified. Exported for libplc_pthread.so,
   not API. */
PLC_API bool plc_condvar_wait_core_(plc_condvar_t *condvar, const struct plc_condvar_request *request);

PLC_END_DECLS
#endif
