/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  Drivers: file descriptors that become ready, and deadlines that pass, wake tasks.
 *
 *  A driver is run by the workers of a runtime, one at a time (plc/driver_parker.h): plc_shared_driver_init takes
 *  plc_driver_operations() and the driver. There are three: epoll with eventfd and timerfd, poll with a pipe, and, in a library of its
 *  own (plc/driver_uv.h), a loop of libuv. All behave the same.
 *
 *  Descriptors must not block (O_NONBLOCK). Whoever wants to read or write tries it first, and waits if that would block:
 *
 *      plc_io_begin(io, PLC_IO_READABLE);               // forgets what is known: the attempt finds out
 *      ssize_t n = read(fd, buffer, size);
 *      if (n == -1 && errno == EAGAIN)
 *          if (plc_io_poll(io, PLC_IO_READABLE, waker) == 0)
 *              return PLC_POLL_PENDING;                 // the waker is woken when another attempt is worth it
 *
 *  What becomes ready between the begin and the poll is not missed. A read that got less than it asked for has emptied the
 *  descriptor, and may go on to plc_io_poll without another attempt.
 *
 *  All may be called by any thread, in wakers too; nothing blocks but the driver's own park. errno is preserved. Memory comes
 *  from plc_set_allocator.
 *
 *  Source of the interface: Tokio's I/O driver, with an attempt that forgets first instead of ticks. docs/design/driver.md. */
#ifndef PLC_DRIVER_H
#define PLC_DRIVER_H

#include <plc/deadline.h>
#include <plc/driver_parker.h>
#include <plc/waker.h>

PLC_BEGIN_DECLS

/** A driver. */
typedef struct plc_driver plc_driver_t;

/** A file descriptor that a driver watches. */
typedef struct plc_io plc_io_t;

/** Makes a driver of epoll, eventfd and timerfd. Returns 0, or an error number: ENOSYS where there is no epoll, EMFILE, ENFILE,
 *  ENOMEM. */
PLC_API int plc_driver_open_epoll(plc_driver_t **driver);

/** Makes a driver of poll and a pipe, for any POSIX system; each park takes time in proportion to how many descriptors are
 *  waited for, and deadlines are rounded up to a millisecond. Returns 0, or an error number: EMFILE, ENFILE, ENOMEM. */
PLC_API int plc_driver_open_poll(plc_driver_t **driver);

/** What plc_shared_driver_init wants of a driver. A park fails with EBADF or EINVAL if somebody closed the driver's own descriptors,
 *  and with ENOMEM; the next one tries again. Its shutdown wakes every waker that waits for a descriptor or a timer. */
PLC_API const struct plc_driver_ops *plc_driver_operations(void);

/** Gives everything up. Nobody uses the driver any more, and every plc_io_t is deregistered. */
PLC_API void plc_driver_close(plc_driver_t *driver);

/* ---- File descriptors */

/** What plc_io_poll is asked for and says. */
enum {
    PLC_IO_READABLE = 1,     /**< A read, or an accept, is worth an attempt. */
    PLC_IO_WRITABLE = 2,     /**< A write is worth an attempt, or a connect has ended. */
    PLC_IO_READ_CLOSED = 4,  /**< Nothing will come after what there is: every read ends at once. Stays. */
    PLC_IO_WRITE_CLOSED = 8, /**< Every write fails at once. Stays. */
    PLC_IO_SHUT_DOWN = 16,   /**< The driver was shut down, and wakes nobody any more. Stays. */
};

/** Watches @p fd from now on. The descriptor stays the caller's, and is closed after plc_io_deregister. A socket that is to be
 *  connected is registered after connect was called. Returns 0, or an error number: EBADF; EPERM for what is always ready,
 *  such as files (epoll alone says so); EEXIST if it is watched already (likewise); ENOMEM, ENOSPC; ESHUTDOWN. */
PLC_API int plc_io_register(plc_driver_t *driver, int fd, plc_io_t **io);

/** Watches no more, and drops the wakers; one that another thread is just waking is dropped by that thread, soon. If @p io's descriptor
 *  was closed before, no harm is done, but that it may have missed the end of the watch: a driver that is built on epoll watches as
 *  long as a duplicate of the descriptor exists. */
PLC_API void plc_io_deregister(plc_io_t *io);

/** Before an attempt: forgets that it was @p ready (READABLE, WRITABLE, or both). */
PLC_API void plc_io_begin(plc_io_t *io, unsigned ready);

/** After an attempt that would have blocked: returns which of @p interest (READABLE or WRITABLE), and of what closes it,
 *  hold. If that is nothing, a clone of @p waker is woken when it changes. One task at a time waits for each direction. */
PLC_API unsigned plc_io_poll(plc_io_t *io, unsigned interest, const plc_waker_t *waker);

/* ---- Timers */

/** A deadline that wakes; the members are private. Zeroed memory is a timer that was not started. */
typedef struct plc_timer {
    plc_deadline_t deadline;   /**< private */
    plc_waker_t waker;         /**< private */
    struct plc_driver *driver; /**< private */
    struct plc_timer *child;   /**< private */
    struct plc_timer *sibling; /**< private */
    struct plc_timer **link;   /**< private */
    uint32_t has_fired;        /**< private */
} plc_timer_t;

/** A timer that was not started. So is any zeroed memory. */
#define PLC_TIMER_INIT                                                                                                 \
    { {0, PLC_CLOCK_MONOTONIC}, {0, 0}, 0, 0, 0, 0, 0 }

/** Wakes @p waker, which it takes, when @p deadline has passed, or when the driver is shut down. A timer that was started
 *  before starts anew, and its old waker is dropped. One thread at a time starts and cancels a timer. */
PLC_API void plc_timer_start(plc_driver_t *driver, plc_timer_t *timer, plc_deadline_t deadline, plc_waker_t waker);

/** Has it fired since it was started? */
PLC_API bool plc_timer_has_fired(const plc_timer_t *timer);

/** Drops the waker, unless it has been woken; returns whether it was in time. The timer is free then, either way. */
PLC_API bool plc_timer_cancel(plc_timer_t *timer);

PLC_END_DECLS
#endif
