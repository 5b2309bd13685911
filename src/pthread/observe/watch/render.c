/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts the renderer as a process that the program cannot see. */
#include "render.h"

#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child would be noticed: its end sends a signal, and wait() finds it. So there are two, as for a daemon. The first announces its end by no
   signal, only a wait that asks for such children (__WCLONE) sees it, and we take it away at once; the second, which becomes the renderer,
   is then nobody's child. Both share our memory and stop us until they are done with it, as vfork's child does: so a large process
   is not copied, and handlers for forks do not run. That the renderer has ended we learn from a pipe. */
#define STACK_SIZE ((size_t)1 << 16)
enum { FIRST_FD = 200, NOTICE_FD = 3 };

static char renderer[4096]; /* empty: there is none */
static char search_path[4096 + sizeof "PATH="];

struct start {
    int input;
    int output;
    int notice;
    char *stack; /* of the second child */
};

void render_start(void) {
    const char *program = getenv("PLC_WATCH_RENDERER");
    const char *path = getenv("PATH");
    (void)snprintf(renderer, sizeof renderer, "%s", program == NULL ? "" : program);
    (void)snprintf(search_path, sizeof search_path, "PATH=%s", path == NULL ? "" : path);
}

/* ---- The two children, which are in our memory */

_Noreturn static void leave(void) {
    for (;;)
        (void)syscall(SYS_exit, 0);
}

static int become_renderer(void *argument) {
    const struct start *start = argument;
    char notify[] = "--notify";
    char *const arguments[] = {renderer, notify, NULL};
    char *const environment[] = {search_path, NULL};
    if (dup2(start->input, STDIN_FILENO) >= 0 && dup2(start->output, STDOUT_FILENO) >= 0 &&
        dup2(start->notice, NOTICE_FD) >= 0)
        (void)execve(renderer, arguments, environment);
    leave();
}

static int leave_renderer_alone(void *argument) {
    const struct start *start = argument;
    (void)clone(become_renderer, start->stack + STACK_SIZE, CLONE_VM | CLONE_VFORK, argument);
    leave();
}

static void start_both(char *stacks, struct start *start) {
    sigset_t all;
    sigset_t mask;
    start->stack = stacks + STACK_SIZE;
    (void)sigfillset(&all); /* a handler must not run in a child, in our memory */
    (void)pthread_sigmask(SIG_BLOCK, &all, &mask);
    pid_t child = clone(leave_renderer_alone, stacks + STACK_SIZE, CLONE_VM | CLONE_VFORK, start);
    while (child > 0 && waitpid(child, NULL, (int)__WCLONE) < 0 && errno == EINTR)
        continue;
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* ---- Descriptors: with high numbers, so that the program, and what the children do, do not come across them */

static int raise_fd(int fd) {
    int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    (void)close(fd);
    return high;
}

/* The text as a file that can be read; -1 if there is none to be had. */
static int file_with(const char *text, size_t length) {
    int fd = raise_fd(memfd_create("libplc report", MFD_CLOEXEC));
    if (fd < 0)
        return -1;
    if (write(fd, text, length) == (ssize_t)length && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* The renderer says one byte when all is written; the end of the pipe without it means that it could not. */
static bool has_succeeded(int fd) {
    char byte;
    ssize_t count;
    do
        count = read(fd, &byte, 1);
    while (count < 0 && errno == EINTR);
    return count == 1;
}

static bool render_by(char *stacks, int input, int output) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    int reader = raise_fd(ends[0]);
    struct start start = {.input = input, .output = output, .notice = raise_fd(ends[1])};
    if (reader >= 0 && start.notice >= 0)
        start_both(stacks, &start);
    (void)close(start.notice);
    bool done = reader >= 0 && has_succeeded(reader);
    (void)close(reader);
    return done;
}

bool render(const char *text, size_t length, int fd) {
    if (renderer[0] == '\0')
        return false;
    int input = file_with(text, length);
    char *stacks = observe_pages(2 * STACK_SIZE);
    bool done = input >= 0 && stacks != NULL && render_by(stacks, input, fd);
    if (stacks != NULL)
        (void)munmap(stacks, 2 * STACK_SIZE);
    if (input >= 0)
        (void)close(input);
    return done;
}
