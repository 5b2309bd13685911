/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Readers together, writers alone; upgrading, downgrading, giving up; nobody is left in a queue. */
#include <plc/rwlock.h>

#include "lot.h"

static plc_rwlock_t lock;
static int data, seen[MC_MAX_THREADS], writes, gave_up;
static int copy; /* written with data: a reader that sees them differ was let in too early */

static void change(void) {
    data++;
    copy++;
    writes++;
}

static void look(int self) {
    MC_ASSERT(data == copy);
    seen[self] = data;
}

static void read_once(int self) {
    plc_rwlock_read_lock(&lock);
    look(self);
    plc_rwlock_read_unlock(&lock);
}

static void write_once(int self) {
    (void)self;
    plc_rwlock_write_lock(&lock);
    change();
    plc_rwlock_write_unlock(&lock);
}

static void free_again(void) {
    MC_ASSERT(lock.state == 0);
    MC_ASSERT(data == writes);
    lot_must_be_empty();
}

static void write_each(int self) {
    write_once(self);
}

static void one_reads(int self) {
    if (self == 0)
        read_once(self);
    else
        write_once(self);
}

static void one_writes(int self) {
    if (self == 0)
        write_once(self);
    else
        read_once(self);
}

static void upgrade(void) {
    plc_rwlock_upgradable_lock(&lock);
    int before = data;
    plc_rwlock_upgrade(&lock);
    MC_ASSERT(data == before); /* no other writer came between */
    change();
    plc_rwlock_write_unlock(&lock);
}

static void upgrade_vs_readers(int self) {
    if (self == 0)
        upgrade();
    else
        read_once(self);
}

static void two_upgraders(int self) {
    (void)self;
    upgrade();
}

static void upgrader_writer_reader(int self) {
    if (self == 0)
        upgrade();
    else if (self == 1)
        write_once(self);
    else
        read_once(self);
}

static void downgrade(void) {
    plc_rwlock_write_lock(&lock);
    change();
    int mine = data;
    plc_rwlock_downgrade(&lock);
    MC_ASSERT(data == mine); /* nor here */
    plc_rwlock_read_unlock(&lock);
}

static void downgrade_vs_all(int self) {
    if (self == 0)
        downgrade();
    else if (self == 1)
        read_once(self);
    else
        write_once(self);
}

static void downgrade_to_upgradable(int self) {
    if (self) {
        read_once(self);
        return;
    }
    plc_rwlock_write_lock(&lock);
    change();
    plc_rwlock_downgrade_to_upgradable(&lock);
    plc_rwlock_upgrade(&lock);
    change();
    plc_rwlock_write_unlock(&lock);
}

/* An upgradable holder leaves before or after the reader beside it; the writer comes after both. */
static void upgradable_reader_writer(int self) {
    if (self == 0) {
        plc_rwlock_upgradable_lock(&lock);
        look(self);
        plc_rwlock_upgradable_unlock(&lock);
    } else if (self == 1) {
        read_once(self);
    } else {
        write_once(self);
    }
}

/* Tries only, in all modes: nobody waits, and nobody gets in beside a writer. */
static void tries_only(int self) {
    if (self == 0 && plc_rwlock_try_write_lock(&lock)) {
        change();
        plc_rwlock_write_unlock(&lock);
    } else if (self == 1 && plc_rwlock_try_read_lock(&lock)) {
        look(self);
        plc_rwlock_read_unlock(&lock);
    } else if (self == 2 && plc_rwlock_try_upgradable_lock(&lock)) {
        look(self);
        if (plc_rwlock_try_upgrade(&lock)) {
            change();
            plc_rwlock_write_unlock(&lock);
        } else {
            plc_rwlock_downgrade_upgradable(&lock);
            plc_rwlock_read_unlock(&lock);
        }
    }
}

static void try_recursive(int self) {
    if (self)
        write_once(self);
    else if (plc_rwlock_try_recursive_read_lock(&lock)) {
        look(self);
        plc_rwlock_read_unlock(&lock);
    }
}

/* ---- Time */

static void write_or_give_up(void) {
    if (plc_rwlock_write_lock_until(&lock, soon())) {
        change();
        plc_rwlock_write_unlock(&lock);
    } else {
        gave_up++;
    }
}

/* The last reader leaves just as the writer that waits for it gives up. */
static void last_reader_vs_time_out(int self) {
    if (self == 0)
        write_or_give_up();
    else
        read_once(self);
}

