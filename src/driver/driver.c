/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Running a driver, whatever waits below, and its end. */
#include "driver/driver.h"

#include <errno.h>
#include <string.h>

#include "platform/platform.h"
#include "task/memory.h"

plc_driver_t *plc_driver_new_(size_t size, const struct plc_driver_backend *backend) {
    plc_driver_t *driver = plc_allocate(size);
    if (!driver)
        return NULL;
    memset(driver, 0, size);
    driver->backend = backend;
    return driver;
}

/* ---- A park */

static void free_list(plc_io_t *list) {
    while (list) {
        plc_io_t *next = list->next;
        plc_release(list);
        list = next;
    }
}

static plc_io_t *take_retired(plc_driver_t *driver) {
    plc_io_t *retired = driver->retired;
    driver->retired = NULL;
    return retired;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Whoever wants to be heard from now on has to interrupt. Until then nobody reports on what was retired. */
static int begin_waiting(plc_driver_t *driver, plc_deadline_t deadline) {
    plc_mutex_lock(&driver->lock);
    int error = driver->is_shut ? ESHUTDOWN : 0;
    if (error == 0 && driver->backend->prepare)
        error = driver->backend->prepare(driver);
    for (int i = 0; i < PLC_CLOCKS; i++) {
        driver->until[i] = driver->timers[i] ? driver->timers[i]->deadline.ns : INT64_MAX;
        if ((int)deadline.clock == i)
            driver->until[i] = earlier(driver->until[i], deadline.ns);
    }
    driver->is_waiting = error == 0;
    plc_io_t *retired = error == 0 ? take_retired(driver) : NULL;
    plc_mutex_unlock(&driver->lock);
    free_list(retired);
    return error;
}

/* Wakers are called with the lock free: they may use the driver. */
static void fire_timers(plc_driver_t *driver, bool all) {
    plc_waker_t wakers[16];
    const size_t max = sizeof wakers / sizeof wakers[0];
    size_t count;
    do {
        plc_mutex_lock(&driver->lock);
        driver->is_waiting = false;
        count = plc_timers_take(driver, all, wakers, max);
        plc_mutex_unlock(&driver->lock);
        for (size_t i = 0; i < count; i++)
            plc_waker_wake(&wakers[i]);
    } while (count == max);
}

static int park_until(void *data, plc_deadline_t deadline) {
    plc_driver_t *driver = data;
    int saved_errno = errno;
    int error = begin_waiting(driver, deadline);
    if (error == 0) {
        /* Stable: only the thread that parks writes it. */
        error = driver->backend->wait(driver, driver->until);
        fire_timers(driver, false);
    }
    errno = saved_errno;
    return error;
}

static void unpark(void *data) {
    plc_driver_t *driver = data;
    int saved_errno = errno;
    driver->backend->interrupt(driver);
    errno = saved_errno;
}

/* ---- The end */

/* Puts the first of those who were not told yet among the others, or returns null. */
static plc_io_t *next_to_tell(plc_driver_t *driver) {
    plc_mutex_lock(&driver->lock);
    plc_io_t *io = driver->ios;
    if (io) {
        driver->ios = io->next;
        if (io->next)
            io->next->link = &driver->ios;
        io->next = driver->told;
        io->link = &driver->told;
        if (io->next)
            io->next->link = &io->next;
        driver->told = io;
    }
    plc_mutex_unlock(&driver->lock);
    return io;
}

/* What is deregistered from now on stays until the driver is closed: it may be told just now. */
static void shut_down(void *data) {
    plc_driver_t *driver = data;
    plc_mutex_lock(&driver->lock);
    driver->is_shut = true;
    plc_mutex_unlock(&driver->lock);
    for (plc_io_t *io; (io = next_to_tell(driver)) != NULL;)
        plc_io_report_(io, PLC_IO_SHUT_DOWN);
    fire_timers(driver, true);
}

const struct plc_driver_ops *plc_driver_operations(void) {
    static const struct plc_driver_ops ops = {park_until, unpark, shut_down};
    return &ops;
}

void plc_driver_close(plc_driver_t *driver) {
    int saved_errno = errno;
    if (driver->ios || driver->told)
        plc_os_fatal("driver", driver, "closed while a descriptor is registered");
    driver->backend->close(driver);
    free_list(take_retired(driver));
    plc_release(driver);
    errno = saved_errno;
}
