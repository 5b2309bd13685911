/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Readers in the table, readers in the lock's word, writers alone: nobody is missed by a sweep, nobody is left asleep. */
#include <plc/rwlock_scalable.h>

#include "lot.h"
#include "sync/reader_table.h"

static plc_rwlock_scalable_t lock, other;
static int data, seen[MC_MAX_THREADS], writes;
static int copy;          /* written with data: a reader that sees them differ was let in too early */
static int guarded_other; /* what the other lock guards */

#ifdef WITHOUT_BARRIER
const bool plc_model_without_process_barrier = true;
#endif

/* The table is open, as after some reads. */
static void open_setup(void) {
    lot_setup();
    plc_reader_table_prepare();
    lock.table_is_open = 1;
    other.table_is_open = 1;
}

/* The next reader by the word opens it. */
static void closed_setup(void) {
    lot_setup();
    plc_reader_table_prepare();
}

static void nobody_left(void) {
    MC_ASSERT(lock.inner.state == 0 && other.inner.state == 0);
    MC_ASSERT(plc_reader_table_count(&lock) == 0 && plc_reader_table_count(&other) == 0);
    MC_ASSERT(data == writes);
    lot_must_be_empty();
}

static void look(int self) {
    MC_ASSERT(data == copy);
    seen[self] = data;
}

static void change(void) {
    data++;
    copy++;
    writes++;
}

static void read_once(int self) {
    plc_rwlock_scalable_read_lock(&lock);
    look(self);
    plc_rwlock_scalable_read_unlock(&lock);
}

static void write_once(void) {
    plc_rwlock_scalable_write_lock(&lock);
    change();
    plc_rwlock_scalable_write_unlock(&lock);
}

static void one_writes(int self) {
    if (self == 0)
        write_once();
    else
        read_once(self);
}

static void one_reads(int self) {
    if (self == 0)
        read_once(self);
    else
        write_once();
}

/* The reader comes back: by the table, by the word, or by the table that it has opened again. */
static void reads_twice(int self) {
    if (self == 0) {
        write_once();
    } else {
        read_once(self);
        read_once(self);
    }
}

static void tries(int self) {
    if (self == 0) {
        if (plc_rwlock_scalable_try_write_lock(&lock)) {
            change();
            plc_rwlock_scalable_write_unlock(&lock);
        }
    } else if (plc_rwlock_scalable_try_read_lock(&lock)) {
        look(self);
        plc_rwlock_scalable_read_unlock(&lock);
    }
}

static void tries_beside_writer(int self) {
    if (self == 1)
        write_once();
    else
        tries(self);
}

static void write_or_give_up(void) {
    if (plc_rwlock_scalable_write_lock_until(&lock, soon())) {
        change();
        plc_rwlock_scalable_write_unlock(&lock);
    }
}

static void writer_gives_up(int self) {
    if (self == 0)
        write_or_give_up();
    else
        read_once(self);
}

/* Who gave up leaves the table open for its readers: the next writer has to look through it as well. */
static void second_writer(int self) {
    if (self == 0)
        write_or_give_up();
    else if (self == 1)
        write_once();
    else
        read_once(self);
}

static void reader_gives_up(int self) {
    if (self == 0)
        write_once();
    else if (plc_rwlock_scalable_read_lock_until(&lock, soon())) {
        look(self);
        plc_rwlock_scalable_read_unlock(&lock);
    }
}

static void downgrade(int self) {
    if (self) {
        read_once(self);
        return;
    }
    plc_rwlock_scalable_write_lock(&lock);
    change();
    int mine = data;
    plc_rwlock_scalable_downgrade(&lock);
    MC_ASSERT(data == mine);
    plc_rwlock_scalable_read_unlock(&lock);
}

/* A slot is left by a reader of one lock and taken by a reader of the other, whose leaving is all that a writer of the
   first may see of it: that one hands on what it acquired. */
static void slot_is_reused(int self) {
    if (self == 0) {
        read_once(self);
    } else if (self == 1) {
        plc_rwlock_scalable_read_lock(&other);
        seen[self] = guarded_other;
        plc_rwlock_scalable_read_unlock(&other);
    } else {
        write_once();
    }
}