static void read_or_give_up(int self) {
    if (plc_rwlock_read_lock_until(&lock, soon())) {
        look(self);
        plc_rwlock_read_unlock(&lock);
    } else {
        gave_up++;
    }
}

static void reader_times_out(int self) {
    if (self == 0)
        read_or_give_up(self);
    else
        write_once(self);
}

static void upgrade_or_stay(void) {
    plc_rwlock_upgradable_lock(&lock);
    if (plc_rwlock_upgrade_until(&lock, soon())) {
        change();
        plc_rwlock_write_unlock(&lock);
    } else {
        look(0);
        plc_rwlock_upgradable_unlock(&lock);
    }
}

static void upgrade_times_out(int self) {
    if (self == 0)
        upgrade_or_stay();
    else
        read_once(self);
}

/* All the forms with a deadline that no other scenario has. */
static void all_give_up(int self) {
    if (self == 0) {
        write_or_give_up();
    } else if (self == 1) {
        if (plc_rwlock_recursive_read_lock_until(&lock, soon())) {
            look(self);
            plc_rwlock_read_unlock(&lock);
        }
    } else if (plc_rwlock_upgradable_lock_until(&lock, soon())) {
        look(self);
        if (plc_rwlock_upgrade_until(&lock, soon())) {
            change();
            plc_rwlock_downgrade(&lock);
            plc_rwlock_read_unlock(&lock);
        } else {
            plc_rwlock_upgradable_unlock(&lock);
        }
    }
}

static void writer_times_out_beside_reader(int self) {
    if (self == 0)
        write_or_give_up();
    else if (self == 1)
        read_once(self);
    else
        plc_rwlock_recursive_read_lock(&lock), look(self), plc_rwlock_read_unlock(&lock);
}

static void fair(int self) {
    plc_rwlock_write_lock(&lock);
    change();
    if (self == 0)
        plc_rwlock_write_unlock_fair(&lock);
    else
        plc_rwlock_write_unlock(&lock);
}

/* T0 comes back while the heir is on its way; the heir gives up or not, and others are queued behind it. */
static void heir_gives_up(int self) {
    if (self == 0) {
        write_once(self);
        write_once(self);
    } else if (self == 1) {
        write_or_give_up();
    } else {
        write_once(self);
    }
}

static void upgradable_heir(int self) {
    if (self == 0) {
        write_once(self);
        write_once(self);
    } else if (self == 1) {
        upgrade_or_stay();
    } else {
        write_once(self);
    }
}

/* The heir, one behind it, and one that joins the queue while the heir is on its way. */
static void one_joins(int self) {
    if (self == 3)
        read_once(self);
    else
        write_once(self);
}

/* ---- Freed by its last user */

static int users;

static void last_writer_frees(int self) {
    (void)self;
    plc_rwlock_write_lock(&lock);
    bool last = ++users == mc_thread_count();
    plc_rwlock_write_unlock(&lock);
    if (last)
        mc_lifetime_end(&lock, sizeof lock);
}

/* The writer gets the lock when the last reader has left it: that one must not touch it any more. */
static void writer_frees_after_reader(int self) {
    if (self == 0) {
        read_once(0);
        return;
    }
    bool last;
    plc_rwlock_write_lock(&lock);
    last = plc_load_relaxed(&users) == 0 && seen[0] == 7;
    plc_rwlock_write_unlock(&lock);
    if (last)
        mc_lifetime_end(&lock, sizeof lock);
}

static void reader_leaves_a_mark(int self) {
    if (self == 0) {
        plc_rwlock_read_lock(&lock);
        seen[0] = 7;
        plc_rwlock_read_unlock(&lock);
    } else {
        writer_frees_after_reader(1);
    }
}

/* The same with a writer that may see that the reader has left before that one wakes it: then it finds nobody. */
static void timed_writer_frees_after_reader(int self) {
    if (self == 0) {
        plc_rwlock_read_lock(&lock);
        seen[0] = 7;
        plc_rwlock_read_unlock(&lock);
    } else if (plc_rwlock_write_lock_until(&lock, soon())) {
        bool last = seen[0] == 7;
        plc_rwlock_write_unlock(&lock);
        if (last)
            mc_lifetime_end(&lock, sizeof lock);
    }
}

