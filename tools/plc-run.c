/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc-run: runs a program with libplc's locks in place of glibc's. */
#include "profile_run.h"
#include "program.h"
#include "watch_options.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The exit codes are those of env, nice and timeout; once the program runs, its own code is the exit code. */
enum {
    EXIT_USAGE = 2,
    EXIT_OURS = 125, /* plc-run itself failed, for example because the library is not there */
};

enum { PATH_SIZE = PROGRAM_PATH_SIZE };

static const char usage_text[] =
    "Usage: plc-run [--stats] PROGRAM [ARGUMENT]...\n"
    "       plc-run --profile [--output FILE] [--every SECONDS] PROGRAM [ARGUMENT]...\n"
    "       plc-run --deadlock --lock-order [--output FILE] PROGRAM [ARGUMENT]...\n"
    "Runs PROGRAM with libplc's mutexes, conds, rwlocks and onces in place of glibc's.\n"
    "\n"
    "  --stats    when a process ends, say on standard error how many lock operations\n"
    "             libplc served in it (or append that to the file PLC_STATS_FILE names)\n"
    "  --profile  say at the end for which locks threads waited, for how long and where\n"
    "  --deadlock    report threads that wait for each other's locks, as soon as they do;\n"
    "                with --deadlock=abort end the program then\n"
    "  --lock-order  report locks that are taken in orders which can end in a deadlock\n"
    "  --help     show this text\n"
    "\n"
    "With --profile:\n"
    "  --output FILE    write it there instead of to standard error: as the name's ending\n"
    "                   says (.txt, .json, .folded, .svg, .contention), or without one of\n"
    "                   these as FILE.txt, FILE.json and so on; other processes than the\n"
    "                   first have their number in the name\n"
    "  --every SECONDS  say how it goes, and write FILE anew, so often\n"
    "  --signal NUMBER  report also when plc-run gets this signal; else SIGUSR2 (12)\n"
    "  --top NUMBER     so many locks in full; else 10\n"
    "plc-run stays as PROGRAM's parent then, and passes signals on to it.\n"
    "\n"
    "With --deadlock and --lock-order, which may be combined:\n"
    "  --output FILE    append reports to FILE instead of writing them to standard error\n"
    "                   (with --profile, too, FILE is the profile's)\n"
    "\n"
    "Exit status: PROGRAM's own, or\n"
    "    2  plc-run was called wrongly\n"
    "  125  plc-run could not do its work\n"
    "  126  PROGRAM was found but cannot be run, or not with libplc's locks\n"
    "  127  PROGRAM was not found, or not the interpreter that it names\n"
    "\n"
    "Programs that are linked statically, run with other rights than yours, or have\n"
    "another word size than libplc, do not load preloaded libraries: they are not run.\n";

static int fail_usage(const char *message, const char *what) {
    (void)fprintf(stderr, "plc-run: %s%s\nTry 'plc-run --help'.\n", message, what);
    return EXIT_USAGE;
}

/* The directory of this program, wherever it was called from. */
static bool find_own_directory(char *directory) {
    ssize_t length = readlink("/proc/self/exe", directory, PATH_SIZE - 1);
    if (length <= 0)
        return false;
    directory[length] = '\0';
    char *slash = strrchr(directory, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return true;
}

static bool find_library(const char *own_directory, const char *name, char *path) {
    static const char *const places[] = {PLC_RUN_INSTALLED, PLC_RUN_BUILT, "../lib", "."};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char candidate[2 * PATH_SIZE];
        int length = snprintf(candidate, sizeof candidate, "%s/%s/%s", own_directory, places[i], name);
        if (length > 0 && length < PATH_SIZE && access(candidate, R_OK) == 0 && realpath(candidate, path) != NULL)
            return true;
    }
    return false;
}

/* Puts the library in front of what is preloaded already. */
static bool preload(const char *library) {
    const char *others = getenv("LD_PRELOAD");
    if (others == NULL || *others == '\0')
        return setenv("LD_PRELOAD", library, 1) == 0;
    size_t size = strlen(library) + 1 + strlen(others) + 1;
    char *both = malloc(size);
    if (both == NULL)
        return false;
    (void)snprintf(both, size, "%s:%s", library, others);
    bool done = setenv("LD_PRELOAD", both, 1) == 0;
    free(both);
    return done;
}

struct options {
    const char *library;
    struct profile_options profile;
    struct watch_options watch;
};

