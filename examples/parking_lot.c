/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A lock of one's own on the parking lot: a ticket gate in one byte, which lets a fixed number of threads in at once. */
#include <plc/detail/atomic.h>
#include <plc/parking_lot.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

/* A counting gate.
 *
 *  state   meaning
 *  0..126  this many places are free; nobody waits
 *  128     no place is free, and threads may wait
 *
 *  WAITERS is set, and the last waiter's place is given away, only with the gate's bucket locked. Whoever leaves while
 *  threads wait hands its place to the first of them: so no place is ever free while somebody waits. */
enum { WAITERS = 128 };

struct gate {
    uint8_t state;
};

/* Bucket locked: is there still no place? Then this thread waits, and says so. */
static bool must_wait(void *context) {
    struct gate *gate = (struct gate *)context;
    uint8_t state = plc_load_relaxed(&gate->state); /* relaxed: the exchange below decides */
    while (state == 0)
        if (plc_cas_relaxed_weak(&gate->state, &state, (uint8_t)WAITERS))
            return true;
    return state == WAITERS;
}

static void enter(struct gate *gate) {
    for (;;) {
        uint8_t state = plc_load_relaxed(&gate->state);
        while (state != 0 && state != WAITERS)
            if (plc_cas_acquire_weak(&gate->state, &state, (uint8_t)(state - 1))) /* acquire: from leave's release */
                return;
        static const struct plc_park_ops ops = {.validate = must_wait};
        if (plc_park(gate, &ops, gate, 0, PLC_NO_DEADLINE).status == PLC_PARK_UNPARKED)
            return; /* the place was handed over, with everything that its owner did before */
    }
}

/* Makes a place free, unless threads wait for one. */
static bool free_place(struct gate *gate) {
    uint8_t state = plc_load_relaxed(&gate->state);
    while (state != WAITERS)
        if (plc_cas_release_weak(&gate->state, &state, (uint8_t)(state + 1))) /* release: to enter's acquire */
            return true;
    return false;
}

/* Bucket locked: the place goes to the thread that is woken. If another leaver has woken the last one, WAITERS is gone,
   and the place becomes free after all. */
static uintptr_t hand_over(void *context, struct plc_unpark_result result) {
    struct gate *gate = (struct gate *)context;
    if (result.unparked == 0)
        (void)free_place(gate);
    else if (!result.have_more)
        plc_store_relaxed(&gate->state, (uint8_t)0); /* relaxed: nobody can enter by it */
    return 0;
}

static void leave(struct gate *gate) {
    if (!free_place(gate))
        plc_unpark_one(gate, hand_over, gate);
}

/* ---- Eight threads want in, three may be inside */

enum { PLACES = 3, THREADS = 8, ROUNDS = 5000 };

static struct gate gate = {PLACES};
static unsigned inside, most_inside, visits;

static void *visit(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        enter(&gate);
        const unsigned now = plc_fetch_add_relaxed(&inside, 1u) + 1; /* relaxed: statistics */
        unsigned most = plc_load_relaxed(&most_inside);
        while (now > most && !plc_cas_relaxed_weak(&most_inside, &most, now)) {
        }
        plc_fetch_add_relaxed(&visits, 1u);
        sched_yield(); /* so that the gate fills */
        plc_fetch_sub_relaxed(&inside, 1u);
        leave(&gate);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, visit, NULL) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%u visits, at most %u at once, %d places free again\n", visits, most_inside, gate.state);
    return visits == THREADS * ROUNDS && most_inside <= PLACES && gate.state == PLACES ? 0 : 1;
}