#ifdef IDEAL
#define BOUND(n) .preemptions = 0
#define BOUND3(n) .preemptions = (n), .stale = 1, .executions = 250000 /* to the end */
#else
#define BOUND(n) .preemptions = (n), .stale = 1
#define BOUND3(n) .preemptions = (n)-1, .stale = 1
#endif
#define TWO .threads = 2, .setup = lot_setup, .finish = free_again
#define THREE .threads = 3, .setup = lot_setup, .finish = free_again
#define FREED .setup = lot_setup, .finish = lot_must_be_empty
MC_SCENARIOS(
    {.name = "rwlock: two writers" ON, TWO, .thread = write_each, BOUND(4)},
    {.name = "rwlock: a reader and a writer" ON, TWO, .thread = one_reads, BOUND(4)},
    {.name = "rwlock: three writers" ON, THREE, .thread = write_each, BOUND3(3)},
    {.name = "rwlock: a reader among writers" ON, THREE, .thread = one_reads, BOUND3(3)},
    {.name = "rwlock: a writer among readers" ON, THREE, .thread = one_writes, BOUND3(3)},
    {.name = "rwlock: upgrade with a reader" ON, TWO, .thread = upgrade_vs_readers, BOUND(4)},
    {.name = "rwlock: two upgraders" ON, TWO, .thread = two_upgraders, BOUND(4)},
    {.name = "rwlock: upgrade with readers" ON, THREE, .thread = upgrade_vs_readers, BOUND3(3)},
    {.name = "rwlock: an upgrader, a writer, a reader" ON, THREE, .thread = upgrader_writer_reader, BOUND3(3)},
    {.name = "rwlock: an upgradable holder, a reader, a writer" ON,
     THREE,
     .thread = upgradable_reader_writer,
     BOUND3(3)},
    {.name = "rwlock: tries only" ON, THREE, .thread = tries_only, BOUND3(4)},
    {.name = "rwlock: a recursive try" ON, TWO, .thread = try_recursive, BOUND(4)},
    {.name = "rwlock: all give up" ON, THREE, .thread = all_give_up, BOUND3(2)},
    {.name = "rwlock: downgrade" ON, THREE, .thread = downgrade_vs_all, BOUND3(3)},
    {.name = "rwlock: downgrade to upgradable" ON, TWO, .thread = downgrade_to_upgradable, BOUND(4)},
    {.name = "rwlock: last reader leaving, writer giving up" ON, TWO, .thread = last_reader_vs_time_out, BOUND(4)},
    {.name = "rwlock: two readers leaving, writer giving up" ON, THREE, .thread = last_reader_vs_time_out, BOUND3(3)},
    {.name = "rwlock: a reader gives up" ON, THREE, .thread = reader_times_out, BOUND3(3)},
    {.name = "rwlock: an upgrade gives up" ON, TWO, .thread = upgrade_times_out, BOUND(4)},
    {.name = "rwlock: writer giving up, recursive reader" ON,
     THREE,
     .thread = writer_times_out_beside_reader,
     BOUND3(3)},
    {.name = "rwlock: the heir gives up" ON, THREE, .thread = heir_gives_up, BOUND3(3)},
    {.name = "rwlock: an upgradable heir" ON, THREE, .thread = upgradable_heir, BOUND3(3)},
    {.name = "rwlock: one joins the queue behind the heir" ON,
     .threads = 4,
     .setup = lot_setup,
     .finish = free_again,
     .thread = one_joins,
     .preemptions = 2,
     .stale = 1},
    {.name = "rwlock: three writers, a clock jump" ON,
     THREE,
     .thread = write_each,
     .preemptions = 2,
     .stale = 1,
     .clock_jumps = 1},
    {.name = "rwlock: a reader and a writer, weak and spurious failures" ON,
     TWO,
     .thread = one_reads,
     .weak_failures = 1,
     .spurious = 1,
     BOUND(4)},
    {.name = "rwlock: fair hand-over" ON, THREE, .thread = fair, BOUND3(3)},
    {.name = "rwlock: freed by the last of two writers" ON, .threads = 2, .thread = last_writer_frees, FREED, BOUND(4)},
    {.name = "rwlock: freed by the last writer" ON, .threads = 3, .thread = last_writer_frees, FREED, BOUND3(3)},
    {.name = "rwlock: freed by the writer after the reader" ON,
     .threads = 2,
     .thread = reader_leaves_a_mark,
     FREED,
     BOUND(4)},
    {.name = "rwlock: freed by a timed writer after the reader" ON,
     .threads = 2,
     .thread = timed_writer_frees_after_reader,
     FREED,
     BOUND(4)});
