/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* libplc_pthread_stats.so only: counts operations and reports them when the process ends. */
#include "statistics.h"

#ifdef DROPIN_STATISTICS

#include "thread.h"

#include <plc/detail/atomic.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Threads count into one of several lines of cache, so that counting does not make them meet more often than the
   program does. All counters are relaxed: they are added up when the process ends, and order nothing. */
enum { LINES = 64 };
static struct line { uint64_t counts[DROPIN_COUNTERS]; } __attribute__((aligned(64))) lines[LINES];

static uint32_t reported;  /* 1 when this process has written its report */
static int report_fd = -1; /* where the report goes; opened before the program can get in the way */

void dropin_count(enum dropin_counter counter) {
    struct line *line = &lines[(unsigned)dropin_tid() % LINES];
    (void)plc_fetch_add_relaxed(&line->counts[counter], 1u);
}

static uint64_t sum_of(enum dropin_counter counter) {
    uint64_t sum = 0;
    for (int i = 0; i < LINES; i++)
        sum += plc_load_relaxed(&lines[i].counts[counter]);
    return sum;
}

/* What the parent had counted is the parent's to report. */
void dropin_statistics_after_fork(void) {
    memset(lines, 0, sizeof lines);
    plc_store_relaxed(&reported, 0);
}

/* Programs close standard error before they end, give up the right to open files, and overwrite their environment: so
   what will be needed is opened at once, under a high number that they will not want for themselves. */
void dropin_statistics_start(void) {
    const char *file_name = getenv("PLC_STATS_FILE");
    int fd = STDERR_FILENO;
    if (file_name != NULL)
        fd = open(file_name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    report_fd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    if (file_name != NULL && fd >= 0)
        (void)close(fd);
}

static void report(void) {
    uint64_t counts[DROPIN_COUNTERS];
    uint64_t served = 0;
    char text[512];
    for (int i = 0; i < DROPIN_COUNTERS; i++)
        counts[i] = sum_of((enum dropin_counter)i);
    for (int i = 0; i < DROPIN_COUNT_GLIBC; i++)
        served += counts[i];
    if (plc_exchange_relaxed(&reported, 1u) != 0 || served + counts[DROPIN_COUNT_GLIBC] == 0)
        return;
    int length =
        snprintf(text, sizeof text,
                 "libplc: %s[%d]: %llu lock operations served (mutex %llu, rwlock %llu, cond wait %llu, "
                 "cond wake %llu, once %llu; left to glibc %llu)\n",
                 program_invocation_short_name, (int)getpid(), (unsigned long long)served,
                 (unsigned long long)counts[DROPIN_COUNT_MUTEX], (unsigned long long)counts[DROPIN_COUNT_RWLOCK],
                 (unsigned long long)counts[DROPIN_COUNT_WAIT], (unsigned long long)counts[DROPIN_COUNT_WAKE],
                 (unsigned long long)counts[DROPIN_COUNT_ONCE], (unsigned long long)counts[DROPIN_COUNT_GLIBC]);
    if (length > 0) /* one write: the reports of several processes do not mix */
        (void)!write(report_fd, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* The end by exit() or by returning from main. */
__attribute__((destructor)) static void end(void) {
    report();
}

/* Many programs, and most children of a fork, end without destructors. */
_Noreturn static void end_at_once(int status) {
    int saved_errno = errno;
    report();
    errno = saved_errno;
    for (;;)
        (void)syscall(SYS_exit_group, status);
}

extern __typeof__(end_at_once) _exit __attribute__((alias("end_at_once"), visibility("default")));
extern __typeof__(end_at_once) _Exit __attribute__((alias("end_at_once"), visibility("default")));

#endif
