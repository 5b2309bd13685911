/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A reader-writer lock that threads and tasks wait for: nobody is forgotten, and nobody waits for a leaked task. */
#include "async.h"
#include "parking_lot/queue.h"

static plc_rwlock_t lock;
static int value, writes;

enum { NAPS = 1 }; /* the phase of an heir that is awake */

/* ---- Whenever nobody works on the queue: Q, H and D are as docs/design/async.md has them (T1, T3) */

static const struct plc_bucket *bucket_of(const void *address) {
    return plc_bucket_locked(address);
}

static void marks_are_right(void) {
    const struct plc_bucket *bucket = bucket_of(&lock);
    const struct plc_waiter *first = NULL;
    bool a_task_sleeps = false;
    if (lot_is_locked(bucket) || lot_is_locked(bucket_of((const char *)&lock + 1)))
        return;
    for (const struct plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next) {
        if (plc_waiter_matches(waiter, plc_lot_key(&lock, PLC_WAITER_RWLOCK)))
            first = first ? first : waiter;
        a_task_sleeps |= plc_waiter_matches(waiter, plc_lot_key(&lock, PLC_WAITER_RWLOCK_TASK)) &&
                         waiter->state == PLC_WAITER_QUEUED;
    }
    bool heir = first && first->phase == NAPS;
    bool parked = first ? !heir : a_task_sleeps;
    MC_ASSERT(((lock.state & PLC_RWLOCK_HEIR_) != 0) == heir);
    MC_ASSERT(((lock.state & PLC_RWLOCK_PARKED_) != 0) == parked);
    bool drains = plc_queue_contains(bucket_of((const char *)&lock + 1)->head,
                                     plc_lot_key((const char *)&lock + 1, PLC_WAITER_RWLOCK_DRAIN));
    MC_ASSERT(((lock.state & PLC_RWLOCK_WRITER_PARKED_) != 0) == drains);
}

/* ---- What threads and tasks do */

static void write_inside(void) {
    value++;
    writes++;
}

static void read_inside(void) {
    MC_ASSERT(value == writes);
}

static void thread_writes(void) {
    plc_rwlock_write_lock(&lock);
    write_inside();
    plc_rwlock_write_unlock(&lock);
}

static void thread_reads(void) {
    plc_rwlock_read_lock(&lock);
    read_inside();
    plc_rwlock_read_unlock(&lock);
}

static enum plc_poll poll_to_write(struct task *task) {
    const plc_waker_t waker = task_waker(task);
    return plc_rwlock_write_lock_async(&lock, &task->waiter, &waker);
}

static enum plc_poll poll_to_read(struct task *task) {
    const plc_waker_t waker = task_waker(task);
    return plc_rwlock_read_lock_async(&lock, &task->waiter, &waker);
}

static void finish_writing(void) {
    write_inside();
    plc_rwlock_write_unlock_async(&lock);
}

static void finish_reading(void) {
    read_inside();
    plc_rwlock_read_unlock_async(&lock);
}

static void task_writes(int self) {
    while (poll_to_write(&tasks[self]) == PLC_POLL_PENDING)
        task_sleep(&tasks[self]);
    finish_writing();
    task_ends(&tasks[self]);
}

static void task_reads(int self) {
    while (poll_to_read(&tasks[self]) == PLC_POLL_PENDING)
        task_sleep(&tasks[self]);
    finish_reading();
    task_ends(&tasks[self]);
}

static void task_gives_up_writing(int self) {
    if (poll_to_write(&tasks[self]) == PLC_POLL_READY)
        finish_writing();
    else
        plc_async_cancel(&tasks[self].waiter);
    task_ends(&tasks[self]);
}

static void free_again(void) {
    MC_ASSERT(value == writes);
    MC_ASSERT(lock.state == 0);
    tasks_have_no_wakers();
    lot_must_be_empty();
}

/* ---- Who meets whom: T0 has the lock from the start, in one of the modes. */

static void held_to_write(void) {
    lot_setup();
    plc_rwlock_write_lock(&lock);
}

static void held_to_read(void) {
    lot_setup();
    plc_rwlock_read_lock(&lock);
}

static void held_upgradably(void) {
    lot_setup();
    plc_rwlock_upgradable_lock(&lock);
}

static void two_readers_after_a_writer(int self) {
    if (self == 0)
        plc_rwlock_write_unlock(&lock);
    else
        task_reads(self);
}

static void two_writers_after_a_reader(int self) {
    if (self == 0)
        plc_rwlock_read_unlock(&lock);
    else
        task_writes(self);
}

static void writer_and_reader_after_a_writer(int self) {
    if (self == 0)
        plc_rwlock_write_unlock(&lock);
    else if (self == 1)
        task_writes(self);
    else
        task_reads(self);
}

static void thread_and_reader_after_a_writer(int self) {
    if (self == 0)
        plc_rwlock_write_unlock(&lock);
    else if (self == 1)
        thread_writes();
    else
        task_reads(self);
}

