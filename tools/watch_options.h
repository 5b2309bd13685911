/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc-run --deadlock and --lock-order: what the observed program is told by its environment. */
#ifndef PLC_TOOLS_WATCH_OPTIONS_H
#define PLC_TOOLS_WATCH_OPTIONS_H

#include <stdbool.h>

struct watch_options {
    bool deadlock;
    bool aborts; /* after a deadlock was reported */
    bool lock_order;
    const char *output; /* null: standard error */
};

/* True if the option is one of these. */
bool watch_take_option(struct watch_options *options, const char *option);

bool watch_is_on(const struct watch_options *options);

/* Sees to it that reports can be written and sets the environment. Says why not. */
bool watch_prepare(const struct watch_options *options, const char *own_directory);

#endif
