/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parkers that share a driver: two state machines, one in each parker, and one that says who has the driver and how many
   sleep. */
#include <plc/driver_parker.h>

#include "parking_lot/thread.h"
#include "platform/platform.h"
#include "platform/tuning.h"
#include "task/word_wait.h"
#include "thread_parker/spin_habit.h"

/* parker->state
 *
 *   value           meaning                                           left by
 *   EMPTY           no permit; the owner is not parked                owner: CAS to PARKED; anybody: exchange to NOTIFIED
 *   PARKED          no permit; the owner sleeps, or is about to       unpark; call_one: CAS to CALLED; owner: exchange to
 *                   sleep or to take the driver                       EMPTY, or CAS to PARKED_DRIVER
 *   PARKED_DRIVER   no permit; the owner runs the driver              unpark, then the driver's; owner: exchange to EMPTY
 *   CALLED          as PARKED, and the driver may be free: the        unpark; owner: as PARKED
 *                   owner is to get up and see to it
 *   NOTIFIED        a permit                                          owner: exchange to EMPTY
 *
 * shared->state
 *   31 ......... 4   3   2   1   0
 *  [   sleepers    | L | W | S | D ]
 *   D  somebody has the driver      S  shut down, for good
 *   W  a sleeper keeps watch        L  somebody has left the driver since it last looked
 *   sleepers: how many owners sleep; counted from before the sleep until the owner has set its own state to EMPTY
 *
 *   S D  meaning                                      left by
 *   0 0  the driver is free                           begin_waiting, stop_sleeping, poll: CAS to D; shutdown: or S
 *   0 1  a thread has the driver                      stop_driving: clears D; shutdown: or S
 *   1 1  that thread will call the driver's shutdown  stop_driving: clears D
 *   1 0  the driver is shut down, or being so         never
 *   W is set by a sleeper that begins its sleep or was called, and cleared by the same one; L is only set with W, and cleared at
 *   the latest with it.
 *
 * A worker that handles an event comes back soon, as a rule, and to wake another one for the meantime would cost more than it gains.
 * So a sleeper keeps watch, unless another does: it looks every PLC_DRIVER_WATCH_NS, and takes the driver if nobody has had it since
 * the last look. Meanwhile nobody is called. When nobody has left the driver for that long, the watch ends, and the next one who leaves calls a
 * sleeper, which does not take the driver at once either, but keeps watch again.
 *
 * Invariants
 *   I1  Only the owner makes EMPTY into PARKED and takes NOTIFIED away. Each other change of a parker's state by another
 *       thread is followed by a wake or by the driver's unpark, so nobody stays where it is beside a permit.
 *   I2  Who has D has the driver. Nobody gets D once S is set, so whoever sees D clear while setting S, or S set while
 *       clearing D, is the only one who does, and calls the driver's shutdown.
 *   I3  A thread becomes a sleeper only while D is set and S is not, in the same step in which it sees that. Likewise a watch
 *       ends, if its sleeper sleeps on.
 *   I4  If sleepers > 0 and neither D nor S is set, either W is set and its sleeper will look in time, or some thread is on its
 *       way to change that: who cleared D or left the sleepers last and is about to call one, or an owner that is counted but
 *       no longer asleep, because it was called, unparked or timed out. That one takes the driver, or keeps watch, or calls
 *       another when it leaves the sleepers.
 *       So the caller may pass over everybody whose state is not PARKED. A PARKED one that is not counted yet will do as
 *       well: it goes on by begin_waiting, which either takes the driver or finds that another thread has it.
 *       One that is no longer counted must not look PARKED, which is why the count is the last thing a sleeper gives up.
 *
 * Memory order
 *   [N1] an unpark's exchange-release -> the owner's exchange-acquire that takes the permit. Every change of the state is a
 *        read-modify-write, so a permit carries the release of all unparks since the last one taken.
 *   [N2] stop_driving's CAS-release -> the acquire of whoever gets D, or of shutdown: what the driver keeps.
 *   [N3] begin_waiting's CAS-release that counts a sleeper; begin_watch's, which sleeps on -> the acquire of whoever clears D,
 *        leaves the sleepers or shuts down, and calls one: that the sleeper is PARKED.
 *   [N4] shutdown's or-release -> the acquire of who finds S set: what was done before the shutdown.
 *   There are no fences: whether the driver is free and whether somebody sleeps are said by one word. */
enum {
    EMPTY = 0u,
    PARKED = 1u,
    NOTIFIED = 2u,
    PARKED_DRIVER = 3u,
    CALLED = 4u,
};

enum {
    DRIVEN = 1u,
    SHUT = 2u,
    WATCHED = 4u,
    LEFT = 8u,
    SLEEPER = 16u,
};

static const plc_deadline_t now = {0, PLC_CLOCK_MONOTONIC};

