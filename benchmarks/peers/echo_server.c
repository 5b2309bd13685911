/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "peers/echo_server.h"

#include <stdlib.h>

#include "echo.h"

unsigned echo_server_start(runtime_t *runtime, struct echo_server **server) {
    *server = calloc(1, sizeof **server);
    return *server ? echo_listen(*server, runtime, 0) : 0;
}

void echo_server_free(struct echo_server *server) {
    free(server);
}
