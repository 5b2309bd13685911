/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What those drivers share that wait by poll: its time-out, and the pipe that interrupts it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "driver/driver.h"
#include "platform/platform.h"

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int plc_driver_milliseconds_(const int64_t until[PLC_CLOCKS]) {
    int64_t least = INT64_MAX;
    for (int i = 0; i < PLC_CLOCKS; i++) {
        if (until[i] <= 0)
            return 0;
        if (until[i] == INT64_MAX)
            continue;
        int64_t left = until[i] - plc_os_now_ns((enum plc_clock)i);
        int64_t rounded_up = left <= 0 ? 0 : (left - 1) / 1000000 + 1;
        /* Nobody tells poll that the wall clock was set: it looks once a second. */
        least = earlier(least, i == PLC_CLOCK_REALTIME ? earlier(rounded_up, 1000) : rounded_up);
    }
    if (least == INT64_MAX)
        return -1;
    return least > INT_MAX ? INT_MAX : (int)least;
}

int plc_driver_pipe_(int ends[2]) {
    if (pipe(ends) == -1)
        return errno;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    }
    return 0;
}

void plc_driver_pipe_write_(int end) {
    while (write(end, "", 1) == -1 && errno == EINTR) {
        /* a full pipe interrupts as well as one byte */
    }
}

void plc_driver_pipe_drain_(int end) {
    char bytes[64];
    while (read(end, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {
    }
}

void plc_driver_interrupt_waiting_(plc_driver_t *driver) {
    plc_mutex_lock(&driver->lock);
    bool is_waiting = driver->is_waiting;
    plc_mutex_unlock(&driver->lock);
    if (is_waiting)
        plc_driver_operations()->unpark(driver);
}