static struct plc_driver_park_result result(enum plc_driver_park_status status, bool drove) {
    struct plc_driver_park_result made = {status, 0, drove};
    return made;
}

void plc_shared_driver_init(plc_shared_driver_t *shared, const struct plc_driver_ops *ops, void *driver,
                            plc_driver_parker_t *parkers, size_t count) {
    if (count > UINT32_MAX / SLEEPER / 2)
        plc_os_fatal("shared driver", shared, "more parkers than can be counted");
    *shared = (plc_shared_driver_t){.count = (uint32_t)count, .parkers = parkers, .ops = ops, .driver = driver};
    for (size_t i = 0; i < count; i++)
        parkers[i] = (plc_driver_parker_t){.state = EMPTY, .shared = shared};
}

/* ---- Calling a sleeper */

static bool call(plc_driver_parker_t *parker) {
    uint32_t state = PARKED;
    /* relaxed: the other one finds out about the driver from the shared state, by a read-modify-write */
    if (plc_load_relaxed(&parker->state) != PARKED || !plc_cas_relaxed(&parker->state, &state, (uint32_t)CALLED))
        return false;
    plc_word_wake_one(&parker->state);
    return true;
}

/* The caller has made D clear, or left the sleepers and found it clear, with others asleep. Begins behind itself, so that
   not always the same one is called. */
static void call_one(const plc_driver_parker_t *self) {
    plc_shared_driver_t *shared = self->shared;
    uint32_t own = (uint32_t)(self - shared->parkers);
    for (uint32_t i = 1; i < shared->count; i++) {
        if (call(&shared->parkers[(own + i) % shared->count]))
            return;
    }
}

static bool is_left_alone(uint32_t state) {
    return state >= SLEEPER && !(state & (DRIVEN | SHUT | WATCHED));
}

/* ---- Running the driver */

/* Returns whether it was shut down meanwhile. */
static bool stop_driving(const plc_driver_parker_t *self) {
    plc_shared_driver_t *shared = self->shared;
    uint32_t state = plc_load_relaxed(&shared->state), next; /* relaxed: the CAS looks again */
    do {
        next = state & WATCHED ? (state - DRIVEN) | LEFT : state - DRIVEN;
    } while (!plc_cas_acq_rel_weak(&shared->state, &state, next)); /* release [N2]; acquire [N3] [N4] */
    if (state & SHUT)
        shared->ops->shutdown(shared->driver);
    else if (is_left_alone(next))
        call_one(self);
    return state & SHUT;
}

/* False: there is a permit. */
static bool enter_driver(plc_driver_parker_t *self) {
    uint32_t state = plc_load_relaxed(&self->state); /* relaxed: only the owner takes a permit, later */
    while (state != NOTIFIED) {
        if (plc_cas_relaxed_weak(&self->state, &state, (uint32_t)PARKED_DRIVER)) /* relaxed: publishes nothing */
            return true;
    }
    return false;
}

/* Gives the driver up and says how the park ended; `state`: what the parker's was. */
static struct plc_driver_park_result leave_driver(const plc_driver_parker_t *self, uint32_t state, bool drove,
                                                  plc_deadline_t deadline) {
    bool is_over = stop_driving(self);
    if (state == NOTIFIED)
        return result(PLC_DRIVER_PARK_NOTIFIED, drove);
    if (is_over)
        return result(PLC_DRIVER_PARK_SHUT_DOWN, drove);
    return result(plc_deadline_has_passed(deadline) ? PLC_DRIVER_PARK_TIMED_OUT : PLC_DRIVER_PARK_DROVE, drove);
}

static struct plc_driver_park_result failed(const plc_driver_parker_t *self, int error) {
    struct plc_driver_park_result made = {PLC_DRIVER_PARK_FAILED, error, true};
    stop_driving(self);
    return made;
}

/* The caller has D. */
static struct plc_driver_park_result drive(plc_driver_parker_t *self, plc_deadline_t deadline) {
    plc_shared_driver_t *shared = self->shared;
    bool drove = enter_driver(self);
    int error = drove ? shared->ops->park_until(shared->driver, deadline) : 0;
    if (PLC_UNLIKELY(error != 0)) {
        uint32_t state = PARKED_DRIVER;
        plc_cas_relaxed(&self->state, &state, (uint32_t)EMPTY); /* relaxed: takes nothing; a permit stays */
        return failed(self, error);
    }
    uint32_t state = plc_exchange_acquire(&self->state, (uint32_t)EMPTY); /* acquire [N1] */
    return leave_driver(self, state, drove, deadline);
}

/* ---- Sleeping */

enum role {
    DRIVES, /* has D now */
    SLEEPS, /* is counted now */
    LEAVES, /* the driver is shut down */
};

