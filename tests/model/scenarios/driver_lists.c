/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a driver knows of descriptors and timers: no report is missed, none touches memory that was given up, and a shutdown
   tells everybody. */
#include <errno.h>

#include "driver/driver.h"
#include "mc.h"
#include "task/memory.h"

/* ---- Instead of what lies below */

static int allocated, freed;
static bool memory_is_exhausted;

void *plc_allocate(size_t size) {
    if (memory_is_exhausted)
        return NULL;
    mc_lock(&allocated);
    allocated++;
    mc_unlock(&allocated);
    return mc_pages(size);
}

void plc_release(void *memory) {
    mc_lock(&allocated);
    freed++;
    mc_unlock(&allocated);
    mc_lifetime_end(memory, sizeof(struct plc_io));
}

/* The model's threads share one kernel thread, and with it its error number. */
int *__errno_location(void) {
    static int numbers[MC_MAX_THREADS];
    return &numbers[mc_self()];
}

/* The driver's lock is checked elsewhere. */
void plc_mutex_lock_slow_(plc_mutex_t *mutex) {
    while (!plc_mutex_try_lock(mutex))
        mc_yield();
}

void plc_mutex_unlock_slow_(plc_mutex_t *mutex, uint8_t left) {
    (void)mutex;
    MC_ASSERT(left == 0);
}

/* The kernel orders a message before the attempt that finds it, and nothing else. */
static struct {
    plc_io_t *watched;
    uint32_t has_message; /* guarded by an ideal lock on the kernel */
    uint32_t edge;        /* there is something new */
    uint32_t interrupt;   /* INTERRUPTED, OVER: the driver is to return; it orders nothing */
    uint32_t found;       /* plain: which of them the driver has returned for last */
    bool refuses;
} kernel;
enum { INTERRUPTED = 1, OVER = 2 };

static int fake_wait(plc_driver_t *driver, const int64_t until[PLC_CLOCKS]) {
    (void)driver;
    while ((kernel.found = plc_exchange_relaxed(&kernel.interrupt, 0u)) == 0) {
        plc_io_t *io = plc_load_relaxed(&kernel.watched);
        if (io && plc_exchange_relaxed(&kernel.edge, 0u)) {
            plc_io_report_(io, PLC_IO_READABLE);
            return 0;
        }
        if (until[PLC_CLOCK_MONOTONIC] != INT64_MAX)
            return 0; /* no instant here lies in the future */
        mc_yield();
    }
    return 0;
}

static void fake_interrupt(plc_driver_t *driver) {
    (void)driver;
    plc_store_relaxed(&kernel.interrupt, (uint32_t)INTERRUPTED);
}

static int fake_watch(plc_io_t *io) {
    if (kernel.refuses)
        return EBADF;
    plc_store_relaxed(&kernel.watched, io);
    return 0;
}

static bool fake_unwatch(plc_io_t *io) {
    (void)io;
    plc_store_relaxed(&kernel.watched, (plc_io_t *)NULL);
    return true;
}

static int fake_prepare(plc_driver_t *driver) {
    (void)driver;
    return 0;
}

static void fake_want(plc_io_t *io, unsigned interest) {
    (void)io;
    (void)interest;
}

static void fake_close(plc_driver_t *driver) {
    (void)driver;
}

/* ---- A waker that notes its wakes and counts itself */

static struct bell {
    uint8_t rung;
    int8_t living;
} bell, others_bell;
static plc_waker_t waker_of(struct bell *to_ring);

static plc_waker_t clone_bell(void *data) {
    return waker_of(data);
}

static void ring_by_ref(void *data) {
    struct bell *to_ring = data;
    plc_store_release(&to_ring->rung, (uint8_t)1);
}

static void give_up(void *data) {
    struct bell *to_ring = data;
    MC_ASSERT(plc_fetch_add_relaxed(&to_ring->living, (int8_t)-1) > 0);
}

static void ring(void *data) {
    ring_by_ref(data);
    give_up(data);
}

static plc_waker_t waker_of(struct bell *to_ring) {
    static const struct plc_waker_vtable vtable = {clone_bell, ring, ring_by_ref, give_up};
    plc_waker_t waker = {&vtable, to_ring};
    plc_fetch_add_relaxed(&to_ring->living, (int8_t)1);
    return waker;
}

