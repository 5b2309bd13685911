/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc-run --deadlock and --lock-order: what the observed program is told by its environment. */
#include "watch_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

bool watch_take_option(struct watch_options *options, const char *option) {
    bool aborts = strcmp(option, "--deadlock=abort") == 0;
    bool deadlock = aborts || strcmp(option, "--deadlock") == 0;
    bool lock_order = strcmp(option, "--lock-order") == 0;
    options->deadlock |= deadlock;
    options->aborts |= aborts;
    options->lock_order |= lock_order;
    return deadlock || lock_order;
}

bool watch_is_on(const struct watch_options *options) {
    return options->deadlock || options->lock_order;
}

/* The file is made, or kept: processes append to it. Its full name, because they may be elsewhere by then. */
static bool prepare_output(const char *output) {
    char path[PATH_SIZE];
    int fd = open(output, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || realpath(output, path) == NULL) {
        (void)fprintf(stderr, "plc-run: cannot write to %s: %s\n", output, strerror(errno));
        return false;
    }
    (void)close(fd);
    return setenv("PLC_WATCH_OUTPUT", path, 1) == 0;
}

/* Beside plc-run, in a build tree and where it is installed. Without it reports have addresses only. */
static bool prepare_renderer(const char *own_directory) {
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/plc-render", own_directory);
    if (length >= PATH_SIZE || access(path, X_OK) != 0) {
        (void)fprintf(stderr, "plc-run: cannot find plc-render in %s\n", own_directory);
        return false;
    }
    return setenv("PLC_WATCH_RENDERER", path, 1) == 0;
}

bool watch_prepare(const struct watch_options *options, const char *own_directory) {
    char what[64];
    (void)snprintf(what, sizeof what, "%s%s%s",
                   options->aborts     ? "deadlock=abort"
                   : options->deadlock ? "deadlock"
                                       : "",
                   options->deadlock && options->lock_order ? "," : "", options->lock_order ? "lock-order" : "");
    if (!prepare_renderer(own_directory) || (options->output != NULL && !prepare_output(options->output)))
        return false;
    return setenv("PLC_WATCH", what, 1) == 0;
}
