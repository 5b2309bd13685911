/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How it works: each worker has a queue of tasks that are to be polled, and one more is for everybody else. A worker takes from
   its own queue, from the common one, and then half of another worker's. If there is nothing it parks: one of them in the
   driver, the others asleep. Whoever finds more work than it can do at once unparks one that is idle. */
#include "runtime.h"

#include <plc/driver_parker.h>
#include <plc/mutex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MAX_WORKERS = 64, POLL_DRIVER_EVERY = 61 };

/* ---- Tasks */

/*  state       meaning                                    left by
 *  IDLE        waits for a wake                           wake: to SCHEDULED, and into a queue
 *  SCHEDULED   is in a queue                              worker: to RUNNING
 *  RUNNING     is being polled                            wake: to WOKEN; worker: to IDLE or FINISHED
 *  WOKEN       is being polled, and was woken meanwhile   worker: to SCHEDULED or FINISHED
 *  FINISHED    there is nothing to wake any more          */
enum { IDLE, SCHEDULED, RUNNING, WOKEN, FINISHED };

struct task {
    _Atomic unsigned state;
    _Atomic unsigned references; /* one is the runtime's, until the task is finished; the others are wakers */
    runtime_t *runtime;
    plc_poll_function poll;
    void *context;
    void (*drop)(void *context);
    struct task *next;            /* in a queue */
    struct task *older, *younger; /* among all that live */
};

struct queue {
    plc_mutex_t lock;
    struct task *first, **end;
    size_t length;
};

struct worker {
    runtime_t *runtime;
    plc_driver_parker_t *parker;
    struct queue queue;
    unsigned index;
    unsigned polls;
    bool searches; /* it is the one that was unparked to look for work */
    bool gathers;  /* it runs the driver, or has just done so: nobody was told of the tasks that this woke */
    pthread_t thread;
    char padding[64];
};

struct runtime {
    plc_shared_driver_t shared;
    plc_driver_t *driver;
    unsigned count;
    _Atomic uint64_t idle;    /* workers that are about to park, or parked */
    _Atomic bool is_searched; /* one was unparked to look for work, and has not found it yet */
    struct queue common;
    plc_mutex_t living_lock;
    struct task *living;
    plc_driver_parker_t parkers[MAX_WORKERS];
    struct worker workers[MAX_WORKERS];
};

static _Thread_local struct worker *current_worker;

/* ---- Queues */

static void queue_init(struct queue *queue) {
    *queue = (struct queue){.end = &queue->first};
}

/* Returns how many there are now. */
static size_t push(struct queue *queue, struct task *task) {
    task->next = NULL;
    plc_mutex_lock(&queue->lock);
    *queue->end = task;
    queue->end = &task->next;
    size_t length = ++queue->length;
    plc_mutex_unlock(&queue->lock);
    return length;
}

/* Takes a task, and moves half of the others to `rest`, if that is not null; it is the caller's own and empty. Returns null if
   there is none; in *more, whether some are left. */
static struct task *take(struct queue *queue, struct queue *rest, bool *more) {
    plc_mutex_lock(&queue->lock);
    struct task *taken = queue->first, *last = taken;
    size_t moved = rest ? queue->length / 2 : 0;
    if (taken) {
        for (size_t i = 0; i < moved && last->next; i++)
            last = last->next;
        moved = 0;
        for (struct task *task = taken; task != last; task = task->next)
            moved++;
        queue->first = last->next;
        if (!queue->first)
            queue->end = &queue->first;
        queue->length -= moved + 1;
    }
    *more = queue->first != NULL;
    plc_mutex_unlock(&queue->lock);
    if (moved != 0) { /* so there was one */
        plc_mutex_lock(&rest->lock);
        last->next = rest->first; /* NOLINT(clang-analyzer-core.NullDereference) */
        if (!rest->first)
            rest->end = &last->next;
        rest->first = taken->next;
        rest->length += moved;
        plc_mutex_unlock(&rest->lock);
        *more = true;
    }
    return taken;
}

