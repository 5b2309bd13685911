/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The driver for Linux: epoll, an eventfd that interrupts it, and a timerfd for each clock. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "driver/driver.h"
#include "platform/platform.h"
#include "platform/tuning.h"
#include "task/memory.h"

#define NS_PER_SECOND INT64_C(1000000000)
enum { EVENTS = 128 };

/* What it has learnt about sleeping. */
struct habit {
    bool looks;          /* it looks for a while before it sleeps */
    bool was_promising;  /* the last sleep that was timed would have been worth it */
    unsigned vain;       /* looks in vain, one after the other */
    unsigned waits_left; /* until the next sleep that is timed */
    unsigned pause;      /* how many waits there are between two of them */
};

/* All descriptors are watched for edges: an eventfd or a timerfd is never read, and what a task has not emptied is not reported
   again. Only the thread that waits touches `armed` and `habit`. */
struct epoll_driver {
    struct plc_driver base;
    int epoll;
    int interrupts;
    int clocks[PLC_CLOCKS];
    int64_t armed[PLC_CLOCKS]; /* when the timerfd will go off; INT64_MAX: never */
    struct habit habit;
};

static struct epoll_driver *of(plc_driver_t *driver) {
    return (struct epoll_driver *)driver;
}

/* ---- Looking before a sleep */

/* Who waits for the answer of a peer on another processor, and is awake when it comes, saves its own wake-up, which takes longer
 * than the answer, and processor time. Beside a peer on the same processor to look is in vain, and keeps the peer from its answer. The
 * sleeps tell: those of the first kind last about as long as two wake-ups, those of the second are over soon, and others are
 * long. So every now and then a sleep is timed. Several events at once say that the workers are what others wait for; to take these
 * one by one would only cost more. */
static int look_for_a_while(struct epoll_driver *self, struct epoll_event *events) {
    struct habit *habit = &self->habit;
    const int64_t start = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    int count;
    do {
        count = epoll_wait(self->epoll, events, EVENTS, 0);
    } while (count == 0 && plc_os_now_ns(PLC_CLOCK_MONOTONIC) - start < PLC_DRIVER_LOOK_NS);
    habit->vain = count == 0 ? habit->vain + 1 : 0;
    if (habit->vain == PLC_DRIVER_VAIN_LOOKS) {
        habit->looks = false;
        habit->pause = habit->pause < PLC_DRIVER_MAX_PAUSE ? habit->pause * 2 : PLC_DRIVER_MAX_PAUSE;
        habit->waits_left = habit->pause;
    }
    return count;
}

/* Two such sleeps in a row are needed to begin: one may be somebody else's doing. */
static int sleep_and_learn(struct epoll_driver *self, struct epoll_event *events) {
    struct habit *habit = &self->habit;
    const int64_t start = plc_os_now_ns(PLC_CLOCK_MONOTONIC);
    int count = epoll_wait(self->epoll, events, EVENTS, -1);
    int64_t took = plc_os_now_ns(PLC_CLOCK_MONOTONIC) - start;
    bool is_promising = plc_os_processor_count() > 1 && count == 1 && took >= PLC_DRIVER_SHORT_SLEEP_NS &&
                        took <= PLC_DRIVER_LONG_SLEEP_NS;
    if (habit->looks)
        habit->pause = PLC_DRIVER_MIN_PAUSE;
    habit->looks = is_promising && (habit->was_promising || habit->looks);
    habit->waits_left = is_promising && !habit->looks ? 0 : habit->pause;
    habit->was_promising = is_promising;
    habit->vain = 0;
    return count;
}

/* Returns how many events there are, or -1 and errno. */
static int next_events(struct epoll_driver *self, struct epoll_event *events, int milliseconds) {
    if (milliseconds == 0)
        return epoll_wait(self->epoll, events, EVENTS, 0);
    if (self->habit.waits_left-- == 0)
        return sleep_and_learn(self, events);
    int count = self->habit.looks ? look_for_a_while(self, events) : 0;
    return count != 0 ? count : epoll_wait(self->epoll, events, EVENTS, -1);
}

/* ---- Waiting */

/* One that goes off too early costs a look for nothing, and is set again then; so it is only ever set to earlier. */
static int arm(struct epoll_driver *self, int clock, int64_t ns) {
    if (ns >= self->armed[clock])
        return 0;
    struct itimerspec when = {{0, 0}, {(time_t)(ns / NS_PER_SECOND), (long)(ns % NS_PER_SECOND)}};
    if (timerfd_settime(self->clocks[clock], TFD_TIMER_ABSTIME, &when, NULL) == -1)
        return errno;
    self->armed[clock] = ns;
    return 0;
}

