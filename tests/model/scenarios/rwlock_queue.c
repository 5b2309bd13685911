/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The queue of the reader-writer lock: who is summoned comes, naps, is stuck, gives up, or is handed the lock. */
#include <plc/rwlock.h>

#include "lot.h"

static plc_rwlock_t lock;
static int data, copy, writes, readers_done;

/* ---- What Q, H and D say of the queue whenever its bucket is unlocked (I1, I2, I3, I5) */

#ifndef IDEAL /* an ideal lock leaves no trace in memory by which to see whether it is held */
static struct plc_waiter *first_of_kind(enum plc_waiter_kind kind) {
    struct plc_waiter *waiter = plc_current_table()->buckets[0].head;
    while (waiter && waiter->kind != kind)
        waiter = waiter->next;
    return waiter;
}

static void queue_is_marked(void) {
    const struct plc_bucket *bucket = &plc_current_table()->buckets[0];
    const struct plc_waiter *first = first_of_kind(PLC_WAITER_RWLOCK);
    const uintptr_t state = lock.state;
    const uintptr_t marks = state & PLC_RWLOCK_QUEUE_BITS_;
    if (bucket->lock.word != 0)
        return; /* locked, or about to be: whoever has it is putting things right */
    if (!first) {
        MC_ASSERT(marks == 0);
    } else {
        const bool naps = first->phase == 1;
        MC_ASSERT(!naps || first->state == PLC_WAITER_SUMMONED);
        MC_ASSERT(marks == (naps ? PLC_RWLOCK_HEIR_ : PLC_RWLOCK_PARKED_));
        MC_ASSERT((state & PLC_RWLOCK_WRITE_BLOCKERS_) || first->state == PLC_WAITER_SUMMONED);
        for (const struct plc_waiter *other = first->next; other; other = other->next)
            MC_ASSERT(other->kind != PLC_WAITER_RWLOCK || other->phase == 0);
    }
    MC_ASSERT(!(state & PLC_RWLOCK_WRITER_PARKED_) == !first_of_kind(PLC_WAITER_RWLOCK_DRAIN));
    MC_ASSERT(!(state & PLC_RWLOCK_WRITER_PARKED_) || (state & PLC_RWLOCK_WRITER_));
}
#endif

/* ---- What the threads do */

static void change(void) {
    data++;
    copy++;
    writes++;
}

static void write_once(void) {
    plc_rwlock_write_lock(&lock);
    change();
    plc_rwlock_write_unlock(&lock);
}

static void write_fairly(void) {
    plc_rwlock_write_lock(&lock);
    change();
    plc_rwlock_write_unlock_fair(&lock);
}

static void write_or_give_up(void) {
    if (plc_rwlock_write_lock_until(&lock, soon())) {
        change();
        plc_rwlock_write_unlock(&lock);
    }
}

static void read_once(void) {
    plc_rwlock_read_lock(&lock);
    MC_ASSERT(data == copy);
    plc_rwlock_read_unlock(&lock);
}

static void look_upgradably(void) {
    plc_rwlock_upgradable_lock(&lock);
    MC_ASSERT(data == copy);
    plc_rwlock_upgradable_unlock(&lock);
}

static void free_again(void) {
    MC_ASSERT(lock.state == 0);
    MC_ASSERT(data == writes);
    lot_must_be_empty();
}

/* ---- T0 comes back while those that it summoned are on their way: it may find them stuck, or they find it there. */

static void writer_in_between(int self) {
    write_once();
    if (self == 0)
        write_once();
}

static void reader_and_writer_wait(int self) {
    if (self == 1) {
        read_once();
        return;
    }
    write_once();
    if (self == 0)
        write_once();
}

static void upgradable_and_reader_wait(int self) {
    if (self == 1) {
        look_upgradably();
    } else if (self == 2) {
        read_once();
    } else {
        write_once();
        write_once();
    }
}

/* The same with an upgradable holder that comes back: readers are let in beside it, writers are not. */
static void upgradable_in_between(int self) {
    if (self == 1) {
        write_once();
        return;
    }
    look_upgradably();
    if (self == 0)
        look_upgradably();
}

static void two_upgradables_one_comes_back(int self) {
    look_upgradably();
    if (self == 0)
        write_once();
}

/* A fair release finds the first asleep, on its way or napping, and hands over in each case. */
static void fair_in_between(int self) {
    write_once();
    if (self == 0)
        write_fairly();
}

static void heir_gives_up_before_a_reader(int self) {
    if (self == 1) {
        write_or_give_up();
    } else if (self == 2) {
        read_once();
    } else {
        write_once();
        write_once();
    }
}