/* Two locks, both at once: unlocked in the order in which they were locked. */
static void two_locks(int self) {
    if (self == 0) {
        plc_rwlock_scalable_read_lock(&lock);
        plc_rwlock_scalable_read_lock(&other);
        look(self);
        seen[self] = guarded_other;
        plc_rwlock_scalable_read_unlock(&lock);
        plc_rwlock_scalable_read_unlock(&other);
    } else if (self == 1) {
        write_once();
    } else {
        plc_rwlock_scalable_write_lock(&other);
        guarded_other++;
        plc_rwlock_scalable_write_unlock(&other);
    }
}

/* A writer that gives up opens the table again. Who reads by it then must see what writers did before, though nothing
   but that opening tells it. (It needs two slots to come to that.) */
static void opened_again(int self) {
    if (self == 0) {
        write_once();
        read_once(0);
        read_once(0);
    } else if (self == 1) {
        write_or_give_up();
    } else {
        read_once(self);
    }
}

/* ---- Freed by its last user */

static void freed_by_writer(int self) {
    if (self == 0) {
        plc_rwlock_scalable_read_lock(&lock);
        seen[0] = 7;
        plc_rwlock_scalable_read_unlock(&lock);
        return;
    }
    plc_rwlock_scalable_write_lock(&lock);
    bool last = seen[0] == 7;
    plc_rwlock_scalable_write_unlock(&lock);
    if (last)
        mc_lifetime_end(&lock, sizeof lock);
}

#ifdef IDEAL
#define BOUND(n) .preemptions = 0
#define BOUND3(n) .preemptions = (n), .stale = 1
#else
#define BOUND(n) .preemptions = (n), .stale = 2
#define BOUND3(n) .preemptions = (n), .stale = 1
#endif
#define TWO .threads = 2, .finish = nobody_left
#define THREE .threads = 3, .finish = nobody_left
#define OPEN .setup = open_setup
#define CLOSED .setup = closed_setup
MC_SCENARIOS(
    {.name = "scalable: a reader and a writer" ON, TWO, OPEN, .thread = one_writes, BOUND(4)},
    {.name = "scalable: a reader and a writer, table not open" ON, TWO, CLOSED, .thread = one_writes, BOUND(4)},
    {.name = "scalable: a reader that comes back" ON, TWO, OPEN, .thread = reads_twice, BOUND(3)},
    {.name = "scalable: a reader that comes back, table not open" ON, TWO, CLOSED, .thread = reads_twice, BOUND(3)},
    {.name = "scalable: two readers and a writer" ON, THREE, OPEN, .thread = one_writes, BOUND3(2)},
    {.name = "scalable: a reader and two writers" ON, THREE, OPEN, .thread = one_reads, BOUND3(2)},
    {.name = "scalable: tries" ON, TWO, OPEN, .thread = tries, BOUND(4)},
    {.name = "scalable: tries beside a writer" ON, THREE, OPEN, .thread = tries_beside_writer, BOUND3(2)},
    {.name = "scalable: the writer gives up" ON, TWO, OPEN, .thread = writer_gives_up, BOUND(4)},
    {.name = "scalable: one writer gives up, another does not" ON, THREE, OPEN, .thread = second_writer, BOUND3(2)},
    {.name = "scalable: the reader gives up" ON, TWO, OPEN, .thread = reader_gives_up, BOUND(4)},
    {.name = "scalable: downgrade" ON, TWO, OPEN, .thread = downgrade, BOUND(4)},
    {.name = "scalable: a slot is used again for another lock" ON, THREE, OPEN, .thread = slot_is_reused, BOUND3(2)},
    {.name = "scalable: two locks at once" ON, THREE, OPEN, .thread = two_locks, BOUND3(2)},
    {.name = "scalable: opened again by a writer that gives up" ON, THREE, CLOSED, .thread = opened_again, BOUND3(2)},
    {.name = "scalable: a reader and a writer, weak and spurious failures" ON,
     TWO,
     OPEN,
     .thread = one_writes,
     .weak_failures = 1,
     .spurious = 1,
     BOUND3(3)},
    {.name = "scalable: freed by the writer after the reader" ON,
     .threads = 2,
     OPEN,
     .finish = lot_must_be_empty,
     .thread = freed_by_writer,
     BOUND(4)});