static unsigned readiness_of(uint32_t events) {
    unsigned readiness = 0;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLERR))
        readiness |= PLC_IO_READABLE;
    if (events & (EPOLLOUT | EPOLLERR))
        readiness |= PLC_IO_WRITABLE;
    if (events & (EPOLLRDHUP | EPOLLHUP))
        readiness |= PLC_IO_READ_CLOSED;
    if (events & EPOLLHUP)
        readiness |= PLC_IO_WRITE_CLOSED;
    return readiness;
}

static void report(struct epoll_driver *self, const struct epoll_event *event) {
    for (int i = 0; i < PLC_CLOCKS; i++) {
        if (event->data.ptr == &self->clocks[i]) {
            self->armed[i] = INT64_MAX;
            return;
        }
    }
    if (event->data.ptr != &self->interrupts)
        plc_io_report_(event->data.ptr, readiness_of(event->events));
}

static int wait(plc_driver_t *driver, const int64_t until[PLC_CLOCKS]) {
    struct epoll_driver *self = of(driver);
    struct epoll_event events[EVENTS];
    int milliseconds = -1;
    for (int i = 0; i < PLC_CLOCKS; i++) {
        int error = 0;
        if (until[i] <= 0)
            milliseconds = 0;
        else
            error = arm(self, i, until[i]);
        if (error != 0)
            return error;
    }
    int count = next_events(self, events, milliseconds);
    if (count == -1)
        return errno == EINTR ? 0 : errno;
    for (int i = 0; i < count; i++)
        report(self, &events[i]);
    return 0;
}

static void interrupt(plc_driver_t *driver) {
    /* Fails only if 2^64 interrupts have not been seen, or somebody closed it: then the park fails. */
    (void)!eventfd_write(of(driver)->interrupts, 1);
}

/* ---- Descriptors */

static int add(const struct epoll_driver *self, int fd, uint32_t events, void *data) {
    struct epoll_event event = {.events = events | EPOLLET, .data = {.ptr = data}};
    return epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) == -1 ? errno : 0;
}

static int watch(plc_io_t *io) {
    return add(of(io->driver), io->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, io);
}

static bool unwatch(plc_io_t *io) {
    struct epoll_event unused = {.events = 0};
    epoll_ctl(of(io->driver)->epoll, EPOLL_CTL_DEL, io->fd, &unused); /* fails if it was closed: then it is gone */
    return true;
}

/* ---- Life */

static void close_driver(plc_driver_t *driver) {
    struct epoll_driver *self = of(driver);
    const int fds[] = {self->epoll, self->interrupts, self->clocks[0], self->clocks[1]};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] != -1)
            close(fds[i]);
    }
}

static int open_timer(struct epoll_driver *self, int clock, clockid_t id) {
    self->clocks[clock] = timerfd_create(id, TFD_NONBLOCK | TFD_CLOEXEC);
    self->armed[clock] = INT64_MAX;
    return self->clocks[clock] == -1 ? errno : add(self, self->clocks[clock], EPOLLIN, &self->clocks[clock]);
}

static int open_all(struct epoll_driver *self) {
    self->interrupts = self->clocks[0] = self->clocks[1] = -1;
    self->habit.pause = self->habit.waits_left = PLC_DRIVER_MIN_PAUSE;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll == -1)
        return errno;
    self->interrupts = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->interrupts == -1)
        return errno;
    int error = add(self, self->interrupts, EPOLLIN, &self->interrupts);
    if (error == 0)
        error = open_timer(self, PLC_CLOCK_MONOTONIC, CLOCK_MONOTONIC);
    return error == 0 ? open_timer(self, PLC_CLOCK_REALTIME, CLOCK_REALTIME) : error;
}

int plc_driver_open_epoll(plc_driver_t **opened) {
    static const struct plc_driver_backend backend = {
        sizeof(struct plc_io), NULL, wait, interrupt, watch, unwatch, NULL, close_driver};
    plc_driver_t *driver = plc_driver_new_(sizeof(struct epoll_driver), &backend);
    if (!driver)
        return ENOMEM;
    int saved_errno = errno;
    int error = open_all(of(driver));
    if (error != 0) {
        close_driver(driver);
        plc_release(driver);
    } else {
        *opened = driver;
    }
    errno = saved_errno;
    return error;
}
