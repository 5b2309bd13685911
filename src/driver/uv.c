/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The driver that runs a loop of libuv. */
#include <plc/driver_uv.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include <uv.h>

#include "driver/driver.h"

/* The loop is for one thread at a time, which `loop_lock` sees to; it is not held during the wait, which is done here, by poll, on
 * the loop's own descriptor. uv_run only collects what has happened. What was started since the last uv_run is not known to
 * the kernel before the next one: so whoever starts something sets is_stale, and interrupts the wait.
 *
 * Lock order: loop_lock, then the driver's lock. Wakers are called with neither. Callbacks of the program's own handles are called
 * by uv_run, that is, with loop_lock held, and may use the driver: `runner` says that the lock is theirs. */
struct uv_driver {
    struct plc_driver base;
    uv_loop_t *loop;
    plc_mutex_t loop_lock;
    const char *runner;     /* who is in uv_run: the address of a variable of that thread; null: nobody */
    bool is_stale;          /* loop_lock */
    unsigned handles;       /* loop_lock: that were not closed yet */
    struct uv_io *happened; /* loop_lock: to be reported */
    int pipe[2];
};

struct uv_io {
    struct plc_io base; /* `wanted` is guarded by loop_lock here */
    uv_poll_t handle;
    unsigned happened;
    struct uv_io *next_happened;
};

static _Thread_local char this_thread;

static struct uv_driver *of(plc_driver_t *driver) {
    return (struct uv_driver *)driver;
}

/* Returns whether the lock is to be given back. */
static bool lock_loop(struct uv_driver *self) {
    if (plc_load_relaxed(&self->runner) == &this_thread) /* relaxed: only this thread itself can have written that */
        return false;
    plc_mutex_lock(&self->loop_lock);
    return true;
}

/* Something was changed that the kernel must hear of. */
static void unlock_loop(struct uv_driver *self, bool was_locked) {
    self->is_stale = true;
    if (!was_locked)
        return;
    plc_mutex_unlock(&self->loop_lock);
    plc_driver_interrupt_waiting_(&self->base);
}

void plc_driver_uv_enter(plc_driver_t *driver) {
    plc_mutex_lock(&of(driver)->loop_lock);
}

void plc_driver_uv_leave(plc_driver_t *driver) {
    unlock_loop(of(driver), true);
}

/* ---- Waiting */

static int events_of(unsigned wanted) {
    return (wanted & PLC_IO_READABLE ? UV_READABLE | UV_PRIORITIZED : 0) | (wanted & PLC_IO_WRITABLE ? UV_WRITABLE : 0);
}

static void on_poll(uv_poll_t *handle, int status, int events);

/* Asks the loop for what is wanted. An error means that an attempt will find one, too. */
static void ask(struct uv_io *io) {
    of(io->base.driver)->is_stale = true;
    if (io->base.wanted == 0)
        uv_poll_stop(&io->handle);
    else if (uv_poll_start(&io->handle, events_of(io->base.wanted), on_poll) != 0)
        on_poll(&io->handle, -1, 0);
}

/* As in poll.c: what was reported is asked for again when a task waits for it. */
static void on_poll(uv_poll_t *handle, int status, int events) {
    struct uv_io *io = handle->data;
    struct uv_driver *self = of(io->base.driver);
    unsigned readiness = 0;
    if (status < 0)
        readiness = PLC_IO_READABLE | PLC_IO_WRITABLE;
    if (events & (UV_READABLE | UV_PRIORITIZED))
        readiness |= PLC_IO_READABLE;
    if (events & UV_WRITABLE)
        readiness |= PLC_IO_WRITABLE;
    if (io->happened == 0) {
        io->next_happened = self->happened;
        self->happened = io;
    }
    io->happened |= readiness;
    io->base.wanted &= ~readiness;
    if (status < 0)
        uv_poll_stop(handle);
    else
        ask(io);
}

/* Runs what is due, without waiting. */
static void run(struct uv_driver *self) {
    self->is_stale = false;
    plc_store_relaxed(&self->runner, &this_thread); /* relaxed: see lock_loop */
    uv_run(self->loop, UV_RUN_NOWAIT);
    plc_store_relaxed(&self->runner, NULL); /* relaxed: likewise */
}

