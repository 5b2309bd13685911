/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One deadline for a job of several waits: it names an instant, so nothing has to be subtracted between them. */
#include <plc/plc.h>

#include <stdio.h>
#include <time.h>

static plc_mutex_t mutex;
static plc_condvar_t condvar;
static bool finished;

/* Waits for the lock and then for the job, for both together until @p deadline. */
static bool wait_for_job(plc_deadline_t deadline) {
    if (!plc_mutex_lock_until(&mutex, deadline))
        return false;
    bool in_time = true;
    while (!finished && in_time)
        in_time = plc_condvar_wait_until(&condvar, &mutex, deadline);
    const bool result = finished;
    plc_mutex_unlock(&mutex);
    return result;
}

int main(void) {
    const int64_t milliseconds = 1000000;

    /* Relative: "within two milliseconds from now". */
    if (wait_for_job(plc_deadline_after_ns(2 * milliseconds)))
        return 1;
    printf("nobody finished the job within 2 ms\n");

    /* By the wall clock: the wait follows the clock when it is set. */
    const plc_deadline_t a_second_ago = plc_deadline_at(PLC_CLOCK_REALTIME, (int64_t)time(NULL) - 1, 0);
    if (!plc_deadline_has_passed(a_second_ago) || wait_for_job(a_second_ago))
        return 1;
    printf("a deadline in the past means now\n");

    /* Too far away to represent means never. */
    if (!plc_deadline_is_never(plc_deadline_after_ns(INT64_MAX)))
        return 1;
    finished = true;
    if (!wait_for_job(PLC_NO_DEADLINE))
        return 1;
    printf("a finished job is not waited for\n");
    return 0;
}
