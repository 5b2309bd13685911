// SPDX-License-Identifier: MIT OR Apache-2.0
// libplc's parker, block_on and wakers, and the example's runtime on its driver parker.
#include "peers/libplc_tasks.h"

#include "kernels/ping_pong.h"

#include <plc/atomic_waker.h>
#include <plc/block_on.h>
#include <plc/parker.h>

extern "C" {
#include "peers/echo_server.h"
#include "runtime.h"
}

namespace plc_bench {
namespace {
void permit(uint64_t n) {
    plc_parker_t parker = PLC_PARKER_INIT;
    for (uint64_t i = 0; i < n; ++i) {
        plc_parker_unpark(&parker);
        plc_parker_park(&parker);
    }
}

void unpark_awake(uint64_t n) {
    plc_parker_t parker = PLC_PARKER_INIT;
    for (uint64_t i = 0; i < n; ++i)
        plc_parker_unpark(&parker);
}

// By itself: what the unpark before it costs is unpark_awake.
void park_permit(uint64_t n) {
    plc_parker_t parker = PLC_PARKER_INIT;
    for (uint64_t i = 0; i < n; ++i) {
        plc_store_relaxed(&parker.state, static_cast<uint32_t>(PLC_PARKER_NOTIFIED_));
        plc_parker_park(&parker);
    }
}

plc_poll wake_once(void *context, const plc_waker_t *waker) {
    auto *polls = static_cast<unsigned *>(context);
    if (++*polls == 2)
        return PLC_POLL_READY;
    plc_waker_wake_by_ref(waker);
    return PLC_POLL_PENDING;
}

void block_on(uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) {
        unsigned polls = 0;
        plc_block_on(wake_once, &polls);
    }
}

void register_and_wake(uint64_t n) {
    plc_atomic_waker_t place = PLC_ATOMIC_WAKER_INIT;
    const plc_waker_t waker = plc_waker_noop();
    for (uint64_t i = 0; i < n; ++i) {
        plc_atomic_waker_register_by_ref(&place, &waker);
        plc_atomic_waker_wake(&place);
    }
}

class token {
  public:
    void park() {
        plc_parker_park(&parker_);
    }
    void unpark() {
        plc_parker_unpark(&parker_);
    }

  private:
    plc_parker_t parker_ = PLC_PARKER_INIT;
};

// ---- Two tasks that wake each other

// A flag, and who waits for it.
struct alignas(128) event {
    plc_atomic_waker_t waiter = PLC_ATOMIC_WAKER_INIT;
    uint32_t is_set = 0;

    void set() {
        __atomic_store_n(&is_set, 1u, __ATOMIC_RELEASE);
        plc_atomic_waker_wake(&waiter);
    }
    bool take() {
        return __atomic_load_n(&is_set, __ATOMIC_RELAXED) != 0 &&
               __atomic_exchange_n(&is_set, 0u, __ATOMIC_ACQUIRE) != 0;
    }
    bool poll(const plc_waker_t *waker) {
        if (take())
            return true;
        plc_atomic_waker_register_by_ref(&waiter, waker);
        return take();
    }
    ~event() {
        plc_waker_t left = plc_atomic_waker_take(&waiter);
        plc_waker_drop(&left);
    }
};

struct alignas(128) pair_of_tasks {
    event events[2];
    alignas(128) uint64_t counter = 0;
    bool over = false; // written by the one whose turn it is
};

struct player {
    pair_of_tasks *table;
    plc_bench_job *job;
    plc_bench_worker *self;
    bool my_turn;

    static plc_poll poll(void *context, const plc_waker_t *waker) {
        auto *me = static_cast<player *>(context);
        pair_of_tasks *table = me->table;
        for (;;) {
            if (!me->my_turn && !table->events[me->self->index].poll(waker))
                return PLC_POLL_PENDING;
            me->my_turn = false;
            bool over = table->over;
            if (!over) {
                ++table->counter;
                ++me->self->operations;
                table->over = stopped(me->job);
            }
            table->events[1 - me->self->index].set();
            if (over)
                return PLC_POLL_READY;
        }
    }
};

void block_on_ping_pong(plc_bench_job *job, plc_bench_worker *self) {
    player me = {static_cast<pair_of_tasks *>(job->object), job, self, self->index == 0};
    plc_block_on(player::poll, &me);
}

// ---- A task that spawns a task

runtime_t *start_runtime() {
    plc_driver_t *driver = nullptr;
    if (plc_driver_open_epoll(&driver) != 0)
        plc_bench_broken("no driver");
    runtime_t *runtime = runtime_start(2, driver);
    if (runtime == nullptr)
        plc_bench_broken("no runtime");
    return runtime;
}

struct spawner {
    explicit spawner(const plc_bench_job *) : runtime(start_runtime()) {}
    ~spawner() {
        runtime_stop(runtime);
    }
    runtime_t *runtime;
    event inner_done, outer_done;
    bool inner_spawned = false, outer_spawned = false;
    uint64_t counter = 0;
};

void leave_alone(void *) {}

plc_poll inner(void *context, const plc_waker_t *) {
    static_cast<spawner *>(context)->inner_done.set();
    return PLC_POLL_READY;
}

plc_poll outer(void *context, const plc_waker_t *waker) {
    auto *object = static_cast<spawner *>(context);
    if (!object->inner_spawned) {
        object->inner_spawned = true;
        runtime_spawn(object->runtime, inner, object, leave_alone);
    }
    if (!object->inner_done.poll(waker))
        return PLC_POLL_PENDING;
    object->outer_done.set();
    return PLC_POLL_READY;
}

plc_poll spawn_and_wait(void *context, const plc_waker_t *waker) {
    auto *object = static_cast<spawner *>(context);
    if (!object->outer_spawned) {
        object->outer_spawned = true;
        runtime_spawn(object->runtime, outer, object, leave_alone);
    }
    return object->outer_done.poll(waker) ? PLC_POLL_READY : PLC_POLL_PENDING;
}

void spawn(plc_bench_job *job, plc_bench_worker *self) {
    auto *object = static_cast<spawner *>(job->object);
    while (!stopped(job)) {
        object->inner_spawned = object->outer_spawned = false;
        plc_block_on(spawn_and_wait, object);
        ++object->counter;
        ++self->operations;
    }
}

// ---- A server

struct server {
    plc_bench_echo_server head{};
    runtime_t *runtime = start_runtime();
    echo_server *echo = nullptr;
};

void *create_server(const plc_bench_job *) {
    auto *made = new server;
    made->head.port = echo_server_start(made->runtime, &made->echo);
    if (made->head.port == 0)
        plc_bench_broken("the server cannot listen");
    return made;
}

uint64_t destroy_server(void *object) {
    auto *made = static_cast<server *>(object);
    uint64_t answers = made->head.answers;
    runtime_stop(made->runtime);
    echo_server_free(made->echo);
    delete made;
    return answers;
}
} // namespace

void add_tasks(plc_bench_peer &table) {
    table.permit = permit;
    table.unpark_awake = unpark_awake;
    table.park_permit = park_permit;
    table.block_on = block_on;
    table.register_and_wake = register_and_wake;
    table.token_ping_pong = {create<park_table<token>>, park_ping_pong<token>, destroy<park_table<token>>};
    table.block_on_ping_pong = {create<pair_of_tasks>, block_on_ping_pong, destroy<pair_of_tasks>};
    table.spawn = {create_for<spawner>, spawn, destroy<spawner>};
    table.echo = {create_server, plc_bench_echo_client, destroy_server};
}
} // namespace plc_bench