/* The holder downgrades and waits for the reader, which may be queued behind a writer that sleeps, comes or naps. */
static void reader_is_let_in_behind_a_writer(int self) {
    if (self == 0) {
        write_once();
        plc_rwlock_write_lock(&lock);
        change();
        plc_rwlock_downgrade_to_upgradable(&lock);
        while (!plc_load_relaxed(&readers_done))
            mc_yield();
        plc_rwlock_upgradable_unlock(&lock);
    } else if (self == 1) {
        write_once();
    } else {
        read_once();
        plc_store_relaxed(&readers_done, 1);
    }
}

/* T0 has had the lock since before the start, and takes it again: the heir naps when another joins. */
static void written_from_the_start(void) {
    lot_setup();
    plc_rwlock_write_lock(&lock);
}

static void taken_again(int self) {
    if (self == 0)
        plc_rwlock_write_unlock(&lock);
    write_once();
}

/* There is no room for readers: one that waited for the writer to give up is sent away, unless it is handed the lock,
   and must not take along the wake of whoever is queued behind it. */
static void lock_is_full(void) {
    lot_setup();
    lock.state = PLC_RWLOCK_FULL_;
}

static void reader_is_sent_away(int self) {
    if (self == 0) {
        MC_ASSERT(!plc_rwlock_write_lock_until(&lock, soon()));
    } else if (self == 1) {
        if (plc_rwlock_read_lock_until(&lock, plc_deadline_after_ns(1000)))
            plc_rwlock_read_unlock(&lock);
    } else {
        look_upgradably();
    }
}

static void full_again(void) {
    MC_ASSERT(lock.state == PLC_RWLOCK_FULL_);
    lot_must_be_empty();
}

#ifdef IDEAL
#define TWO .threads = 2, .setup = lot_setup, .finish = free_again, .preemptions = 0
#define THREE .threads = 3, .setup = lot_setup, .finish = free_again, .preemptions = 3, .stale = 1
#define HELD .threads = 3, .setup = written_from_the_start, .finish = free_again, .preemptions = 2, .stale = 1
#define FULL .threads = 3, .setup = lock_is_full, .finish = full_again, .preemptions = 3, .stale = 1
#else
#define INVARIANT .invariant = queue_is_marked
#define TWO .threads = 2, .setup = lot_setup, .finish = free_again, .preemptions = 3, .stale = 1, INVARIANT
#define THREE .threads = 3, .setup = lot_setup, .finish = free_again, .preemptions = 2, .stale = 1, INVARIANT
#define HELD                                                                                                           \
    .threads = 3, .setup = written_from_the_start, .finish = free_again, .preemptions = 2, .stale = 1, INVARIANT
#define FULL .threads = 3, .setup = lock_is_full, .finish = full_again, .preemptions = 2, .stale = 1, INVARIANT
#endif
MC_SCENARIOS(
    {.name = "rwlock queue: one heir" ON, TWO, .thread = writer_in_between},
    {.name = "rwlock queue: one heir, stuck or not" ON, TWO, .thread = writer_in_between, .clock_jumps = 1},
    {.name = "rwlock queue: one reader, stuck or not" ON, TWO, .thread = reader_and_writer_wait, .clock_jumps = 1},
    {.name = "rwlock queue: one upgradable, stuck or not" ON,
     TWO,
     .thread = two_upgradables_one_comes_back,
     .clock_jumps = 1},
    {.name = "rwlock queue: a fair release" ON, TWO, .thread = fair_in_between},
    {.name = "rwlock queue: writers, stuck or not" ON, THREE, .thread = writer_in_between, .clock_jumps = 1},
    {.name = "rwlock queue: a reader and a writer, stuck or not" ON,
     THREE,
     .thread = reader_and_writer_wait,
     .clock_jumps = 1},
    {.name = "rwlock queue: an upgradable and a reader, stuck or not" ON,
     THREE,
     .thread = upgradable_and_reader_wait,
     .clock_jumps = 1},
    {.name = "rwlock queue: beside an upgradable holder" ON, THREE, .thread = upgradable_in_between, .clock_jumps = 1},
    {.name = "rwlock queue: taken again before the heir comes" ON, HELD, .thread = taken_again},
    {.name = "rwlock queue: fair releases" ON, THREE, .thread = fair_in_between},
    {.name = "rwlock queue: the heir gives up, a reader behind it" ON,
     THREE,
     .thread = heir_gives_up_before_a_reader,
     .clock_jumps = 1},
    {.name = "rwlock queue: a reader is let in behind a writer" ON, THREE, .thread = reader_is_let_in_behind_a_writer},
    {.name = "rwlock queue: a reader is sent away" ON, FULL, .thread = reader_is_sent_away});