static int run(const struct options *options, char **program) {
    char own_directory[PATH_SIZE];
    char library[PATH_SIZE];
    if (!find_own_directory(own_directory)) {
        (void)fprintf(stderr, "plc-run: cannot find out where plc-run is: %s\n", strerror(errno));
        return EXIT_OURS;
    }
    if (!find_library(own_directory, options->library, library)) {
        (void)fprintf(stderr, "plc-run: cannot find %s near %s\n", options->library, own_directory);
        return EXIT_OURS;
    }
    if (strpbrk(library, ": \t") != NULL) {
        (void)fprintf(stderr, "plc-run: %s: the loader cannot preload from a path with a colon or a blank\n", library);
        return EXIT_OURS;
    }
    char path[PROGRAM_PATH_SIZE];
    const char *obstacle = program_find(program[0], path) ? program_obstacle(path) : NULL;
    if (obstacle != NULL) {
        (void)fprintf(stderr, "plc-run: %s %s\n", path, obstacle);
        return EXIT_CANNOT_RUN;
    }
    if (options->profile.is_on && !profile_prepare(&options->profile, own_directory))
        return EXIT_OURS;
    if (watch_is_on(&options->watch) && !watch_prepare(&options->watch, own_directory))
        return EXIT_OURS;
    if (!preload(library)) {
        (void)fprintf(stderr, "plc-run: cannot set LD_PRELOAD: %s\n", strerror(errno));
        return EXIT_OURS;
    }
    return options->profile.is_on ? profile_run(&options->profile, program) : program_become(program);
}

/* A whole number of these limits; false if it is none. */
static bool read_number(const char *text, long least, long most, long *number) {
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= least && *number <= most;
}

/* One that has a value. Null, or what is wrong with it. */
static const char *take_value(struct options *options, const char *option, const char *value) {
    long number = 0;
    if (strcmp(option, "--output") == 0) {
        options->profile.output = value;
        return *value == '\0' ? "the name of the output is empty" : NULL;
    }
    if (strcmp(option, "--every") == 0) {
        bool good = read_number(value, 1, 1000000, &number);
        options->profile.every = (unsigned)number;
        return good ? NULL : "--every wants a number of seconds, and not ";
    }
    if (strcmp(option, "--signal") == 0) {
        bool good =
            read_number(value, 1, SIGRTMAX, &number) && number != SIGKILL && number != SIGSTOP && number != SIGCHLD;
        options->profile.signal = (int)number;
        return good ? NULL : "--signal wants the number of a signal that can be caught, and not ";
    }
    bool good = read_number(value, 0, 1000000, &number);
    options->profile.top = value;
    return good ? NULL : "--top wants a number, and not ";
}

static bool has_value(const char *option) {
    return strcmp(option, "--output") == 0 || strcmp(option, "--every") == 0 || strcmp(option, "--signal") == 0 ||
           strcmp(option, "--top") == 0;
}

int main(int argc, char **argv) {
    struct options options = {.library = "libplc_pthread.so", .profile = {.top = "10", .signal = SIGUSR2}};
    const char *needs_profile = NULL;
    int next = 1;
    for (; next < argc && argv[next][0] == '-'; next++) {
        const char *option = argv[next];
        if (strcmp(option, "--") == 0) {
            next++;
            break;
        }
        if (strcmp(option, "--help") == 0)
            return fputs(usage_text, stdout) == EOF || fflush(stdout) != 0 ? EXIT_OURS : 0;
        if (strcmp(option, "--stats") == 0) {
            options.library = "libplc_pthread_stats.so";
        } else if (strcmp(option, "--profile") == 0) {
            options.profile.is_on = true;
        } else if (watch_take_option(&options.watch, option)) {
            continue;
        } else if (has_value(option)) {
            if (strcmp(option, "--output") != 0 || needs_profile == NULL)
                needs_profile = option;
            if (++next == argc)
                return fail_usage("there is no value for ", option);
            const char *mistake = take_value(&options, option, argv[next]);
            if (mistake != NULL)
                return fail_usage(mistake, argv[next]);
        } else {
            return fail_usage("there is no option ", option);
        }
    }
    bool is_observed = options.profile.is_on || watch_is_on(&options.watch);
    if (is_observed && strcmp(options.library, "libplc_pthread.so") != 0)
        return fail_usage("--stats goes with no other option", "");
    if (needs_profile != NULL && !options.profile.is_on && !(is_observed && strcmp(needs_profile, "--output") == 0))
        return fail_usage("only with --profile: ", needs_profile);
    if (!options.profile.is_on)
        options.watch.output = options.profile.output;
    if (next >= argc)
        return fail_usage("which program shall run?", "");
    if (argv[next][0] == '\0')
        return fail_usage("the name of the program is empty", "");
    if (is_observed)
        options.library = "libplc_pthread_debug.so";
    return run(&options, argv + next);
}