static bool is_shut(const plc_shared_driver_t *shared) {
    return plc_load_acquire(&shared->state) & SHUT; /* acquire [N4] */
}

/* In *watches: whether the caller may keep watch; then, if it sleeps, whether it does. */
static enum role begin_waiting(plc_shared_driver_t *shared, bool *watches) {
    const uint32_t watch = *watches ? WATCHED : 0;
    uint32_t state = plc_load_relaxed(&shared->state); /* relaxed: the CAS looks again */
    for (;;) {
        if (state & SHUT && is_shut(shared))
            return LEAVES;
        if (state & DRIVEN) {
            *watches = watch & ~state;
            if (plc_cas_release_weak(&shared->state, &state, (state + SLEEPER) | watch)) /* release [N3] */
                return SLEEPS;
        } else if (plc_cas_acquire_weak(&shared->state, &state, state | DRIVEN)) { /* acquire [N2] */
            return DRIVES;
        }
    }
}

/* The caller was called, and is PARKED again. False if another keeps watch, or there is nothing to watch. */
static bool begin_watch(plc_shared_driver_t *shared) {
    uint32_t state = plc_load_relaxed(&shared->state); /* relaxed: the CAS looks again */
    do {
        if (state & (SHUT | WATCHED))
            return false;
    } while (!plc_cas_release_weak(&shared->state, &state, state | WATCHED)); /* release [N3] */
    return true;
}

enum view {
    LEFT_ALONE, /* the driver is free, and was at the last look; or it is shut down */
    IN_USE,     /* workers leave it and come back */
    QUIET,      /* nobody has left it; the watch is over */
};

/* relaxed throughout: begin_watch has published that the caller is PARKED, and read-modify-writes go on with its release. */
static enum view look(plc_shared_driver_t *shared) {
    uint32_t state = plc_load_relaxed(&shared->state);
    for (;;) {
        if (!(state & (DRIVEN | LEFT)) || state & SHUT)
            return LEFT_ALONE;
        uint32_t next = state & LEFT ? state - LEFT : state - WATCHED;
        if (plc_cas_relaxed_weak(&shared->state, &state, next))
            return state & LEFT ? IN_USE : QUIET;
    }
}

static plc_deadline_t time_to_look(plc_deadline_t deadline) {
    plc_deadline_t next = plc_deadline_after_ns(PLC_DRIVER_WATCH_NS);
    return next.ns < deadline.ns ? next : deadline;
}

/* Sleeps, or keeps watch, until there is something to do, and makes the state EMPTY. Returns what it was; PARKED: the deadline
   has passed; CALLED: the driver may be free. */
static uint32_t sleep_until(plc_driver_parker_t *self, plc_deadline_t deadline, bool *watches) {
    bool is_alone = false;
    while (!is_alone) {
        bool in_time = plc_word_wait(&self->state, PARKED, *watches ? time_to_look(deadline) : deadline);
        uint32_t state = plc_load_relaxed(&self->state); /* relaxed: the exchange looks again */
        if (state == CALLED && !*watches && deadline.clock == PLC_CLOCK_MONOTONIC) {
            if (!plc_cas_relaxed(&self->state, &state, (uint32_t)PARKED)) /* relaxed: [N3] publishes it */
                break;
            *watches = begin_watch(self->shared);
            is_alone = !*watches;
        } else if (state != PARKED || (!in_time && (!*watches || plc_deadline_has_passed(deadline)))) {
            break;
        } else if (!in_time) {
            enum view view = look(self->shared);
            is_alone = view == LEFT_ALONE;
            *watches = view != QUIET;
        }
    }
    uint32_t state = plc_exchange_acquire(&self->state, (uint32_t)EMPTY); /* acquire [N1] */
    return is_alone && state == PARKED ? (uint32_t)CALLED : state;
}

/* Returns whether the caller has D now, which it gets only if it was called and the driver is free still. */
static bool stop_sleeping(const plc_driver_parker_t *self, bool was_called, bool watched) {
    plc_shared_driver_t *shared = self->shared;
    uint32_t state = plc_load_relaxed(&shared->state), next; /* relaxed: the CAS looks again */
    bool drives;
    do {
        drives = was_called && !(state & (DRIVEN | SHUT));
        next = (drives ? state | DRIVEN : state) - SLEEPER;
        if (watched)
            next &= ~(uint32_t)(WATCHED | LEFT);
    } while (!plc_cas_acquire_weak(&shared->state, &state, next)); /* acquire [N2] [N3] */
    if (is_left_alone(next))
        call_one(self);
    return drives;
}

