/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc-run: runs a program with libplc's locks in place of glibc's. */
#include "program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The exit codes are those of env, nice and timeout; once the program runs, its own code is the exit code. */
enum {
    EXIT_USAGE = 2,
    EXIT_OURS = 125, /* plc-run itself failed, for example because the library is not there */
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
};

enum { PATH_SIZE = PROGRAM_PATH_SIZE };

static const char usage_text[] = "Usage: plc-run [--stats] PROGRAM [ARGUMENT]...\n"
                                 "Runs PROGRAM with libplc's mutexes, conds, rwlocks and onces in place of glibc's.\n"
                                 "\n"
                                 "  --stats    when a process ends, say on standard error how many lock operations\n"
                                 "             libplc served in it (or append that to the file PLC_STATS_FILE names)\n"
                                 "  --help     show this text\n"
                                 "\n"
                                 "Exit status: PROGRAM's own, or\n"
                                 "    2  plc-run was called wrongly\n"
                                 "  125  plc-run could not do its work\n"
                                 "  126  PROGRAM was found but cannot be run, or not with libplc's locks\n"
                                 "  127  PROGRAM was not found\n"
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

static int run(const char *library_name, char **program) {
    char own_directory[PATH_SIZE];
    char library[PATH_SIZE];
    if (!find_own_directory(own_directory)) {
        (void)fprintf(stderr, "plc-run: cannot find out where plc-run is: %s\n", strerror(errno));
        return EXIT_OURS;
    }
    if (!find_library(own_directory, library_name, library)) {
        (void)fprintf(stderr, "plc-run: cannot find %s near %s\n", library_name, own_directory);
        return EXIT_OURS;
    }
    if (strpbrk(library, ": \t") != NULL) {
        (void)fprintf(stderr, "plc-run: %s: the loader cannot preload from a path with a colon or a blank\n", library);
        return EXIT_OURS;
    }
    if (!preload(library)) {
        (void)fprintf(stderr, "plc-run: cannot set LD_PRELOAD: %s\n", strerror(errno));
        return EXIT_OURS;
    }
    char path[PROGRAM_PATH_SIZE];
    const char *obstacle = program_find(program[0], path) ? program_obstacle(path) : NULL;
    if (obstacle != NULL) {
        (void)fprintf(stderr, "plc-run: %s %s\n", path, obstacle);
        return EXIT_CANNOT_RUN;
    }
    (void)execvp(program[0], program);
    int status = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    (void)fprintf(stderr, "plc-run: %s: %s\n", program[0], strerror(errno));
    return status;
}

int main(int argc, char **argv) {
    const char *library = "libplc_pthread.so";
    int next = 1;
    for (; next < argc && argv[next][0] == '-'; next++) {
        if (strcmp(argv[next], "--") == 0) {
            next++;
            break;
        }
        if (strcmp(argv[next], "--help") == 0)
            return fputs(usage_text, stdout) == EOF || fflush(stdout) != 0 ? EXIT_OURS : 0;
        if (strcmp(argv[next], "--stats") != 0)
            return fail_usage("there is no option ", argv[next]);
        library = "libplc_pthread_stats.so";
    }
    if (next >= argc)
        return fail_usage("which program shall run?", "");
    if (argv[next][0] == '\0')
        return fail_usage("the name of the program is empty", "");
    return run(library, argv + next);
}
