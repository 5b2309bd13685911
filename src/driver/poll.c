/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The driver for any POSIX system: poll, and a pipe that interrupts it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "driver/driver.h"
#include "task/memory.h"

/* poll says what is ready, not what has become so. So a descriptor is asked for only while a task waits for it (`wanted`, guarded
   by the driver's lock), and is not any more once it was reported. The arrays belong to whoever waits. */
struct poll_driver {
    struct plc_driver base;
    int pipe[2];
    struct pollfd *asked; /* the pipe first */
    plc_io_t **ios;       /* of asked[1], asked[2], ... */
    size_t capacity;
    size_t count;
};

static struct poll_driver *of(plc_driver_t *driver) {
    return (struct poll_driver *)driver;
}

/* ---- Waiting */

static bool make_room(struct poll_driver *self, size_t needed) {
    if (needed <= self->capacity)
        return true;
    size_t capacity = needed * 2;
    struct pollfd *asked = plc_allocate(capacity * sizeof *asked);
    plc_io_t **ios = plc_allocate(capacity * sizeof(plc_io_t *)); /* NOLINT(bugprone-sizeof-expression): pointers */
    if (!asked || !ios) {
        plc_release(asked);
        plc_release(ios);
        return false;
    }
    plc_release(self->asked);
    plc_release(self->ios);
    self->asked = asked;
    self->ios = ios;
    self->capacity = capacity;
    return true;
}

static short events_of(unsigned wanted) {
    return (short)((wanted & PLC_IO_READABLE ? POLLIN | POLLPRI : 0) | (wanted & PLC_IO_WRITABLE ? POLLOUT : 0));
}

static int prepare(plc_driver_t *driver) {
    struct poll_driver *self = of(driver);
    size_t wanted = 1;
    for (const plc_io_t *io = driver->ios; io; io = io->next)
        wanted += io->wanted != 0;
    if (!make_room(self, wanted))
        return ENOMEM;
    self->asked[0] = (struct pollfd){self->pipe[0], POLLIN, 0};
    self->count = 1;
    for (plc_io_t *io = driver->ios; io; io = io->next) {
        if (io->wanted == 0)
            continue;
        self->asked[self->count] = (struct pollfd){io->fd, events_of(io->wanted), 0};
        self->ios[self->count++] = io;
    }
    return 0;
}

static unsigned readiness_of(int events) {
    unsigned readiness = 0;
    if (events & (POLLIN | POLLPRI | POLLERR))
        readiness |= PLC_IO_READABLE;
    if (events & (POLLOUT | POLLERR))
        readiness |= PLC_IO_WRITABLE;
    if (events & (POLLHUP | POLLNVAL)) /* closed by the other end, or by somebody here: an attempt finds out */
        readiness |= PLC_IO_READ_CLOSED | PLC_IO_WRITE_CLOSED;
    return readiness;
}

/* What both want has to be asked for again if it was not reported. */
static void forget_wish(plc_io_t *io, unsigned readiness) {
    if (readiness & PLC_IO_READ_CLOSED)
        readiness |= PLC_IO_READABLE;
    if (readiness & PLC_IO_WRITE_CLOSED)
        readiness |= PLC_IO_WRITABLE;
    plc_mutex_lock(&io->driver->lock);
    io->wanted &= ~readiness;
    plc_mutex_unlock(&io->driver->lock);
}

static int wait(plc_driver_t *driver, const int64_t until[PLC_CLOCKS]) {
    struct poll_driver *self = of(driver);
    int found = poll(self->asked, (nfds_t)self->count, plc_driver_milliseconds_(until));
    if (found == -1)
        return errno == EINTR || errno == EAGAIN ? 0 : errno;
    if (self->asked[0].revents & POLLNVAL)
        return EBADF;
    if (self->asked[0].revents)
        plc_driver_pipe_drain_(self->pipe[0]);
    for (size_t i = 1; i < self->count; i++) {
        unsigned readiness = readiness_of(self->asked[i].revents);
        if (readiness == 0)
            continue;
        forget_wish(self->ios[i], readiness);
        plc_io_report_(self->ios[i], readiness);
    }
    return 0;
}

static void interrupt(plc_driver_t *driver) {
    plc_driver_pipe_write_(of(driver)->pipe[1]);
}

/* ---- Descriptors */

static int watch(plc_io_t *io) {
    return fcntl(io->fd, F_GETFD) == -1 ? errno : 0;
}

/* Whoever waits may ask for a descriptor that is closed now, or is another one's: it is interrupted, and reports nothing. */
static bool unwatch(plc_io_t *io) {
    plc_driver_interrupt_waiting_(io->driver);
    return true;
}

static void want(plc_io_t *io, unsigned interest) {
    plc_mutex_lock(&io->driver->lock);
    bool is_news = (io->wanted | interest) != io->wanted;
    io->wanted |= interest;
    bool is_missed = is_news && io->driver->is_waiting;
    plc_mutex_unlock(&io->driver->lock);
    if (is_missed)
        interrupt(io->driver);
}

/* ---- Life */

static void close_driver(plc_driver_t *driver) {
    struct poll_driver *self = of(driver);
    close(self->pipe[0]);
    close(self->pipe[1]);
    plc_release(self->asked);
    plc_release(self->ios);
}

int plc_driver_open_poll(plc_driver_t **opened) {
    static const struct plc_driver_backend backend = {
        sizeof(struct plc_io), prepare, wait, interrupt, watch, unwatch, want, close_driver};
    plc_driver_t *driver = plc_driver_new_(sizeof(struct poll_driver), &backend);
    if (!driver)
        return ENOMEM;
    int saved_errno = errno;
    int error = plc_driver_pipe_(of(driver)->pipe);
    if (error != 0)
        plc_release(driver);
    else
        *opened = driver;
    errno = saved_errno;
    return error;
}
