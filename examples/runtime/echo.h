/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A TCP server on the loopback interface that sends back what it gets. */
#ifndef ECHO_H
#define ECHO_H

#include <stdatomic.h>

#include "runtime.h"

struct echo_server {
    runtime_t *runtime;
    int listener;
    plc_io_t *io;
    int64_t patience_ns;        /* connections that are silent for so long are closed; 0: never */
    _Atomic size_t connections; /* accepted so far */
    _Atomic size_t impatience;  /* closed because they were silent */
};

/* Listens on a port of 127.0.0.1, and returns its number; 0 and errno if it cannot. Port 0 means any. The server must live until
   its runtime has been stopped. */
unsigned echo_listen(struct echo_server *server, runtime_t *runtime, unsigned port);

#endif