/* ---- Whoever is idle */

/* One searcher at a time is enough: it unparks the next when it has found more than it needs. */
static void unpark_one(runtime_t *runtime) {
    bool is_searched = false;
    uint64_t idle = atomic_load(&runtime->idle);
    if (idle == 0 || !atomic_compare_exchange_strong(&runtime->is_searched, &is_searched, true))
        return;
    while (idle != 0) {
        uint64_t lowest = idle & -idle;
        if (atomic_compare_exchange_weak(&runtime->idle, &idle, idle & ~lowest)) {
            plc_driver_parker_unpark(&runtime->parkers[__builtin_ctzll(lowest)]);
            return;
        }
    }
    atomic_store(&runtime->is_searched, false);
}

/* A worker that has nothing else to do will poll the first task of its own queue soon; others are for those who are idle. Not one
   by one, if the driver wakes many: whoever was unparked for the second would come while the rest is on its way, find little, and
   be unparked again. See next_task. */
static void schedule(struct task *task) {
    runtime_t *runtime = task->runtime;
    struct worker *here = current_worker && current_worker->runtime == runtime ? current_worker : NULL;
    size_t length = push(here ? &here->queue : &runtime->common, task);
    if (!here || (length > 1 && !here->gathers))
        unpark_one(runtime);
}

/* ---- Wakers */

static plc_waker_t waker_of(struct task *task);

static plc_waker_t clone_waker(void *data) {
    struct task *task = data;
    atomic_fetch_add(&task->references, 1);
    return waker_of(task);
}

static void wake_by_ref(void *data) {
    struct task *task = data;
    unsigned state = atomic_load(&task->state);
    for (;;) {
        unsigned next = state == IDLE ? SCHEDULED : state == RUNNING ? WOKEN : state;
        if (!atomic_compare_exchange_weak(&task->state, &state, next))
            continue;
        if (state == IDLE)
            schedule(task);
        return;
    }
}

static void drop_waker(void *data) {
    struct task *task = data;
    if (atomic_fetch_sub(&task->references, 1) == 1)
        free(task);
}

static void wake(void *data) {
    wake_by_ref(data);
    drop_waker(data);
}

static plc_waker_t waker_of(struct task *task) {
    static const struct plc_waker_vtable vtable = {clone_waker, wake, wake_by_ref, drop_waker};
    plc_waker_t waker = {&vtable, task};
    return waker;
}

/* ---- The life of a task */

bool runtime_spawn(runtime_t *runtime, plc_poll_function poll, void *context, void (*drop)(void *context)) {
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        return false;
    *task = (struct task){
        .state = SCHEDULED, .references = 1, .runtime = runtime, .poll = poll, .context = context, .drop = drop};
    plc_mutex_lock(&runtime->living_lock);
    task->older = runtime->living;
    if (task->older)
        task->older->younger = task;
    runtime->living = task;
    plc_mutex_unlock(&runtime->living_lock);
    schedule(task);
    return true;
}

static void finish(struct task *task) {
    runtime_t *runtime = task->runtime;
    atomic_store(&task->state, FINISHED);
    plc_mutex_lock(&runtime->living_lock);
    *(task->younger ? &task->younger->older : &runtime->living) = task->older;
    if (task->older)
        task->older->younger = task->younger;
    plc_mutex_unlock(&runtime->living_lock);
    task->drop(task->context);
    drop_waker(task);
}

static void run(struct task *task) {
    const plc_waker_t waker = waker_of(task); /* borrows the runtime's reference */
    atomic_store(&task->state, RUNNING);
    if (task->poll(task->context, &waker) == PLC_POLL_READY) {
        finish(task);
        return;
    }
    unsigned state = RUNNING;
    if (!atomic_compare_exchange_strong(&task->state, &state, IDLE)) {
        atomic_store(&task->state, SCHEDULED);
        schedule(task);
    }
}

