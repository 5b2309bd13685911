/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The example's echo server, whose own header C++ cannot read. */
#ifndef PLC_BENCH_ECHO_SERVER_H
#define PLC_BENCH_ECHO_SERVER_H

#include "runtime.h"

struct echo_server;

/* Returns the port, or 0. */
unsigned echo_server_start(runtime_t *runtime, struct echo_server **server);
/* After its runtime was stopped. */
void echo_server_free(struct echo_server *server);

#endif