static void reading_thread_and_writer(int self) {
    if (self == 0)
        plc_rwlock_write_unlock_fair(&lock);
    else if (self == 1)
        thread_reads();
    else
        task_writes(self);
}

static void reading_thread_and_reader(int self) {
    if (self == 0)
        plc_rwlock_write_unlock(&lock);
    else if (self == 1)
        thread_reads();
    else
        task_reads(self);
}

static void draining_thread_and_writer(int self) {
    if (self == 0)
        plc_rwlock_read_unlock(&lock);
    else if (self == 1)
        thread_writes();
    else
        task_writes(self);
}

static void thread_drains_for_a_while(int self) {
    if (self == 0) {
        plc_rwlock_read_unlock(&lock);
    } else if (self == 1) {
        if (plc_rwlock_write_lock_until(&lock, soon())) {
            write_inside();
            plc_rwlock_write_unlock(&lock);
        }
    } else {
        task_writes(self);
    }
}

/* A writing task waits for the reader; then that one is an upgradable holder who becomes the writer. */
static void upgraded(int self) {
    if (self == 0) {
        plc_rwlock_read_unlock(&lock);
        plc_rwlock_upgradable_lock(&lock);
        if (!plc_rwlock_try_upgrade(&lock))
            plc_rwlock_upgrade(&lock);
        write_inside();
        plc_rwlock_downgrade_to_upgradable(&lock);
        plc_rwlock_upgradable_unlock(&lock);
    } else {
        task_writes(self);
    }
}

static void upgradable_beside_a_reader(int self) {
    if (self == 0) {
        plc_rwlock_upgradable_lock(&lock);
        plc_rwlock_upgrade(&lock);
        write_inside();
        plc_rwlock_write_unlock(&lock);
    } else if (self == 1) {
        plc_rwlock_read_unlock(&lock);
    } else {
        task_writes(self);
    }
}

/* The last reader has let go of the task, and has not woken it yet, when it is polled, and another reader keeps it out. */
static void held_to_read_and_waited_for(void) {
    held_to_read();
    bool pending = poll_to_write(&tasks[2]) == PLC_POLL_PENDING;
    MC_ASSERT(pending);
}

static void polled_beside_the_wake(int self) {
    if (self == 0)
        plc_rwlock_read_unlock(&lock);
    else if (self == 1)
        plc_rwlock_read_lock(&lock);
    else
        task_gives_up_writing(self);
}

static void free_but_for_a_reader(void) {
    plc_rwlock_read_unlock(&lock);
    free_again();
}

/* The thread is summoned and beaten, and naps, and so the next release looks at no queue. */
static void reading_thread_naps_before_a_reader(int self) {
    if (self == 0) {
        plc_rwlock_write_unlock(&lock);
        thread_writes();
    } else if (self == 1) {
        thread_reads();
    } else {
        task_reads(self);
    }
}

static void upgradable_released(int self) {
    if (self == 0)
        plc_rwlock_upgradable_unlock(&lock);
    else if (self == 1)
        task_writes(self);
    else
        task_reads(self);
}

/* ---- Tasks that hold it upgradably, and then write. */

static enum plc_poll poll_to_upgrade(struct task *task) {
    const plc_waker_t waker = task_waker(task);
    return plc_rwlock_upgrade_async(&lock, &task->waiter, &waker);
}

static enum plc_poll poll_upgradably(struct task *task) {
    const plc_waker_t waker = task_waker(task);
    return plc_rwlock_upgradable_lock_async(&lock, &task->waiter, &waker);
}

static void reader_leaves(void) {
    read_inside();
    plc_rwlock_read_unlock(&lock);
}

/* What it has read remains true until it writes. */
static void task_upgrades(int self) {
    while (poll_upgradably(&tasks[self]) == PLC_POLL_PENDING)
        task_sleep(&tasks[self]);
    int seen = value;
    while (poll_to_upgrade(&tasks[self]) == PLC_POLL_PENDING)
        task_sleep(&tasks[self]);
    MC_ASSERT(value == seen);
    finish_writing();
    task_ends(&tasks[self]);
}

static void upgrading_task_and_writer(int self) {
    if (self == 0)
        reader_leaves();
    else if (self == 1)
        task_upgrades(self);
    else
        task_writes(self);
}

static void upgrading_task_and_writing_thread(int self) {
    if (self == 0)
        reader_leaves();
    else if (self == 1)
        task_upgrades(self);
    else
        thread_writes();
}

/* The readers are two, and the second may come when the task was woken for the first one's leaving. */
static void upgrading_task_and_reading_thread(int self) {
    if (self == 0)
        reader_leaves();
    else if (self == 1)
        task_upgrades(self);
    else
        thread_reads();
}

static void upgrading_tasks(int self) {
    if (self == 0)
        reader_leaves();
    else
        task_upgrades(self);
}

