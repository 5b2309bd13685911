/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Texts with stacks in them, which leave the process as soon as they are complete. */
#include "report.h"

#include "render.h"

#include <plc/mutex.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A report is text; only a frame is a line of its own kind, "@ ADDRESS", and at the end stand the mappings of files, as in
   /proc/self/maps, after a line "maps:". plc-run's renderer turns addresses into functions and lines. Where it cannot be started, the text
   is written as it is, so that nothing is lost: plc-render renders it later.

   Nothing here comes from the heap: the program may be inside malloc. */
enum { REPORT_SIZE = 1 << 18, FIRST_FD = 200 };

struct report {
    size_t length;
    int cancel_state;
    int saved_errno;
    char name[64];
    char text[REPORT_SIZE];
};

static struct report only_report; /* used by one thread at a time */
static plc_mutex_t report_lock;

/* ---- Where reports go */

static int output_fd = -1;
static dev_t output_device;
static ino_t output_inode;
static char output_path[4096]; /* empty: standard error */

static int open_output(void) {
    int fd = open(output_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    (void)close(fd);
    return high;
}

static void remember_output(void) {
    struct stat status;
    if (fstat(output_fd, &status) != 0)
        return;
    output_device = status.st_dev;
    output_inode = status.st_ino;
}

void report_start(void) {
    const char *path = getenv("PLC_WATCH_OUTPUT");
    if (path != NULL)
        (void)snprintf(output_path, sizeof output_path, "%s", path);
    output_fd = output_path[0] != '\0' ? open_output() : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, FIRST_FD);
    remember_output();
    render_start();
}

/* A program may close everything and open other files under the same numbers: these are not to be written to. */
static bool is_output(int fd) {
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == output_device && status.st_ino == output_inode;
}

/* -1: there is no place any more. */
static int find_output(void) {
    if (is_output(output_fd))
        return output_fd;
    if (output_path[0] == '\0')
        return is_output(STDERR_FILENO) ? STDERR_FILENO : -1;
    output_fd = open_output();
    remember_output();
    return output_fd;
}

/* The thread that forked may have been the only one that was not writing. */
void report_after_fork(void) {
    report_lock = (plc_mutex_t)PLC_MUTEX_INIT;
}

/* ---- Writing one */

struct report *report_begin(void) {
    struct report *report = &only_report;
    int saved_errno = errno;
    int cancel_state;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    plc_mutex_lock(&report_lock);
    report->length = 0;
    report->cancel_state = cancel_state;
    report->saved_errno = saved_errno;
    return report;
}

void report_text(struct report *report, const char *format, ...) {
    va_list arguments;
    size_t room = REPORT_SIZE - report->length;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang-tidy 14 forgets the line above if it reads several files */
    int length = vsnprintf(report->text + report->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        report->length += (size_t)length < room ? (size_t)length : room - 1;
}

void report_stack(struct report *report, call_stack_id stack) {
    uintptr_t addresses[CALL_STACK_DEPTH];
    unsigned depth = call_stack_addresses(stack, addresses);
    if (depth == 0)
        report_text(report, "      (stack not known)\n");
    for (unsigned i = 0; i < depth; i++)
        report_text(report, "@ %#lx\n", (unsigned long)addresses[i]);
}

const char *report_lock_name(enum observe_mode mode) {
    return mode == OBSERVE_MUTEX ? "mutex" : "rwlock";
}

const char *report_thread_name(struct report *report, int tid) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, report->name, sizeof report->name - 1);
    if (fd >= 0)
        (void)close(fd);
    report->name[length > 0 ? length : 0] = '\0';
    report->name[strcspn(report->name, "\n")] = '\0';
    return report->name;
}

/* ---- Sending it */

/* "begin-end rwxp offset device inode  path": what comes from a file, and memory without a name that lies right behind, which is
   where its zeroed variables are. */
static void add_mapping(struct report *report, const char *line, size_t length, uintptr_t *file_end) {
    unsigned long begin;
    unsigned long end;
    bool is_file = memchr(line, '/', length) != NULL;
    if (sscanf(line, "%lx-%lx", &begin, &end) != 2 || (!is_file && begin != *file_end))
        return;
    report_text(report, "%.*s\n", (int)length, line);
    *file_end = is_file ? end : 0;
}

static void add_mappings(struct report *report) {
    char buffer[8192];
    size_t filled = 0;
    uintptr_t file_end = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    report_text(report, "maps:\n");
    while (fd >= 0) {
        ssize_t count = read(fd, buffer + filled, sizeof buffer - filled);
        if (count <= 0)
            break;
        filled += (size_t)count;
        size_t begin = 0;
        for (const char *end; (end = memchr(buffer + begin, '\n', filled - begin)) != NULL;) {
            size_t length = (size_t)(end - (buffer + begin));
            add_mapping(report, buffer + begin, length, &file_end);
            begin += length + 1;
        }
        memmove(buffer, buffer + begin, filled - begin);
        filled -= begin;
        if (filled == sizeof buffer)
            filled = 0; /* a path that long: not this one */
    }
    if (fd >= 0)
        (void)close(fd);
}

static bool write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t count = write(fd, text, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        text += count;
        length -= (size_t)count;
    }
    return true;
}

/* A reader that is gone must not kill the program: its signal is taken back, unless one was pending anyway. */
static bool write_quietly(int fd, const char *text, size_t length) {
    const struct timespec now = {0, 0};
    sigset_t pipe_signal;
    sigset_t mask;
    sigset_t pending;
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &mask);
    bool done = write_all(fd, text, length);
    int error = errno;
    if (!done && error == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        (void)sigtimedwait(&pipe_signal, NULL, &now);
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    errno = error;
    return done;
}

/* Says so once, on standard error, if a file cannot take it. */
static void write_report(int fd, const struct report *report) {
    static bool has_complained; /* under the report's lock */
    char complaint[sizeof output_path + 128];
    if (write_quietly(fd, report->text, report->length) || has_complained || output_path[0] == '\0')
        return;
    has_complained = true;
    int length = snprintf(complaint, sizeof complaint, "libplc: %s[%d]: cannot write a report to %s: %s\n",
                          program_invocation_short_name, (int)getpid(), output_path, strerror(errno));
    if (length > 0)
        (void)write_quietly(STDERR_FILENO, complaint, (size_t)length);
}

static void end(struct report *report) {
    int saved_errno = report->saved_errno;
    int cancel_state = report->cancel_state;
    plc_mutex_unlock(&report_lock);
    (void)pthread_setcancelstate(cancel_state, NULL);
    errno = saved_errno;
}

void report_send(struct report *report) {
    int fd = find_output();
    add_mappings(report);
    if (fd >= 0 && !render(report->text, report->length, fd))
        write_report(fd, report);
    end(report);
}

void report_send_plain(struct report *report) {
    int fd = find_output();
    if (fd >= 0)
        write_report(fd, report);
    end(report);
}
