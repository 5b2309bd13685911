/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the replacement for pthread asks of the condition variable: hooks around each sleep, and any mixture of locks. */
#include "sync/condvar.h"

#include "lot.h"

static plc_mutex_t mutex, other;
static plc_condvar_t condvar;
static bool ready, told[2];
static int begins, ends;

/* The hooks hold no mutex and no bucket: they may lock, as a cancellation handler does. */
static void begin(void *context) {
    MC_ASSERT(context == &condvar && begins == ends);
    begins++;
}

static void end(void *context) {
    (void)context;
    ends++;
    MC_ASSERT(begins == ends);
}

static bool wait_with(plc_mutex_t *with, plc_deadline_t deadline, bool hooks) {
    struct plc_condvar_request request = {.mutex = with, .deadline = deadline, .degrade = true};
    if (hooks) {
        request.wait_begin = begin;
        request.wait_end = end;
        request.hook_context = &condvar;
    }
    return plc_condvar_wait_core_(&condvar, &request);
}

static void timed_wait_with_hooks(int self) {
    plc_mutex_lock(&mutex);
    if (self == 0)
        told[0] = wait_with(&mutex, soon(), true);
    else
        told[1] = plc_condvar_notify_one(&condvar);
    plc_mutex_unlock(&mutex);
}

static void told_the_truth(void) {
    MC_ASSERT(begins == ends);
    MC_ASSERT(told[0] == told[1]);
    MC_ASSERT(mutex.state == 0 && condvar.state == 0);
    lot_must_be_empty();
}

/* Two wait with a mutex each, in either order; one notification for both. Each comes back with its own mutex. */
static void mixed_mutexes(int self) {
    plc_mutex_t *mine = self == 0 ? &mutex : &other;
    if (self < 2) {
        plc_mutex_lock(mine);
        while (!ready)
            MC_ASSERT(wait_with(mine, PLC_NO_DEADLINE, false));
        told[self] = plc_mutex_is_locked(mine);
        plc_mutex_unlock(mine);
        return;
    }
    plc_mutex_lock(&mutex);
    plc_mutex_lock(&other);
    ready = true;
    plc_mutex_unlock(&other);
    plc_mutex_unlock(&mutex);
    plc_condvar_notify_all(&condvar);
}

static void both_told(void) {
    MC_ASSERT(told[0] && told[1]);
    MC_ASSERT(mutex.state == 0 && other.state == 0 && condvar.state == 0);
    lot_must_be_empty();
}

#ifdef IDEAL
#define BOUND(n) (n)
#else
#define BOUND(n) ((n)-1)
#endif
MC_SCENARIOS({.name = "condvar: hooks around sleeps" ON,
              .threads = 2,
              .setup = lot_setup,
              .thread = timed_wait_with_hooks,
              .finish = told_the_truth,
              .preemptions = BOUND(4),
              .stale = 1},
             {.name = "condvar: two mutexes, notify_all" ON,
              .threads = 3,
              .setup = lot_setup,
              .thread = mixed_mutexes,
              .finish = both_told,
              .preemptions = BOUND(3),
              .stale = 1});
