/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One task accepts; each connection is a task. Both try first, and wait only for what would have blocked. */
#define _GNU_SOURCE
#include "echo.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ROUNDS = 32, /* after so many a connection lets others go first */
};

struct connection {
    struct echo_server *server;
    plc_io_t *io;
    int fd;
    size_t begin, end; /* what is still to be sent */
    bool is_empty;     /* the last read got all that there was */
    bool is_timed;     /* the timer was started */
    bool is_quiet;     /* nothing has come since the timer was started */
    plc_timer_t patience;
    char buffer[8192];
};

enum progress { GOES_ON, WAITS, OVER };

/* The attempt would have blocked: waits, unless something came in between. */
static enum progress wait_for(struct connection *self, unsigned interest, const plc_waker_t *waker) {
    unsigned found = plc_io_poll(self->io, interest, waker);
    if (found & PLC_IO_SHUT_DOWN)
        return OVER;
    return found ? GOES_ON : WAITS;
}

static enum progress after_failure(struct connection *self, unsigned interest, const plc_waker_t *waker) {
    if (errno == EINTR)
        return GOES_ON;
    return errno == EAGAIN ? wait_for(self, interest, waker) : OVER;
}

static enum progress receive(struct connection *self, const plc_waker_t *waker) {
    if (self->is_empty) {
        enum progress progress = wait_for(self, PLC_IO_READABLE, waker);
        if (progress != GOES_ON)
            return progress;
        self->is_empty = false;
    }
    plc_io_begin(self->io, PLC_IO_READABLE);
    ssize_t count = recv(self->fd, self->buffer, sizeof self->buffer, 0);
    if (count < 0)
        return after_failure(self, PLC_IO_READABLE, waker);
    if (count == 0)
        return OVER;
    self->begin = 0;
    self->end = (size_t)count;
    self->is_empty = self->end < sizeof self->buffer;
    self->is_quiet = false;
    return GOES_ON;
}

static enum progress respond(struct connection *self, const plc_waker_t *waker) {
    plc_io_begin(self->io, PLC_IO_WRITABLE);
    ssize_t count = send(self->fd, self->buffer + self->begin, self->end - self->begin, MSG_NOSIGNAL);
    if (count < 0)
        return after_failure(self, PLC_IO_WRITABLE, waker);
    self->begin += (size_t)count;
    return GOES_ON;
}

/* Looks each time the patience is over whether anything has come since the last look. */
static bool has_patience(struct connection *self, const plc_waker_t *waker) {
    if (self->server->patience_ns == 0 || (self->is_timed && !plc_timer_has_fired(&self->patience)))
        return true;
    if (self->is_timed && self->is_quiet) {
        atomic_fetch_add(&self->server->impatience, 1);
        return false;
    }
    self->is_timed = self->is_quiet = true;
    plc_timer_start(runtime_driver(self->server->runtime), &self->patience,
                    plc_deadline_after_ns(self->server->patience_ns), plc_waker_clone(waker));
    return true;
}

static enum plc_poll serve(void *context, const plc_waker_t *waker) {
    struct connection *self = context;
    for (int round = 0; round < ROUNDS; round++) {
        enum progress progress = self->begin < self->end ? respond(self, waker) : receive(self, waker);
        if (progress == OVER || (progress == WAITS && !has_patience(self, waker)))
            return PLC_POLL_READY;
        if (progress == WAITS)
            return PLC_POLL_PENDING;
    }
    plc_waker_wake_by_ref(waker);
    return PLC_POLL_PENDING;
}

static void close_connection(void *context) {
    struct connection *self = context;
    plc_timer_cancel(&self->patience);
    if (self->io)
        plc_io_deregister(self->io);
    close(self->fd);
    free(self);
}

static void begin_connection(struct echo_server *server, int fd) {
    int on = 1;
    struct connection *self = calloc(1, sizeof *self);
    if (!self) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    self->server = server;
    self->fd = fd;
    if (plc_io_register(runtime_driver(server->runtime), fd, &self->io) != 0 ||
        !runtime_spawn(server->runtime, serve, self, close_connection))
        close_connection(self);
}

/* ---- Accepting */

/* Other failures, such as too few descriptors, are tried again when the next connection comes. */
static enum plc_poll accept_all(void *context, const plc_waker_t *waker) {
    struct echo_server *server = context;
    for (;;) {
        plc_io_begin(server->io, PLC_IO_READABLE);
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd != -1) {
            atomic_fetch_add(&server->connections, 1);
            begin_connection(server, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        unsigned found = plc_io_poll(server->io, PLC_IO_READABLE, waker);
        if (found & (PLC_IO_SHUT_DOWN | PLC_IO_READ_CLOSED))
            return PLC_POLL_READY;
        if (!found)
            return PLC_POLL_PENDING;
    }
}

static void stop_listening(void *context) {
    struct echo_server *server = context;
    plc_io_deregister(server->io);
    close(server->listener);
}

unsigned echo_listen(struct echo_server *server, runtime_t *runtime, unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->runtime = runtime;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener == -1)
        return 0;
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server->listener, (struct sockaddr *)&address, size) == 0 && listen(server->listener, 1024) == 0 &&
        getsockname(server->listener, (struct sockaddr *)&address, &size) == 0) {
        errno = plc_io_register(runtime_driver(runtime), server->listener, &server->io);
        if (errno == 0 && runtime_spawn(runtime, accept_all, server, stop_listening))
            return ntohs(address.sin_port);
        if (errno == 0) {
            plc_io_deregister(server->io);
            errno = ENOMEM;
        }
    }
    close(server->listener);
    return 0;
}