static plc_waker_t make_waker(void) {
    return waker_of(&bell);
}

static bool has_rung(void) {
    return plc_load_acquire(&bell.rung);
}

static void wait_for_bell(void) {
    while (!has_rung())
        mc_yield();
    plc_store_relaxed(&bell.rung, (uint8_t)0);
}

/* ---- Scenarios */

static plc_driver_t *driver;
static plc_io_t *io;
static plc_timer_t timer;
static int data;
static const plc_deadline_t at_once = {0, PLC_CLOCK_MONOTONIC}, long_ago = {1, PLC_CLOCK_MONOTONIC};

static void run_driver(plc_deadline_t deadline) {
    MC_ASSERT(plc_driver_operations()->park_until(driver, deadline) == 0);
}

static void open_driver(void) {
    static const struct plc_driver_backend backend = {
        sizeof(struct plc_io), fake_prepare, fake_wait, fake_interrupt, fake_watch,
        fake_unwatch,          fake_want,    fake_close};
    driver = plc_driver_new_(sizeof *driver, &backend);
}

static void open_and_watch(void) {
    open_driver();
    MC_ASSERT(plc_io_register(driver, 0, &io) == 0);
}

static void close_driver(void) {
    plc_driver_close(driver);
    MC_ASSERT(bell.living + others_bell.living == 0 && freed == allocated);
}

/* Another descriptor is there before, and after. */
static plc_io_t *another;
static void open_and_watch_another(void) {
    open_driver();
    MC_ASSERT(plc_io_register(driver, 1, &another) == 0);
}

static void deregister_another(void) {
    plc_io_deregister(another);
    close_driver();
}

/* T1 may try before the message is there, and then wait. */
static bool receive(void) {
    mc_lock(&kernel);
    bool has_message = kernel.has_message;
    mc_unlock(&kernel);
    return has_message;
}

static void attempt_first(int self) {
    if (self == 0) {
        mc_lock(&kernel);
        kernel.has_message = true;
        mc_unlock(&kernel);
        plc_store_relaxed(&kernel.edge, 1u);
        run_driver(at_once);
        return;
    }
    plc_waker_t waker = make_waker();
    for (;;) {
        plc_io_begin(io, PLC_IO_READABLE);
        if (receive())
            break;
        if (!plc_io_poll(io, PLC_IO_READABLE, &waker))
            wait_for_bell();
    }
    plc_waker_drop(&waker);
}

static void deregister_and_close(void) {
    plc_io_deregister(io);
    close_driver();
}

/* T0 may have found the descriptor ready before T1 gives it up. T0's next wait frees it. */
static void open_with_an_edge(void) {
    open_and_watch_another();
    MC_ASSERT(plc_io_register(driver, 0, &io) == 0);
    kernel.edge = 1;
}

static void deregister_while_reported(int self) {
    if (self == 0) {
        run_driver(at_once);
        run_driver(at_once);
        return;
    }
    plc_waker_t waker = make_waker();
    plc_io_poll(io, PLC_IO_READABLE | PLC_IO_WRITABLE, &waker);
    plc_waker_drop(&waker);
    plc_io_deregister(io);
}

/* T0 may wait already, for ever. Once it has rung, the timer's memory is T1's own again. */
static void start_a_timer(int self) {
    if (self == 0) {
        do {
            run_driver(PLC_NO_DEADLINE);
        } while (kernel.found != OVER);
        return;
    }
    plc_timer_start(driver, &timer, long_ago, make_waker());
    wait_for_bell();
    mc_lifetime_end(&timer, sizeof timer);
    plc_store_relaxed(&kernel.interrupt, (uint32_t)OVER);
}

static void open_and_start(void) {
    open_driver();
    plc_timer_start(driver, &timer, long_ago, make_waker());
}

/* In the middle of a heap. */
static plc_timer_t others[4];
static void open_and_start_many(void) {
    open_driver();
    plc_timer_start(driver, &others[0], long_ago, waker_of(&others_bell));
    plc_timer_start(driver, &others[1], long_ago, waker_of(&others_bell));
    plc_timer_start(driver, &timer, long_ago, make_waker());
    plc_timer_start(driver, &others[2], long_ago, waker_of(&others_bell));
    plc_timer_start(driver, &others[3], at_once, waker_of(&others_bell));
}