/* ---- Workers */

static struct task *steal(struct worker *self, bool *more) {
    runtime_t *runtime = self->runtime;
    struct task *task = take(&runtime->common, &self->queue, more);
    for (unsigned i = 1; i < runtime->count && !task; i++)
        task = take(&runtime->workers[(self->index + i) % runtime->count].queue, &self->queue, more);
    return task;
}

/* Whoever pushed while there was a searcher relied on it: if it found nothing, it looks once more, in rest. */
static void end_search(struct worker *self) {
    if (self->searches)
        atomic_store(&self->runtime->is_searched, false);
    self->searches = false;
}

static struct task *next_task(struct worker *self) {
    bool more = false;
    struct task *task = take(&self->queue, NULL, &more);
    const bool has_news = !task || self->gathers;
    self->gathers = false;
    if (!task)
        task = steal(self, &more);
    end_search(self);
    if (task && has_news && more)
        unpark_one(self->runtime);
    return task;
}

/* Says that it is idle, then looks once more: whoever pushed before the look is seen, and whoever pushes after it sees the
   bit. The queues' locks are the order that this needs. Returns false when all is over. */
static bool rest(struct worker *self) {
    const uint64_t bit = UINT64_C(1) << self->index;
    bool more = false, goes_on = true;
    atomic_fetch_or(&self->runtime->idle, bit);
    struct task *task = steal(self, &more);
    self->gathers = !task;
    if (!task)
        goes_on = plc_driver_parker_park(self->parker).status != PLC_DRIVER_PARK_SHUT_DOWN;
    self->searches = !(atomic_fetch_and(&self->runtime->idle, ~bit) & bit); /* somebody took the bit to unpark it */
    if (task) {
        end_search(self);
        run(task);
    }
    return goes_on;
}

static void *work(void *data) {
    struct worker *self = current_worker = data;
    bool goes_on = true;
    while (goes_on) {
        struct task *task;
        while ((task = next_task(self)) != NULL) {
            run(task);
            self->gathers = ++self->polls % POLL_DRIVER_EVERY == 0;
            if (self->gathers)
                plc_driver_parker_poll(self->parker);
        }
        goes_on = rest(self);
    }
    for (struct task *task; (task = next_task(self)) != NULL;)
        run(task);
    return NULL;
}

/* ---- The runtime */

static void end(runtime_t *runtime, unsigned started) {
    plc_shared_driver_shutdown(&runtime->shared);
    for (unsigned i = 0; i < started; i++)
        pthread_join(runtime->workers[i].thread, NULL);
    while (runtime->living)
        finish(runtime->living); /* NOLINT(clang-analyzer-unix.Malloc): finish takes it off the list */
    plc_driver_close(runtime->driver);
    free(runtime);
}

runtime_t *runtime_start(unsigned workers, plc_driver_t *driver) {
    runtime_t *runtime = calloc(1, sizeof *runtime);
    if (!runtime) {
        plc_driver_close(driver);
        return NULL;
    }
    runtime->driver = driver;
    runtime->count = workers < MAX_WORKERS ? workers : MAX_WORKERS;
    queue_init(&runtime->common);
    plc_shared_driver_init(&runtime->shared, plc_driver_operations(), driver, runtime->parkers, runtime->count);
    for (unsigned i = 0; i < runtime->count; i++) {
        runtime->workers[i] = (struct worker){.runtime = runtime, .parker = &runtime->parkers[i], .index = i};
        queue_init(&runtime->workers[i].queue);
    }
    for (unsigned i = 0; i < runtime->count; i++) {
        if (pthread_create(&runtime->workers[i].thread, NULL, work, &runtime->workers[i]) != 0) {
            end(runtime, i);
            return NULL;
        }
    }
    return runtime;
}

void runtime_stop(runtime_t *runtime) {
    end(runtime, runtime->count);
}

plc_driver_t *runtime_driver(runtime_t *runtime) {
    return runtime->driver;
}
