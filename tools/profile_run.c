/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs a program as a child, passes signals on to it, and has its profiles reported when it ends, on a signal, and
   every N seconds. */
#include "profile_run.h"

#include "profile_processes.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* plc-run stays, as the program's parent, because somebody must be there to report when the program was killed. The
   program is in its caller's process group, session and terminal; it has no helper process among its children, no
   handler and no descriptor that it did not open. What is sent to plc-run is passed on, a signal that stops or kills
   the program does the same to plc-run, and the exit status is the program's. */

enum { EXIT_OURS = 125, PATH_SIZE = 4096 };

static char reporter[PATH_SIZE]; /* plc-report */

/* What arrives from elsewhere than the terminal, which sends to the program as well, is the program's. */
static const int passed_on[] = {SIGINT,  SIGQUIT, SIGTERM,  SIGHUP, SIGUSR1, SIGUSR2,
                                SIGCONT, SIGALRM, SIGWINCH, SIGURG, SIGIO,   SIGPIPE};

struct run {
    const struct profile_options *options;
    struct profile_processes processes;
    pid_t program;
    int channel; /* where processes send their memory */
    int signals;
    uint64_t begin_ms;
    bool has_ended;
    int status; /* of waitpid */
};

static uint64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Reports */

/* In place of a report, if there is nobody who could make one. */
static void save_raw(const struct run *run) {
    for (size_t i = 0; i < run->processes.count; i++) {
        char path[PATH_SIZE];
        const char *base = run->options->output == NULL ? "plc-profile" : run->options->output;
        (void)snprintf(path, sizeof path, "%s.%d.%zu.raw", base, (int)run->program, i);
        if (profile_save(run->processes.memory[i], path))
            (void)fprintf(stderr, "plc-run: what was gathered is in %s, for plc-report\n", path);
        else
            (void)fprintf(stderr, "plc-run: cannot write %s: %s\n", path, strerror(errno));
    }
}

_Noreturn static void become_reporter(const struct run *run, bool is_last) {
    enum { FIXED = 10 };
    static char numbers[PROFILE_PROCESSES_MOST][16];
    char *arguments[FIXED + PROFILE_PROCESSES_MOST];
    char program[16];
    char dropped[24];
    size_t count = 0;
    (void)snprintf(program, sizeof program, "%d", (int)run->program);
    (void)snprintf(dropped, sizeof dropped, "%zu", run->processes.dropped);
    arguments[count++] = reporter;
    arguments[count++] = is_last ? "--ended" : "--running";
    arguments[count++] = program;
    arguments[count++] = "--dropped";
    arguments[count++] = dropped;
    arguments[count++] = "--top";
    arguments[count++] = (char *)(uintptr_t)run->options->top;
    if (run->options->output != NULL) {
        arguments[count++] = "--output";
        arguments[count++] = (char *)(uintptr_t)run->options->output;
    }
    for (size_t i = 0; i < run->processes.count; i++) {
        int memory = run->processes.memory[i];
        (void)fcntl(memory, F_SETFD, 0);
        (void)snprintf(numbers[i], sizeof numbers[i], "/dev/fd/%d", memory);
        arguments[count++] = numbers[i];
    }
    arguments[count] = NULL;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)unsetenv("LD_PRELOAD"); /* the reporter's own locks are nobody's business */
    (void)unsetenv("PLC_PROFILE_SOCKET");
    (void)execvp(reporter, arguments);
    _exit(EXIT_NOT_FOUND);
}