static int in_time;
static void cancel_while_it_fires(int self) {
    if (self == 0) {
        run_driver(at_once);
    } else {
        in_time = plc_timer_cancel(&timer);
        mc_lifetime_end(&timer, sizeof timer);
    }
}

static void rung_or_in_time(void) {
    MC_ASSERT(bell.rung != in_time);
    for (int i = 0; i < 4; i++)
        MC_ASSERT(plc_timer_has_fired(&others[i]));
    close_driver();
}

/* Who sees that the timer has fired knows what the driver's thread did before, and may end the timer. */
static void look_whether_it_has_fired(int self) {
    if (self == 0) {
        data = 1;
        run_driver(at_once);
        return;
    }
    while (!plc_timer_has_fired(&timer))
        mc_yield();
    MC_ASSERT(data == 1);
    mc_lifetime_end(&timer, sizeof timer);
}

static void all_are_told(void) {
    MC_ASSERT(plc_io_poll(another, PLC_IO_READABLE, NULL) == PLC_IO_SHUT_DOWN);
    deregister_another();
}

/* T1 comes too late, or it is told. */
static void shut_down_beside_a_reader(int self) {
    if (self == 0) {
        plc_driver_operations()->shutdown(driver);
        return;
    }
    plc_waker_t waker = make_waker();
    int error = plc_io_register(driver, 0, &io);
    if (error == 0) {
        if (!plc_io_poll(io, PLC_IO_READABLE, &waker))
            wait_for_bell();
        MC_ASSERT(plc_io_poll(io, PLC_IO_READABLE, &waker) == PLC_IO_SHUT_DOWN);
        plc_io_deregister(io);
    }
    MC_ASSERT(error == 0 || error == ESHUTDOWN);
    plc_waker_drop(&waker);
}

static void shut_down_beside_a_timer(int self) {
    if (self == 0) {
        plc_driver_operations()->shutdown(driver);
    } else {
        plc_timer_start(driver, &timer, PLC_NO_DEADLINE, make_waker());
        wait_for_bell();
    }
}

/* The shutdown may be telling what could not be watched. */
static void open_and_refuse(void) {
    open_driver();
    kernel.refuses = true;
}

static void shut_down_beside_a_failure(int self) {
    if (self == 0) {
        plc_driver_operations()->shutdown(driver);
    } else {
        int error = plc_io_register(driver, 0, &io);
        MC_ASSERT(error == EBADF || error == ESHUTDOWN);
    }
}

static void no_memory(int self) {
    (void)self;
    memory_is_exhausted = true;
    MC_ASSERT(plc_io_register(driver, 0, &io) == ENOMEM);
    memory_is_exhausted = false;
}

#define SCENARIO(title) .name = "driver: " title, .threads = 2
MC_SCENARIOS({SCENARIO("what comes after a failed attempt is not missed"), .setup = open_and_watch,
              .thread = attempt_first, .finish = deregister_and_close, .preemptions = 3, .stale = 2},
             {SCENARIO("deregistered while it is reported"), .setup = open_with_an_edge,
              .thread = deregister_while_reported, .finish = deregister_another, .preemptions = 3, .stale = 2},
             {SCENARIO("a timer is started while somebody waits"), .setup = open_driver, .thread = start_a_timer,
              .finish = close_driver, .preemptions = 3, .stale = 2},
             {SCENARIO("a timer is cancelled while it fires"), .setup = open_and_start_many,
              .thread = cancel_while_it_fires, .finish = rung_or_in_time},
             {SCENARIO("who sees that a timer has fired may end it"), .setup = open_and_start,
              .thread = look_whether_it_has_fired, .finish = close_driver},
             {SCENARIO("shut down beside a reader"), .setup = open_and_watch_another,
              .thread = shut_down_beside_a_reader, .finish = all_are_told, .preemptions = 3, .stale = 2},
             {SCENARIO("shut down beside a timer"), .setup = open_driver, .thread = shut_down_beside_a_timer,
              .finish = close_driver, .preemptions = 3, .stale = 2},
             {SCENARIO("shut down beside a descriptor that cannot be watched"), .setup = open_and_refuse,
              .thread = shut_down_beside_a_failure, .finish = close_driver, .preemptions = 3, .stale = 2},
             {.name = "driver: no memory for a descriptor",
              .threads = 1,
              .setup = open_driver,
              .thread = no_memory,
              .finish = close_driver});
