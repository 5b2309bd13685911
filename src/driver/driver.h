/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What all drivers share, and what each of them does in its own way. */
#ifndef PLC_DRIVER_INTERNAL_H
#define PLC_DRIVER_INTERNAL_H

#include <plc/atomic_waker.h>
#include <plc/driver.h>
#include <plc/mutex.h>

PLC_BEGIN_DECLS

enum { PLC_CLOCKS = 2 }; /* enum plc_clock counts them */

struct plc_driver_backend {
    size_t io_size; /* of its plc_io_t: that structure, and what it adds behind */
    /* Under the driver's lock, by whoever is about to wait: 0, or an error number. May be null. */
    int (*prepare)(plc_driver_t *driver);
    /* Waits until something was reported, interrupted, or one of the instants, one for each clock, has passed; one that is not
       after 0 has. Reports what happened. Returns 0, or an error number. */
    int (*wait)(plc_driver_t *driver, const int64_t until[PLC_CLOCKS]);
    /* Makes the wait that is going on return, or the next one. */
    void (*interrupt)(plc_driver_t *driver);
    /* Begins to watch. Returns 0, or an error number. */
    int (*watch)(plc_io_t *io);
    /* Ends that; returns whether the memory may go as soon as nobody waits. Else it calls plc_io_retire_ later. */
    bool (*unwatch)(plc_io_t *io);
    /* A task waits for this now. Null if all changes are reported anyway. */
    void (*want)(plc_io_t *io, unsigned interest);
    /* Gives everything up but the driver's memory. */
    void (*close)(plc_driver_t *driver);
};

/* Guarded by the lock, but for the first member. A backend puts its own members behind. */
struct plc_driver {
    const struct plc_driver_backend *backend;
    plc_mutex_t lock;
    bool is_shut;
    bool is_waiting;                      /* from before prepare until after wait */
    int64_t until[PLC_CLOCKS];            /* then: until when */
    struct plc_io *ios;                   /* all that are watched */
    struct plc_io *told;                  /* likewise, and they know that the driver was shut down */
    struct plc_io *retired;               /* to be freed when nobody can be reporting on them: before the next wait */
    struct plc_timer *timers[PLC_CLOCKS]; /* the first to fire, as the root of a heap */
};

struct plc_io {
    plc_atomic_waker_t reader;
    plc_atomic_waker_t writer;
    uint32_t readiness; /* PLC_IO_... */
    unsigned wanted;    /* the backend's: READABLE, WRITABLE */
    int fd;
    plc_driver_t *driver;
    struct plc_io *next;  /* in a list of the driver's */
    struct plc_io **link; /* what points at it there; null: in none */
};

/* Exported for libplc_uv.so, not API. */
PLC_API plc_driver_t *plc_driver_new_(size_t size, const struct plc_driver_backend *backend);
PLC_API void plc_io_report_(plc_io_t *io, unsigned readiness);
PLC_API void plc_io_retire_(plc_io_t *io);
PLC_API void plc_driver_interrupt_waiting_(plc_driver_t *driver);
/* Milliseconds until the earlier instant, rounded up, for poll; -1: never. */
PLC_API int plc_driver_milliseconds_(const int64_t until[PLC_CLOCKS]);
/* A pipe that does not block and is closed by exec: 0, or an error number. The end that is written, and who reads it. */
PLC_API int plc_driver_pipe_(int ends[2]);
PLC_API void plc_driver_pipe_write_(int end);
PLC_API void plc_driver_pipe_drain_(int end);

/* ---- Timers (timer.c), under the driver's lock */

/* Takes all out whose time has come, or, if `all`, every one, up to max; returns how many, and their wakers. */
size_t plc_timers_take(plc_driver_t *driver, bool all, plc_waker_t *wakers, size_t max);

PLC_END_DECLS

#endif
