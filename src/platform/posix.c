/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of the platform layer that POSIX alone provides. */
#include <errno.h>
#include <plc/detail/atomic.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "platform/platform.h"

#define NS_PER_SECOND INT64_C(1000000000)

int64_t plc_os_now_ns(enum plc_clock clock) {
    struct timespec now;
    clock_gettime(clock == PLC_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

void plc_os_yield(void) {
    sched_yield();
}

void *plc_os_pages_alloc(size_t size) {
    int saved_errno = errno;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved_errno;
    return pages == MAP_FAILED ? NULL : pages;
}

void plc_os_pages_free(void *pages, size_t size) {
    munmap(pages, size);
}

void plc_os_at_fork_child(void (*handler)(void)) {
    pthread_atfork(NULL, NULL, handler);
}

/* ---- The end of a thread: one key for all threads, whose value is the thread's registration. */

struct thread_exit {
    void (*handler)(void *argument);
    void *argument;
};
static pthread_key_t thread_exit_key;
static bool thread_exit_key_exists;
static __thread struct thread_exit thread_exit;

static void run_thread_exit(void *value) {
    const struct thread_exit *registered = value;
    registered->handler(registered->argument);
}

static void create_thread_exit_key(void) {
    thread_exit_key_exists = pthread_key_create(&thread_exit_key, run_thread_exit) == 0;
}

bool plc_os_at_thread_exit(void (*handler)(void *argument), void *argument) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int saved_errno = errno;
    pthread_once(&once, create_thread_exit_key);
    thread_exit = (struct thread_exit){handler, argument};
    bool registered = thread_exit_key_exists && pthread_setspecific(thread_exit_key, &thread_exit) == 0;
    errno = saved_errno;
    return registered;
}

uint32_t plc_os_process_id(void) {
    return (uint32_t)getpid();
}

void plc_os_write(int fd, const char *text, size_t length) {
    int saved_errno = errno;
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR)
            break; /* nothing is left to do about it */
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    errno = saved_errno;
}

/* Appends text to line, which has room for size characters, and returns the new length. */
static size_t append(char *line, size_t size, size_t length, const char *text) {
    while (*text && length < size)
        line[length++] = *text++;
    return length;
}

static size_t append_number(char *line, size_t size, size_t length, uint64_t number, unsigned base) {
    char digits[20 + 1];
    char *digit = digits + sizeof digits - 1;
    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    return append(line, size, length, digit);
}

void plc_os_fatal(const char *type, const void *address, const char *mistake) {
    /* Written by hand: stdio takes locks and allocates, and we may be inside malloc. */
    char line[256];
    size_t room = sizeof line - 1;
    size_t length = append(line, room, 0, "libplc: ");
    length = append(line, room, length, type);
    length = append(line, room, length, " 0x");
    length = append_number(line, room, length, (uintptr_t)address, 16);
    length = append(line, room, length, ": thread ");
    length = append_number(line, room, length, plc_os_thread_id(), 10);
    length = append(line, room, length, ": ");
    length = append(line, room, length, mistake);
    line[length++] = '\n';
    plc_os_write(STDERR_FILENO, line, length);
    abort();
}
