/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* File descriptors: what is known of each, and who waits for it. */
#include <errno.h>
#include <string.h>

#include "driver/driver.h"
#include "platform/platform.h"
#include "task/memory.h"

/* io->readiness gets bits by the driver's reports, and loses READABLE and WRITABLE by plc_io_begin.
 *
 * Invariants
 *   I1  A report first sets its bits and then wakes; plc_io_poll first registers its waker and then looks. So the places for
 *       wakers give all the ordering that is needed (src/task/atomic_waker.c, [K3]), and the bits are relaxed: whoever finds
 *       them makes an attempt, which the kernel orders.
 *   I2  A bit that is set after plc_io_begin survives until the next one: an event that comes while the attempt is made is not
 *       taken for an old one.
 *   I3  A plc_io_t is freed when no report on it can be going on: reports are made by whoever waits in the driver, and by its
 *       shutdown. So it is kept until somebody begins the next wait, or, after the shutdown, until the driver is closed. */

static const unsigned readers_bits = PLC_IO_READABLE | PLC_IO_READ_CLOSED | PLC_IO_SHUT_DOWN;
static const unsigned writers_bits = PLC_IO_WRITABLE | PLC_IO_WRITE_CLOSED | PLC_IO_SHUT_DOWN;

static void put_into(plc_io_t **list, plc_io_t *io) {
    io->next = *list;
    io->link = list;
    if (io->next)
        io->next->link = &io->next;
    *list = io;
}

static void take_out(plc_io_t *io) {
    *io->link = io->next;
    if (io->next)
        io->next->link = io->link;
    io->link = NULL;
}

static bool put_among_watched(plc_io_t *io) {
    plc_driver_t *driver = io->driver;
    plc_mutex_lock(&driver->lock);
    bool is_shut = driver->is_shut;
    if (!is_shut)
        put_into(&driver->ios, io);
    plc_mutex_unlock(&driver->lock);
    return !is_shut;
}

static void take_from_watched(plc_io_t *io) {
    plc_mutex_lock(&io->driver->lock);
    take_out(io);
    plc_mutex_unlock(&io->driver->lock);
}

int plc_io_register(plc_driver_t *driver, int fd, plc_io_t **registered) {
    plc_io_t *io = plc_allocate(driver->backend->io_size);
    if (!io)
        return ENOMEM;
    memset(io, 0, driver->backend->io_size);
    io->driver = driver;
    io->fd = fd;
    if (!put_among_watched(io)) {
        plc_release(io);
        return ESHUTDOWN;
    }
    int saved_errno = errno;
    int error = driver->backend->watch(io);
    errno = saved_errno;
    if (error != 0) {
        take_from_watched(io);
        plc_io_retire_(io); /* a shutdown may be telling it */
        return error;
    }
    *registered = io;
    return 0;
}

void plc_io_retire_(plc_io_t *io) {
    plc_mutex_lock(&io->driver->lock);
    io->next = io->driver->retired;
    io->driver->retired = io;
    plc_mutex_unlock(&io->driver->lock);
}

static void drop_waker(plc_atomic_waker_t *place) {
    plc_waker_t waker = plc_atomic_waker_take(place);
    plc_waker_drop(&waker);
}

void plc_io_deregister(plc_io_t *io) {
    int saved_errno = errno;
    take_from_watched(io);
    drop_waker(&io->reader);
    drop_waker(&io->writer);
    if (io->driver->backend->unwatch(io))
        plc_io_retire_(io);
    errno = saved_errno;
}

void plc_io_report_(plc_io_t *io, unsigned readiness) {
    plc_fetch_or_relaxed(&io->readiness, (uint32_t)readiness); /* relaxed: I1 */
    if (readiness & readers_bits)
        plc_atomic_waker_wake(&io->reader);
    if (readiness & writers_bits)
        plc_atomic_waker_wake(&io->writer);
}

void plc_io_begin(plc_io_t *io, unsigned ready) {
    const uint32_t forgotten = ready & (PLC_IO_READABLE | PLC_IO_WRITABLE);
    if (plc_load_relaxed(&io->readiness) & forgotten)      /* relaxed: a bit that comes later is not to be forgotten */
        plc_fetch_and_relaxed(&io->readiness, ~forgotten); /* relaxed: I1 */
}

unsigned plc_io_poll(plc_io_t *io, unsigned interest, const plc_waker_t *waker) {
    unsigned bits = (interest & PLC_IO_READABLE ? readers_bits : 0) | (interest & PLC_IO_WRITABLE ? writers_bits : 0);
    unsigned found = plc_load_relaxed(&io->readiness) & bits; /* relaxed: I1 */
    if (found)
        return found;
    if (interest & PLC_IO_READABLE)
        plc_atomic_waker_register_by_ref(&io->reader, waker);
    if (interest & PLC_IO_WRITABLE)
        plc_atomic_waker_register_by_ref(&io->writer, waker);
    found = plc_load_relaxed(&io->readiness) & bits; /* relaxed: I1 */
    if (!found && io->driver->backend->want) {
        int saved_errno = errno;
        io->driver->backend->want(io, interest);
        errno = saved_errno;
    }
    return found;
}