/* Takes the permit, or announces that the owner is about to park. */
static bool take_or_announce(plc_driver_parker_t *self) {
    uint32_t state = EMPTY;
    if (plc_cas_relaxed(&self->state, &state, (uint32_t)PARKED)) /* relaxed: [N3] publishes it */
        return false;
    if (state != NOTIFIED)
        plc_os_fatal("driver parker", self, "park while another thread is parked on it, or it was overwritten");
    plc_exchange_acquire(&self->state, (uint32_t)EMPTY); /* acquire [N1]: of a later unpark than the CAS saw, too */
    return true;
}

static bool has_permit(const void *parker) {
    const uint32_t *state = &((const plc_driver_parker_t *)parker)->state;
    return plc_load_relaxed(state) == NOTIFIED; /* relaxed: the owner takes the permit with an acquire */
}

/* Who has last returned with what the driver brought, and can run it again, does not keep it waiting for a permit. */
static void spin(const plc_driver_parker_t *self) {
    /* relaxed: a guess */
    const bool driver_first = self->last_drove && !(plc_load_relaxed(&self->shared->state) & DRIVEN);
    struct plc_spin_habit *habit = &plc_thread_self()->spin_habit;
    if (!driver_first && plc_spin_habit_may_spin(habit))
        plc_spin_habit_learn(habit, plc_spin_until(has_permit, self), PLC_PARKER_MAX_SKIPS);
}

static struct plc_driver_park_result park_until(plc_driver_parker_t *self, plc_deadline_t deadline) {
    for (;;) {
        if (take_or_announce(self))
            return result(PLC_DRIVER_PARK_NOTIFIED, false);
        bool watches = deadline.clock == PLC_CLOCK_MONOTONIC;
        enum role role = begin_waiting(self->shared, &watches);
        if (role == DRIVES)
            return drive(self, deadline);
        if (role == LEAVES) {
            bool notified = plc_exchange_acquire(&self->state, (uint32_t)EMPTY) == NOTIFIED; /* acquire [N1] */
            return result(notified ? PLC_DRIVER_PARK_NOTIFIED : PLC_DRIVER_PARK_SHUT_DOWN, false);
        }
        uint32_t state = sleep_until(self, deadline, &watches);
        if (stop_sleeping(self, state == CALLED, watches))
            return drive(self, deadline);
        if (state == NOTIFIED)
            return result(PLC_DRIVER_PARK_NOTIFIED, false);
        if (state == PARKED)
            return result(PLC_DRIVER_PARK_TIMED_OUT, false);
    }
}

struct plc_driver_park_result plc_driver_parker_park_until(plc_driver_parker_t *self, plc_deadline_t deadline) {
    if (deadline.ns > 0) /* else there is no time for a wait at all */
        spin(self);
    struct plc_driver_park_result how = park_until(self, deadline);
    self->last_drove = how.status == PLC_DRIVER_PARK_DROVE;
    return how;
}

struct plc_driver_park_result plc_driver_parker_park(plc_driver_parker_t *self) {
    return plc_driver_parker_park_until(self, PLC_NO_DEADLINE);
}

/* ---- The others */

struct plc_driver_park_result plc_driver_parker_poll(plc_driver_parker_t *self) {
    plc_shared_driver_t *shared = self->shared;
    uint32_t state = plc_load_relaxed(&shared->state); /* relaxed: the CAS looks again */
    do {
        if (state & SHUT && is_shut(shared))
            return result(PLC_DRIVER_PARK_SHUT_DOWN, false);
        if (state & DRIVEN)
            return result(PLC_DRIVER_PARK_TIMED_OUT, false);
    } while (!plc_cas_acquire_weak(&shared->state, &state, state | DRIVEN)); /* acquire [N2] */
    int error = shared->ops->park_until(shared->driver, now);
    if (error != 0)
        return failed(self, error);
    return result(stop_driving(self) ? PLC_DRIVER_PARK_SHUT_DOWN : PLC_DRIVER_PARK_DROVE, true);
}

void plc_driver_parker_unpark(plc_driver_parker_t *parker) {
    /* An exchange even if a permit is there: whoever takes it must see what this thread did as well. release [N1] */
    uint32_t old = plc_exchange_release(&parker->state, (uint32_t)NOTIFIED);
    if (old == PARKED_DRIVER)
        parker->shared->ops->unpark(parker->shared->driver);
    else if (old == PARKED || old == CALLED) /* who called it may not have come to its wake yet */
        plc_word_wake_one(&parker->state);
}

void plc_shared_driver_shutdown(plc_shared_driver_t *shared) {
    uint32_t old = plc_fetch_or_acq_rel(&shared->state, (uint32_t)SHUT); /* release [N4]; acquire [N2] [N3] */
    if (old & SHUT)
        return;
    if (old & DRIVEN)
        shared->ops->unpark(shared->driver); /* who has the driver does the rest, be it not yet in it or out again */
    else
        shared->ops->shutdown(shared->driver);
    for (uint32_t i = 0; i < shared->count; i++)
        call(&shared->parkers[i]);
}