static void upgrade_is_given_up(int self) {
    if (self == 0) {
        plc_rwlock_read_unlock(&lock);
    } else if (self == 2) {
        task_writes(self);
    } else if (poll_upgradably(&tasks[self]) == PLC_POLL_READY) {
        int seen = value;
        if (poll_to_upgrade(&tasks[self]) == PLC_POLL_READY) {
            finish_writing();
        } else {
            plc_async_cancel(&tasks[self].waiter);
            MC_ASSERT(value == seen);
            plc_rwlock_upgradable_unlock_async(&lock);
        }
        task_ends(&tasks[self]);
    } else {
        plc_async_cancel(&tasks[self].waiter);
        task_ends(&tasks[self]);
    }
}

/* ---- Giving up, and being leaked */

static void writer_gives_up_before_a_reader(int self) {
    if (self == 0)
        plc_rwlock_write_unlock(&lock);
    else if (self == 1)
        task_gives_up_writing(self);
    else
        task_reads(self);
}

static void writer_gives_up_beside_readers(int self) {
    if (self == 0)
        plc_rwlock_read_unlock(&lock);
    else if (self == 1)
        task_gives_up_writing(self);
    else
        task_writes(self);
}

/* A poll that drains keeps the thread out, and lets it in again if it drains in vain. */
static void writer_gives_up_beside_a_reading_thread(int self) {
    if (self == 0)
        reader_leaves();
    else if (self == 1)
        task_gives_up_writing(self);
    else
        thread_reads();
}

static void leaked_before_a_thread(int self) {
    if (self == 0) {
        plc_rwlock_write_unlock(&lock);
    } else if (self == 1) {
        if (poll_to_write(&tasks[self]) == PLC_POLL_READY)
            finish_writing();
    } else {
        thread_writes();
    }
}

static void leaked_and_gone(void) {
    MC_ASSERT(!plc_rwlock_is_locked(&lock));
    plc_async_cancel(&tasks[1].waiter);
    free_again();
}

/* A writing task that has to move to those who wait for the readers lets those behind it have their turn. */
static void reader_barges_before_a_writer(int self) {
    if (self == 0) {
        plc_rwlock_write_unlock(&lock);
        thread_reads();
    } else if (self == 1) {
        task_writes(self);
    } else {
        task_reads(self);
    }
}

#define CASE(title, begin, count, body)                                                                                \
    {                                                                                                                  \
        .name = "async rwlock: " title ON, .threads = (count), .setup = (begin), .invariant = marks_are_right,         \
        .thread = (body), .finish = free_again, BOUND((count) == 2 ? 3 : 1)                                            \
    }
MC_SCENARIOS(CASE("a writing task after a reader", held_to_read, 2, two_writers_after_a_reader),
             CASE("a reading task after a writer", held_to_write, 2, two_readers_after_a_writer),
             CASE("two readers after a writer", held_to_write, 3, two_readers_after_a_writer),
             CASE("two writers after a reader", held_to_read, 3, two_writers_after_a_reader),
             CASE("a writer and a reader after a writer", held_to_write, 3, writer_and_reader_after_a_writer),
             CASE("a writing thread and a reader", held_to_write, 3, thread_and_reader_after_a_writer),
             CASE("a reading thread and a writer, unlocked fairly", held_to_write, 3, reading_thread_and_writer),
             CASE("a reading thread and a reader", held_to_write, 3, reading_thread_and_reader),
             CASE("a draining thread and a writer", held_to_read, 3, draining_thread_and_writer),
             CASE("a thread drains for a while", held_to_read, 3, thread_drains_for_a_while),
             CASE("a reading thread naps before a reader", held_to_write, 3, reading_thread_naps_before_a_reader),
             CASE("the reader upgrades", held_to_read, 2, upgraded),
             CASE("the last reader upgrades", held_to_read, 3, upgradable_beside_a_reader),
             CASE("after an upgradable holder", held_upgradably, 3, upgradable_released),
             CASE("a task upgrades, and a writer", held_to_read, 3, upgrading_task_and_writer),
             CASE("a task upgrades, and a writing thread", held_to_read, 3, upgrading_task_and_writing_thread),
             CASE("a task upgrades, and a reading thread", held_to_read, 3, upgrading_task_and_reading_thread),
             CASE("two tasks upgrade", held_to_read, 3, upgrading_tasks),
             CASE("an upgrade is given up", held_to_read, 3, upgrade_is_given_up),
             CASE("a writer gives up before a reader", held_to_write, 3, writer_gives_up_before_a_reader),
             CASE("a writer gives up beside readers", held_to_read, 3, writer_gives_up_beside_readers),
             CASE("a writer gives up beside a reading thread", held_to_read, 3,
                  writer_gives_up_beside_a_reading_thread),
             CASE("a reader barges before a writer", held_to_write, 3, reader_barges_before_a_writer),
             {.name = "async rwlock: a writer is polled beside its wake" ON,
              .threads = 3,
              .setup = held_to_read_and_waited_for,
              .invariant = marks_are_right,
              .thread = polled_beside_the_wake,
              .finish = free_but_for_a_reader,
              BOUND(1)},
             {.name = "async rwlock: a leaked task, and a thread" ON,
              .threads = 3,
              .setup = held_to_write,
              .invariant = marks_are_right,
              .thread = leaked_before_a_thread,
              .finish = leaked_and_gone,
              BOUND(1)});