static void report(const struct run *run, bool is_last) {
    int status = -1;
    profile_tell_time(&run->processes);
    if (run->processes.count == 0) {
        (void)fprintf(stderr, "plc-run: there is no profile: no process with libplc's locks has begun\n");
        return;
    }
    pid_t child = fork();
    if (child == 0)
        become_reporter(run, is_last);
    if (child > 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    if (status == 0)
        return;
    (void)fprintf(stderr, "plc-run: %s did not make the report\n", reporter);
    if (is_last)
        save_raw(run);
}

/* That a long run is alive, and how it goes. */
static void say_progress(const struct run *run) {
    profile_tell_time(&run->processes);
    struct profile_totals totals = profile_sum(&run->processes);
    double contended = totals.acquisitions == 0 ? 0 : 100.0 * (double)totals.waits / (double)totals.acquisitions;
    (void)fprintf(
        stderr, "plc-run: %llu s: %llu acquisitions of %llu locks, %.2f %% contended, waited %.3g s for %llu locks\n",
        (unsigned long long)((now_ms() - run->begin_ms) / 1000), (unsigned long long)totals.acquisitions,
        (unsigned long long)totals.locks, contended, totals.waited_seconds, (unsigned long long)totals.waited_for);
}

/* ---- The program */

static void look_after_program(struct run *run) {
    int status;
    while (waitpid(run->program, &status, WNOHANG | WUNTRACED) > 0) {
        if (WIFSTOPPED(status)) {
            (void)kill(getpid(), SIGSTOP); /* the caller sees a job that has stopped */
            (void)kill(run->program, SIGCONT);
        } else {
            run->has_ended = true;
            run->status = status;
            return;
        }
    }
}

static void handle_signals(struct run *run) {
    struct signalfd_siginfo info;
    while (read(run->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        int number = (int)info.ssi_signo;
        if (number == SIGCHLD)
            look_after_program(run);
        else if (number == run->options->signal)
            report(run, false);
        else if (info.ssi_code <= 0 && !run->has_ended) /* sent by a process, not by the kernel */
            (void)kill(run->program, number);
    }
}

/* The reports that time asks for; how long to sleep until the next. */
static int be_on_time(const struct run *run, uint64_t *next_ms) {
    const uint64_t every_ms = (uint64_t)run->options->every * 1000;
    uint64_t now = now_ms();
    if (every_ms == 0)
        return -1;
    if (now >= *next_ms) {
        say_progress(run);
        if (run->options->output != NULL)
            report(run, false);
        *next_ms += ((now - *next_ms) / every_ms + 1) * every_ms;
        now = now_ms();
    }
    return *next_ms > now ? (int)(*next_ms - now) : 0;
}

static void supervise(struct run *run) {
    uint64_t next_ms = run->begin_ms + (uint64_t)run->options->every * 1000;
    look_after_program(run);
    while (!run->has_ended) {
        struct pollfd wanted[2] = {{run->signals, POLLIN, 0}, {run->channel, POLLIN, 0}};
        (void)poll(wanted, 2, be_on_time(run, &next_ms));
        profile_receive(run->channel, &run->processes); /* before the signals: a report may be asked for */
        handle_signals(run);
    }
    profile_receive(run->channel, &run->processes);
}

/* As the program ended, so does plc-run; without another memory dump. */
static int end_as(int status) {
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    const struct rlimit none = {0, 0};
    sigset_t mask;
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(WTERMSIG(status), SIG_DFL);
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, WTERMSIG(status));
    (void)sigprocmask(SIG_UNBLOCK, &mask, NULL);
    (void)raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

_Noreturn static void become_program(char **program, const sigset_t *mask) {
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    _exit(program_become(program));
}

static bool is_not_found(int status) {
    return WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_NOT_FOUND || WEXITSTATUS(status) == EXIT_CANNOT_RUN);
}

int profile_run(const struct profile_options *options, char **program) {
    struct run run = {.options = options, .begin_ms = now_ms()};
    char name[64];
    sigset_t wanted;
    sigset_t before;
    run.channel = profile_listen(name, sizeof name);
    if (run.channel < 0 || setenv("PLC_PROFILE_SOCKET", name, 1) != 0) {
        (void)fprintf(stderr, "plc-run: cannot make a socket for the profile: %s\n", strerror(errno));
        return EXIT_OURS;
    }
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigaddset(&wanted, options->signal);
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        (void)sigaddset(&wanted, passed_on[i]);
    (void)sigprocmask(SIG_BLOCK, &wanted, &before);
    run.signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    run.program = run.signals < 0 ? -1 : fork();
    if (run.program == 0)
        become_program(program, &before);
    if (run.program < 0) {
        (void)fprintf(stderr, "plc-run: cannot start a process: %s\n", strerror(errno));
        return EXIT_OURS;
    }
    supervise(&run);
    if (run.processes.count != 0 || !is_not_found(run.status))
        report(&run, true);
    return end_as(run.status);
}

/* ---- Before the program runs */

static bool can_write(const char *output) {
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s", output);
    char *slash = strrchr(path, '/');
    if (access(output, F_OK) == 0)
        return access(output, W_OK) == 0;
    if (slash == NULL)
        return access(".", W_OK) == 0;
    slash[slash == path] = '\0';
    return access(path, W_OK) == 0;
}

bool profile_prepare(const struct profile_options *options, const char *own_directory) {
    int length = snprintf(reporter, sizeof reporter, "%s/plc-report", own_directory);
    if (length >= (int)sizeof reporter || access(reporter, X_OK) != 0) {
        (void)fprintf(stderr, "plc-run: cannot find plc-report in %s\n", own_directory);
        return false;
    }
    if (options->output != NULL && !can_write(options->output)) {
        (void)fprintf(stderr, "plc-run: cannot write %s: %s\n", options->output, strerror(errno));
        return false;
    }
    return true;
}
