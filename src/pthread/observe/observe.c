/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which observers there are and which are switched on; the events that are rare enough to be no inline code. */
#include "observe.h"

#include "profile/profile.h"
#include "stack.h"
#include "watch/watch.h"

#include <errno.h>
#include <stdlib.h>

const struct observer *observe_active[OBSERVERS_MOST];
unsigned observe_active_count;
__thread unsigned observe_inside;

static const struct observer *const known[] = {&profile_observer, &watch_observer};
PLC_STATIC_ASSERT(sizeof known / sizeof known[0] <= OBSERVERS_MOST, "all may be on");

/* The process has one thread yet, or others that are observed from the next lock on. */
void observe_start(void) {
    unsigned count = 0;
    observe_inside++;
    observe_ticks_start();
    observe_stack_start();
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const char *value = getenv(known[i]->variable);
        if (value != NULL && *value != '\0' && (known[i]->start == NULL || known[i]->start(value)))
            observe_active[count++] = known[i];
    }
    observe_active_count = count;
    observe_inside--;
}

void observe_after_fork(void) {
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->after_fork != NULL)
            observe_active[i]->after_fork();
    observe_inside--;
}

uint64_t observe_wait_begin(const void *object, enum observe_mode mode, bool is_timed, const void *caller) {
    int saved_errno = errno;
    uint64_t begin = observe_ticks();
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->wait_begin != NULL)
            observe_active[i]->wait_begin(object, mode, is_timed, caller);
    observe_inside--;
    errno = saved_errno;
    return begin;
}

void observe_wait_end(const void *object, enum observe_mode mode, uint64_t begin, bool is_acquired) {
    int saved_errno = errno;
    uint64_t waited = observe_ticks_since(begin);
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->wait_end != NULL)
            observe_active[i]->wait_end(object, mode, waited, is_acquired);
    observe_inside--;
    errno = saved_errno;
}

uint64_t observe_cond_wait_begin(const void *cond, const void *mutex, bool is_timed, const void *caller) {
    int saved_errno = errno;
    uint64_t begin = observe_ticks();
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->cond_wait_begin != NULL)
            observe_active[i]->cond_wait_begin(cond, mutex, is_timed, caller);
    observe_inside--;
    errno = saved_errno;
    return begin;
}

void observe_cond_wait_end(const void *cond, const void *mutex, uint64_t begin, bool is_woken) {
    int saved_errno = errno;
    uint64_t waited = observe_ticks_since(begin);
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->cond_wait_end != NULL)
            observe_active[i]->cond_wait_end(cond, mutex, waited, is_woken);
    observe_inside--;
    errno = saved_errno;
}

void observe_cond_notified(const void *cond, bool all, const void *caller) {
    observe_inside++;
    for (unsigned i = 0; i < observe_active_count; i++)
        if (observe_active[i]->cond_notified != NULL)
            observe_active[i]->cond_notified(cond, all, caller);
    observe_inside--;
}
