/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  Parkers that share a driver: whoever gets it waits in it for events, the others sleep on their own.
 *
 *  A runtime's workers wait for two things at once: for each other, and for whatever happens outside, such as a socket
 *  that becomes readable. A *driver* waits for the latter, and can be run by one thread at a time. Here each worker has
 *  a parker, and they share one driver: the first to park runs it; the next ones sleep. An unpark does what is right for
 *  where its parker is: it interrupts the driver, wakes the thread, or leaves a permit.
 *
 *  The driver is not left alone while somebody sleeps: when whoever ran it, and left it for an event, a permit or a deadline,
 *  does not come back within some milliseconds, one of the sleepers takes it over, and does not return from its park for that.
 *
 *  The driver wakes tasks on the thread that runs it, often many at once. Let other workers know of them when the park or poll has
 *  returned, and not one by one: each unpark in between costs as much as a task does.
 *
 *  Zeroed memory is no shared driver; see plc_shared_driver_init. Everything may be freed once no thread parks, unparks
 *  or shuts down here any more. Nothing here allocates; a park blocks, and nothing else does, unless the driver's functions
 *  do. errno is preserved, unless they change it.
 *
 *  Ordering: all that a thread did before it unparked happens before the return of the park that takes the permit; all that
 *  it did before the shutdown happens before each park that returns because of it; and each run of the driver happens before
 *  the next one.
 *
 *  Source: the parker of Tokio's multi-thread scheduler, which leaves the driver alone until somebody comes to park.
 *  docs/design/driver.md has the states and edges. */
#ifndef PLC_DRIVER_PARKER_H
#define PLC_DRIVER_PARKER_H

#include <plc/deadline.h>

PLC_BEGIN_DECLS

/** What is done with a driver; `driver` is what plc_shared_driver_init was given. */
struct plc_driver_ops {
    /** Waits until something has happened, has been unparked, or until @p deadline has passed; tells whoever waits for what
     *  has happened; and returns 0, or an error number. It may return for no reason. One thread at a time; never after
     *  shutdown. A deadline that has passed means: look without waiting. */
    int (*park_until)(void *driver, plc_deadline_t deadline);
    /** Any thread, at any time, after shutdown too: makes the park that is going on return, or else the next one. Never
     *  blocks. */
    void (*unpark)(void *driver);
    /** Once, by a thread that is in no park_until, and none follows: gives up what it has, and tells whoever waits. */
    void (*shutdown)(void *driver);
};

struct plc_shared_driver;

/** One worker's parker; the members are private. Aligned or not, no two of an array share a cache line with their state. */
typedef struct plc_driver_parker {
    uint32_t state;                                           /**< private */
    uint32_t last_drove;                                      /**< private */
    struct plc_shared_driver *shared;                         /**< private */
    char padding[64 - 2 * sizeof(uint32_t) - sizeof(void *)]; /**< private */
} plc_driver_parker_t;

/** A driver and the parkers that share it; the members are private. */
typedef struct plc_shared_driver {
    uint32_t state;                   /**< private */
    uint32_t count;                   /**< private */
    plc_driver_parker_t *parkers;     /**< private */
    const struct plc_driver_ops *ops; /**< private */
    void *driver;                     /**< private */
} plc_shared_driver_t;

/** Why a park returned. */
enum plc_driver_park_status {
    PLC_DRIVER_PARK_NOTIFIED,  /**< It took the parker's permit. */
    PLC_DRIVER_PARK_DROVE,     /**< The driver ran, and returned. */
    PLC_DRIVER_PARK_TIMED_OUT, /**< The deadline has passed; of a poll: another thread runs the driver. */
    PLC_DRIVER_PARK_SHUT_DOWN, /**< There is no driver any more, and nobody sleeps here again. */
    PLC_DRIVER_PARK_FAILED,    /**< The driver failed; the permit, if there is one, was not taken. */
};

/** How a park ended. */
struct plc_driver_park_result {
    enum plc_driver_park_status status; /**< Why it returned. */
    int error;                          /**< The driver's error number if it failed, else 0. */
    bool drove;                         /**< The driver ran: there may be work, whatever the status is. */
};

/** Makes @p parkers, of which there are @p count, share @p driver. Before any thread uses one. More than 2^27 abort with a
 *  message. */
PLC_API void plc_shared_driver_init(plc_shared_driver_t *shared, const struct plc_driver_ops *ops, void *driver,
                                    plc_driver_parker_t *parkers, size_t count);

/** Any thread, any number of times: the driver is run no more, its `shutdown` is called once, and everybody who is parked
 *  returns. Waits for nobody: if a thread is in the driver, that thread calls `shutdown` on its way out. */
PLC_API void plc_shared_driver_shutdown(plc_shared_driver_t *shared);

/** Owner: takes the permit; without one, runs the driver or sleeps, until there is one or the driver has returned. Parking
 *  while another thread is parked on the same parker aborts with a message. */
PLC_API struct plc_driver_park_result plc_driver_parker_park(plc_driver_parker_t *parker);

/** As plc_driver_parker_park, but gives up when @p deadline has passed. With a deadline that has passed, it takes the permit
 *  or else runs the driver without waiting. */
PLC_API struct plc_driver_park_result plc_driver_parker_park_until(plc_driver_parker_t *parker,
                                                                   plc_deadline_t deadline);

/** Owner: lets the driver look for events, if no other thread is running it, without waiting. Leaves the permit alone: busy
 *  workers call it now and then, permits or not. */
PLC_API struct plc_driver_park_result plc_driver_parker_poll(plc_driver_parker_t *parker);

/** Any thread: leaves a permit, and makes the owner return if it is parked. Permits do not add up. After shutdown
 *  it does nothing else. Never blocks, unless the driver's unpark does. */
PLC_API void plc_driver_parker_unpark(plc_driver_parker_t *parker);

PLC_END_DECLS
#endif
