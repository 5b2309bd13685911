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

/* Whoever pushes counts the task and then looks for somebody idle; whoever rests says that it is idle and then looks at the
   counts. Both are sequentially consistent, so one of the two sees the other, and an empty queue is passed over unlocked. */
struct queue {
    plc_mutex_t lock;
    struct task *first, **end;
    _Atomic size_t length; /* changed under the lock */
};

struct worker {
    runtime_t *runtime;
    plc_driver_parker_t *parker;
    struct queue queue;
    unsigned index;
    unsigned polls;
    bool searches; /* it is the one that was unparked to look for work */
    bool gathers;  /* it runs the driver, or has just done so: the tasks that this wakes are only its own for now */
    struct task *gathered, **gathered_end;
    size_t gathered_count;
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

/* Puts a list of tasks, which ends where `end` is, behind the others. Returns how many there are now. */
static size_t append(struct queue *queue, struct task *first, struct task **end, size_t count) {
    *end = NULL;
    plc_mutex_lock(&queue->lock);
    *queue->end = first;
    queue->end = end;
    size_t length = atomic_fetch_add(&queue->length, count) + count;
    plc_mutex_unlock(&queue->lock);
    return length;
}

/* Takes a task, and moves half of the others to `rest`, if that is not null; it is the caller's own and empty. Returns null if
   there is none; in *more, whether some are left. */
static struct task *take(struct queue *queue, struct queue *rest, bool *more) {
    *more = false;
    if (atomic_load(&queue->length) == 0)
        return NULL;
    plc_mutex_lock(&queue->lock);
    size_t length = atomic_load(&queue->length), count = length == 0 ? 0 : 1;
    if (rest && length > 1)
        count += length / 2;
    struct task *first = queue->first, **end = &queue->first;
    for (size_t i = 0; i < count; i++)
        end = &(*end)->next;
    queue->first = *end;
    if (!queue->first)
        queue->end = &queue->first;
    atomic_store_explicit(&queue->length, length - count,
                          memory_order_relaxed); /* who sees more than there are looks */
    plc_mutex_unlock(&queue->lock);
    if (count > 1)
        append(rest, first->next, end, count - 1);
    *more = length > 1;
    return count ? first : NULL;
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
   be unparked again. So these are gathered first; see take_gathered. */
static void schedule(struct task *task) {
    runtime_t *runtime = task->runtime;
    struct worker *here = current_worker && current_worker->runtime == runtime ? current_worker : NULL;
    if (here && here->gathers) {
        *here->gathered_end = task;
        here->gathered_end = &task->next;
        here->gathered_count++;
        return;
    }
    size_t length = append(here ? &here->queue : &runtime->common, task, &task->next, 1);
    if (!here || length > 1)
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

static void gather_nothing(struct worker *self) {
    self->gathers = false;
    self->gathered = NULL;
    self->gathered_end = &self->gathered;
    self->gathered_count = 0;
}

/* Takes the first of those that the driver has woken; the others go to where they can be stolen. */
static struct task *take_gathered(struct worker *self, bool *more) {
    struct task *task = self->gathered;
    if (self->gathered_count > 1)
        append(&self->queue, task->next, self->gathered_end, self->gathered_count - 1);
    gather_nothing(self);
    *more = atomic_load(&self->queue.length) != 0;
    return task;
}

static struct task *next_task(struct worker *self) {
    bool more = false, has_news = true;
    struct task *task = take_gathered(self, &more);
    if (!task) {
        task = take(&self->queue, NULL, &more);
        has_news = !task;
    }
    if (!task)
        task = steal(self, &more);
    end_search(self);
    if (task && has_news && more)
        unpark_one(self->runtime);
    return task;
}

/* Says that it is idle, then looks once more: whoever pushed before the look is seen, and whoever pushes after it sees the
   bit. Returns false when all is over. */
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
        gather_nothing(&runtime->workers[i]);
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
