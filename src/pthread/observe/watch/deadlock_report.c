/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is said about a deadlock. */
#include "deadlock_report.h"

#include "../../thread.h"
#include "report.h"

#include <errno.h>
#include <unistd.h>

static const char *purpose(enum observe_mode mode) {
    return mode == OBSERVE_READ ? " to read" : mode == OBSERVE_WRITE ? " to write" : "";
}

static void tell_wait(struct report *report, const struct deadlock_thread *thread, const struct deadlock_thread *next) {
    if (thread->wait.cond != NULL)
        report_text(report, "  waits for cond %p, and needs its\n  mutex %p again", thread->wait.cond,
                    thread->wait.object);
    else
        report_text(report, "  waits for %s %p%s", report_lock_name(thread->wait.mode), thread->wait.object,
                    purpose(thread->wait.mode));
    if (!next->is_holder)
        report_text(report, "\n  behind thread %d, which waits to write it, at\n", next->tid);
    else if (next->tid == thread->tid)
        report_text(report, "\n  which it holds itself, at\n");
    else
        report_text(report, "\n  which thread %d holds, at\n", next->tid);
    report_stack(report, thread->wait.stack);
}

static void tell_hold(struct report *report, const struct deadlock_thread *thread) {
    if (!thread->is_holder)
        return;
    report_text(report, "  holds %s %p%s, taken at\n", report_lock_name(thread->held.mode), thread->held.object,
                purpose(thread->held.mode));
    report_stack(report, thread->held.stack);
}

static void tell_thread(struct report *report, const struct deadlock *deadlock, unsigned index) {
    const struct deadlock_thread *thread = &deadlock->threads[index];
    unsigned next = (index + 1) % deadlock->length;
    report_text(report, "\nThread %d (%s)\n", thread->tid, report_thread_name(report, thread->tid));
    tell_hold(report, thread);
    if (next < DEADLOCK_SHOWN)
        tell_wait(report, thread, &deadlock->threads[next]);
}

void deadlock_report(const struct deadlock *deadlock) {
    struct report *report = report_begin();
    report_text(report, "== libplc: deadlock in %s [%d]\n", program_invocation_short_name, (int)getpid());
    if (deadlock->length == 1)
        report_text(report, "A thread waits for itself. Only another thread's unlock could free it.\n");
    else
        report_text(report, "%u threads wait for each other, and none can go on.\n", deadlock->length);
    for (unsigned i = 0; i < deadlock->length && i < DEADLOCK_SHOWN; i++)
        tell_thread(report, deadlock, i);
    if (deadlock->length > DEADLOCK_SHOWN)
        report_text(report, "\nand %u more threads\n", deadlock->length - DEADLOCK_SHOWN);
    report_text(report, "== end of deadlock\n");
    report_send(report);
}

void deadlock_report_end(const void *object) {
    struct report *report = report_begin();
    report_text(report,
                "== libplc: %s [%d]: the deadlock around %p is over: thread %d gives\n"
                "it up, which had not taken it. From now on it counts as handed over.\n",
                program_invocation_short_name, (int)getpid(), object, dropin_tid());
    report_send(report);
}
