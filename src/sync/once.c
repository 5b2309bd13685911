/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The slow path of once: running the function, waiting for another thread that does, and failing. */
#include <plc/once.h>

#include "parking_lot/lot.h"
#include "parking_lot/thread.h"
#include "platform/platform.h"
#include "platform/spin.h"

/* once->state
 *   7  6  5  4  3  2  1  0
 *  [0  0  0  0  K  R  P  D]      D done   P poisoned   R running   K somebody may be parked
 *
 *   K R P D   meaning               left by
 *   0 0 0 0   new, or failed        a caller: CAS to R
 *   0 0 0 1   done                  nobody
 *   0 0 1 0   poisoned              plc_once_call_force: CAS to R
 *   0 1 0 0   running               the running thread: exchange; a waiter: CAS to K R
 *   1 1 0 0   running, parked       the running thread: exchange, then unpark_all
 *   others: not a once; reported by the slow path
 *
 * Invariants
 *   I1  The thread whose CAS set R runs the function, and only its exchange clears R.
 *   I2  A waiter is queued only after it saw K R under the bucket lock.
 *   I3  The exchange that takes K away is followed by unpark_all, which locks that bucket: with I2, nobody sleeps
 *       through the end of a run.
 *   I4  That exchange is the running thread's last access to the once, which may be freed by whoever sees the outcome.
 *       unpark_all uses only the address; waiters of another once that lives there look again and park again.
 *   I5  While the function runs, a frame that names the once is linked from the thread's data; every way out of the
 *       function unlinks it.
 *
 * Memory order
 *   [O1] finish's exchange-release -> the acquire loads of the outcome (plc_once_is_done, the slow path's,
 *        plc_once_state) and the CAS-acquire that begins the next run: all that the function did.
 *   All else is relaxed: R and K carry no data, and I2 is decided under the bucket lock.
 *
 * docs/design/once.md explains. The algorithm is that of parking_lot's Once. */

enum {
    NEW = 0u,
    DONE = PLC_ONCE_DONE_,
    POISONED = 2u,
    RUNNING = 4u,
    PARKED = 8u,
};

static struct plc_lot_key key_of(const plc_once_t *once) {
    return plc_lot_key(once, PLC_WAITER_ONCE);
}

/* ---- Running */

/* One call of a function, on the stack of the thread that runs it. */
struct plc_once_frame {
    plc_once_t *once;
    struct plc_once_frame *previous;
    uint8_t outcome; /* what the once becomes if the function is left now */
};

static bool is_run_by_this_thread(const plc_once_t *once) {
    const struct plc_once_frame *frame = plc_thread_self()->once_frames;
    while (frame && frame->once != once)
        frame = frame->previous;
    return frame != NULL;
}

/* Publishes the outcome. Runs on every way out of the function, an exception or a cancellation included. */
static void finish(struct plc_once_frame *frame) {
    plc_once_t *once = frame->once;
    plc_thread_self()->once_frames = frame->previous;
    uint8_t old = plc_exchange_release(&once->state, frame->outcome); /* release [O1]; the last access (I4) */
    if (old & PARKED)
        plc_lot_unpark_all(key_of(once), 0);
}

static bool run(plc_once_t *once, bool (*function)(void *argument), void *argument, uint8_t outcome_of_failure) {
    struct plc_thread *self = plc_thread_self();
    struct plc_once_frame frame __attribute__((cleanup(finish))) = {once, self->once_frames, outcome_of_failure};
    self->once_frames = &frame;
    bool done = function(argument);
    if (done)
        frame.outcome = DONE;
    return done;
}

/* ---- Waiting */

/* Runs under the bucket lock. */
static bool is_running_and_parked(void *context) {
    const plc_once_t *once = context;
    return plc_load_relaxed(&once->state) == (RUNNING | PARKED); /* relaxed: I2 */
}

static const struct plc_park_ops wait_for_end = {.validate = is_running_and_parked, .flags = PLC_PARK_NO_SPIN};

/* Waits for the end of a run, or for a little while; the caller looks again. */
static void wait_for_change(plc_once_t *once, uint8_t state, struct plc_spin *spin) {
    if (!(state & PARKED)) {
        if (plc_spin_once(spin))
            return;
        if (!plc_cas_relaxed_weak(&once->state, &state, (uint8_t)(RUNNING | PARKED))) /* relaxed: carries no data */
            return;
    }
    plc_lot_park(key_of(once), &wait_for_end, once, 0, PLC_NO_DEADLINE);
}

/* The state is neither new nor an outcome. */
static void check_misuse(const plc_once_t *once, uint8_t state) {
    if ((state & ~PARKED) != RUNNING)
        plc_os_fatal("once", once, "call on memory that does not hold a once, or was overwritten");
    if (state & RUNNING && is_run_by_this_thread(once))
        plc_os_fatal("once", once, "the function calls the once that is running it");
}

bool plc_once_call_slow_(plc_once_t *once, bool (*function)(void *argument), void *argument, enum plc_once_form_ form) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    for (;;) {
        uint8_t state = plc_load_acquire(&once->state); /* acquire [O1] */
        if (state == DONE)
            return true;
        if (state == POISONED && form != PLC_ONCE_FORCE_)
            return false;
        if (state == NEW || state == POISONED) {
            if (plc_cas_acquire_weak(&once->state, &state, (uint8_t)RUNNING)) /* acquire [O1] */
                return run(once, function, argument, form == PLC_ONCE_RETRY_ ? NEW : POISONED);
            continue;
        }
        check_misuse(once, state);
        wait_for_change(once, state, &spin);
    }
}

enum plc_once_status plc_once_state(const plc_once_t *once) {
    switch (plc_load_acquire(&once->state)) { /* acquire [O1] */
    case NEW:
        return PLC_ONCE_NEW;
    case DONE:
        return PLC_ONCE_DONE;
    case POISONED:
        return PLC_ONCE_POISONED;
    default:
        return PLC_ONCE_RUNNING;
    }
}
