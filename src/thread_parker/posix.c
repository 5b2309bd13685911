/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The thread parker on a POSIX mutex and condition variable, for platforms where a thread cannot sleep on a word. */
#include <errno.h>
#include <time.h>

#include "platform/platform.h"
#include "thread_parker/thread_parker.h"

/* Ordering [P1] is the mutex's. The waker signals while it holds the mutex and unlocks last: the owner cannot see
   signalled, return and destroy the parker before the waker's unlock has let it in, which POSIX allows. unpark_lock
   takes nothing, because the owner waits for the signal even when its time has run out; so a waker holds at most one of
   these mutexes at a time. It does not spin: the mutex and condition beneath have their own policy. */

#define NS_PER_SECOND INT64_C(1000000000)

void plc_thread_parker_init(struct plc_thread_parker *parker) {
    pthread_condattr_t attributes;
    pthread_mutex_init(&parker->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_cond_init(&parker->condition[PLC_CLOCK_REALTIME], &attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&parker->condition[PLC_CLOCK_MONOTONIC], &attributes);
    pthread_condattr_destroy(&attributes);
    parker->sleeping_on = PLC_CLOCK_MONOTONIC;
    parker->signalled = true;
}

void plc_thread_parker_destroy(struct plc_thread_parker *parker) {
    pthread_cond_destroy(&parker->condition[PLC_CLOCK_REALTIME]);
    pthread_cond_destroy(&parker->condition[PLC_CLOCK_MONOTONIC]);
    pthread_mutex_destroy(&parker->mutex);
}

void plc_thread_parker_prepare_park(struct plc_thread_parker *parker, bool may_spin) {
    (void)may_spin;
    pthread_mutex_lock(&parker->mutex);
    parker->signalled = false;
    pthread_mutex_unlock(&parker->mutex);
}

/* Sleeps once; false if the deadline has passed. */
static bool sleep_once(struct plc_thread_parker *parker, plc_deadline_t deadline) {
    pthread_cond_t *condition = &parker->condition[deadline.clock];
    parker->sleeping_on = (int)deadline.clock;
    if (plc_deadline_is_never(deadline)) {
        pthread_cond_wait(condition, &parker->mutex);
        return true;
    }
    if (deadline.ns <= 0)
        return false;
    struct timespec until;
    until.tv_sec = (time_t)(deadline.ns / NS_PER_SECOND);
    until.tv_nsec = (long)(deadline.ns % NS_PER_SECOND);
    return pthread_cond_timedwait(condition, &parker->mutex, &until) != ETIMEDOUT || !plc_deadline_has_passed(deadline);
}

static bool is_signalled(struct plc_thread_parker *parker) {
    pthread_mutex_lock(&parker->mutex);
    bool signalled = parker->signalled;
    pthread_mutex_unlock(&parker->mutex);
    return signalled;
}

static bool sleep_unless_signalled(struct plc_thread_parker *parker, plc_deadline_t deadline) {
    pthread_mutex_lock(&parker->mutex);
    bool in_time = parker->signalled || sleep_once(parker, deadline);
    pthread_mutex_unlock(&parker->mutex);
    return in_time;
}

static void restore_cancel_state(const int *state) {
    pthread_setcancelstate(*state, NULL);
}

/* The hooks run without the mutex: they may unpark this very parker, or throw. */
bool plc_thread_parker_park_until(struct plc_thread_parker *parker, plc_deadline_t deadline,
                                  const struct plc_sleep_hooks *hooks) {
    bool in_time = true;
    int cancel_state __attribute__((cleanup(restore_cancel_state)));
    /* Waiting on a condition is a cancellation point; leaving from here would leave our node in a queue. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    while (!is_signalled(parker)) {
        if (!in_time)
            return false;
        if (hooks)
            hooks->begin(hooks->context);
        in_time = sleep_unless_signalled(parker, deadline);
        if (hooks)
            hooks->end(hooks->context);
    }
    return true;
}

void plc_thread_parker_park(struct plc_thread_parker *parker, const struct plc_sleep_hooks *hooks) {
    plc_thread_parker_park_until(parker, PLC_NO_DEADLINE, hooks);
}

bool plc_thread_parker_timed_out(struct plc_thread_parker *parker) {
    return !is_signalled(parker);
}

void plc_thread_parker_fall_asleep(struct plc_thread_parker *parker) {
    (void)parker;
}

/* It does not spin: whoever waits sleeps. */
bool plc_thread_parker_is_awake(const struct plc_thread_parker *parker) {
    (void)parker;
    return false;
}

void plc_thread_parker_unpark_lock(struct plc_thread_parker *parker) {
    (void)parker;
}

void plc_thread_parker_unpark(struct plc_thread_parker *parker) {
    pthread_mutex_lock(&parker->mutex);
    parker->signalled = true;
    pthread_cond_signal(&parker->condition[parker->sleeping_on]);
    pthread_mutex_unlock(&parker->mutex);
}