/* With the lock held; leaves it free. Returns whether there was anything. */
static bool unlock_and_report(struct uv_driver *self) {
    struct uv_io *list = self->happened;
    bool is_news = list != NULL;
    self->happened = NULL;
    plc_mutex_unlock(&self->loop_lock);
    while (list) {
        struct uv_io *io = list;
        list = io->next_happened;
        plc_mutex_lock(&self->loop_lock);
        unsigned happened = io->happened;
        io->happened = 0;
        plc_mutex_unlock(&self->loop_lock);
        plc_io_report_(&io->base, happened);
    }
    return is_news;
}

/* Has the kernel know all; returns for how long the loop may wait, -1: for ever. */
static int prepare_loop(struct uv_driver *self) {
    int milliseconds = -1;
    plc_mutex_lock(&self->loop_lock);
    while (self->is_stale)
        run(self);
    if (uv_loop_alive(self->loop))
        milliseconds = uv_backend_timeout(self->loop);
    return unlock_and_report(self) ? 0 : milliseconds;
}

static int wait(plc_driver_t *driver, const int64_t until[PLC_CLOCKS]) {
    struct uv_driver *self = of(driver);
    struct pollfd asked[] = {{self->pipe[0], POLLIN, 0}, {uv_backend_fd(self->loop), POLLIN, 0}};
    int of_loop = prepare_loop(self), milliseconds = plc_driver_milliseconds_(until);
    if (milliseconds == -1 || (of_loop != -1 && of_loop < milliseconds))
        milliseconds = of_loop;
    int found = poll(asked, 2, milliseconds);
    if (found == -1)
        return errno == EINTR || errno == EAGAIN ? 0 : errno;
    if ((asked[0].revents | asked[1].revents) & POLLNVAL)
        return EBADF;
    if (asked[0].revents)
        plc_driver_pipe_drain_(self->pipe[0]);
    plc_mutex_lock(&self->loop_lock);
    run(self);
    unlock_and_report(self);
    return 0;
}

static void interrupt(plc_driver_t *driver) {
    plc_driver_pipe_write_(of(driver)->pipe[1]);
}

/* ---- Descriptors */

static int watch(plc_io_t *watched) {
    struct uv_io *io = (struct uv_io *)watched;
    struct uv_driver *self = of(watched->driver);
    bool locked = lock_loop(self);
    int result = uv_poll_init(self->loop, &io->handle, watched->fd);
    io->handle.data = io;
    if (result == 0)
        self->handles++;
    unlock_loop(self, locked);
    return -result;
}

static void on_close(uv_handle_t *handle) {
    struct uv_io *io = handle->data;
    of(io->base.driver)->handles--;
    plc_io_retire_(&io->base);
}

static bool unwatch(plc_io_t *watched) {
    struct uv_driver *self = of(watched->driver);
    bool locked = lock_loop(self);
    uv_close((uv_handle_t *)&((struct uv_io *)watched)->handle, on_close);
    unlock_loop(self, locked);
    return false;
}

static void want(plc_io_t *watched, unsigned interest) {
    struct uv_driver *self = of(watched->driver);
    bool locked = lock_loop(self);
    watched->wanted |= interest;
    ask((struct uv_io *)watched);
    unlock_loop(self, locked);
}

/* ---- Life */

static void close_driver(plc_driver_t *driver) {
    struct uv_driver *self = of(driver);
    while (self->handles != 0)
        run(self);
    close(self->pipe[0]);
    close(self->pipe[1]);
}

int plc_driver_open_uv(plc_driver_t **opened, struct uv_loop_s *loop) {
    static const struct plc_driver_backend backend = {sizeof(struct uv_io), NULL, wait, interrupt, watch, unwatch, want,
                                                      close_driver};
    int ends[2], saved_errno = errno;
    int error = plc_driver_pipe_(ends);
    plc_driver_t *driver = error == 0 ? plc_driver_new_(sizeof(struct uv_driver), &backend) : NULL;
    if (error == 0 && !driver) {
        close(ends[0]);
        close(ends[1]);
        error = ENOMEM;
    }
    errno = saved_errno;
    if (!driver)
        return error;
    of(driver)->loop = loop;
    of(driver)->pipe[0] = ends[0];
    of(driver)->pipe[1] = ends[1];
    *opened = driver;
    return 0;
}
