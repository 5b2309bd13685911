/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looks for a cycle whenever a thread that holds a lock waits for another. */
#include "deadlock.h"

#include "deadlock_report.h"

#include <plc/detail/atomic.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Who waits for whom

   A thread cannot go on until every holder of the lock it waits for has given it up; if it reads, only until the writer has. A reader of
   a rwlock of the kind "prefer writer, nonrecursive" also waits for the writers that came before it. (Of the default kind, readers pass
   a waiting writer after a while.) A thread in a wait on a cond cannot go on without that cond's mutex, be it notified or not, in
   time or not; so it waits for the mutex's holder. So there is a deadlock exactly if there is a cycle: all threads in it need
   what only others in it can give.

   Why no lasting cycle is missed. Every wait of a thread that holds something is entered in the list of waiting threads under one
   lock, and then, under it still, the cycle is looked for. What a thread holds was entered before. So the last thread of the
   cycle that begins to wait sees all of it. A thread that holds nothing cannot be the last: nobody waits for it, or he came later, as
   a reader behind a writer does. So it need not look, and is entered only if readers may queue behind it.

   Why no passing cycle is reported. A lock is entered as held after it was taken and taken off before it is given up. So whoever is in
   the list of waiting threads holds all that is entered for it (I2 of held.h), unless somebody else gave it up, and a thread
   whose wait is entered waits still if somebody else holds what it wants. So whatever is found is a deadlock at this moment, and can
   only be resolved from outside: by a thread that gives up a lock it did not take (held_is_handed_over; such a lock says
   nothing from then on), by a signal handler that does so, or by a wait that ends in time. The last is never part of a cycle. For the first
   two a cycle is looked for several times during a quarter of a second, and must be the same one: the sequence numbers of its
   threads change with each wait. As a last check the lock itself must name the holder, where it names one at all.

   The search is done by the thread that waits and not by one of our own, which would change the thread numbers that the program sees,
   get its signals and be in the way of what only processes with one thread may do. */

enum {
    MOST_VISITED = 4096, /* threads; if more are reached, the search is given up */
    LOOKS = 5,           /* that must find the same */
    LOOK_INTERVAL_NS = 50000000,
    MOST_LOOKS = 15,
};

/* A thread that was reached: `from` cannot go on until it gives up `held` (null: until it has written what it waits to write). */
struct visit {
    struct watched_thread *thread;
    uint32_t level; /* of its waits those from here on must end first */
    uint32_t from;  /* index of the visit */
    uint32_t wait;  /* which of from's waits */
    const struct held_lock *held;
};

static struct visit visits[MOST_VISITED]; /* all these: under held_lock_all() */
static uint32_t visit_count;
static uint64_t search;

static uint64_t reported; /* relaxed, as all counts */

/* ---- One step */

/* Does the lock itself, which lives because somebody waits for it, say that this thread has it? Only exclusive holders are named. */
static bool confirms(const void *object, enum observe_mode held_as, int tid) {
    if (held_as == OBSERVE_MUTEX)
        return plc_load_relaxed(&((const pthread_mutex_t *)object)->__data.__owner) == tid;
    if (held_as == OBSERVE_WRITE)
        return plc_load_relaxed(&((const pthread_rwlock_t *)object)->__data.__cur_writer) == tid;
    return true;
}

static const struct held_lock *blocker(const struct watched_thread *thread, const struct watched_wait *wait) {
    for (unsigned i = 0; i < thread->held_count; i++) {
        const struct held_lock *held = &thread->held[i];
        if (held->object == wait->object && !(held->mode == OBSERVE_READ && wait->mode == OBSERVE_READ) &&
            confirms(held->object, held->mode, thread->tid))
            return held;
    }
    return NULL;
}

/* The index of the thread's wait to write the rwlock behind which this reader queues; the count if there is none. */
static unsigned writer_in_front(const struct watched_thread *thread, const struct watched_wait *wait) {
    unsigned i = 0;
    while (i < thread->wait_count &&
           !(thread->waits[i].object == wait->object && !thread->waits[i].is_timed &&
             thread->waits[i].mode == OBSERVE_WRITE && thread->waits[i].ticket < wait->ticket))
        i++;
    return i;
}

/* A visit that reaches further than what is known of the thread so far: lower levels are blocked by more waits. */
static void reach(struct watched_thread *thread, uint32_t level, uint32_t from, uint32_t wait,
                  const struct held_lock *held) {
    if ((thread->visit == search && thread->visit_level <= level) || visit_count == MOST_VISITED)
        return;
    thread->visit = search;
    thread->visit_level = level;
    visits[visit_count++] = (struct visit){thread, level, from, wait, held};
}

/* ---- The search */

/* All threads without which this wait cannot end. True if `self`, by a lock it had taken before its last wait, is one. */
static bool follow(struct watched_thread *self, uint32_t from, uint32_t wait_index, struct visit *closing) {
    const struct watched_wait *wait = &visits[from].thread->waits[wait_index];
    uint32_t last_of_self = self->wait_count - 1;
    if ((wait->is_timed && wait->cond == NULL) || held_is_handed_over(wait->object))
        return false;
    for (struct watched_thread *thread = held_first_waiting(); thread != NULL; thread = thread->next_waiting) {
        const struct held_lock *held = blocker(thread, wait);
        if (held != NULL && thread == self && held->level <= last_of_self) {
            *closing = (struct visit){self, last_of_self, from, wait_index, held};
            return true;
        }
        if (held != NULL)
            reach(thread, held->level, from, wait_index, held);
        unsigned writer = wait->yields ? writer_in_front(thread, wait) : thread->wait_count;
        if (writer < thread->wait_count && thread != visits[from].thread)
            reach(thread, writer, from, wait_index, NULL);
    }
    return false;
}

/* Breadth first, so that the shortest cycle through the calling thread's last wait is found. */
static bool search_cycle(struct watched_thread *self, struct visit *closing) {
    search++;
    visit_count = 1;
    visits[0] = (struct visit){self, self->wait_count - 1, 0, 0, NULL};
    for (uint32_t i = 0; i < visit_count; i++)
        for (uint32_t wait = visits[i].level; wait < visits[i].thread->wait_count; wait++)
            if (follow(self, i, wait, closing))
                return true;
    return false;
}

static struct deadlock_thread describe_thread(const struct visit *visit, uint32_t wait, const struct held_lock *held) {
    const struct watched_thread *thread = visit->thread;
    struct deadlock_thread description = {.tid = thread->tid,
                                          .number = thread->number,
                                          .sequence = thread->sequence,
                                          .wait = thread->waits[wait],
                                          .is_holder = held != NULL};
    if (held != NULL)
        description.held = *held;
    return description;
}

/* From the thread that closes the cycle on: each waits for the next, and the last for the first. */
static void describe(const struct visit *closing, struct deadlock *deadlock) {
    const struct visit *next = closing;
    unsigned position = 1;
    for (uint32_t i = closing->from; i != 0; i = visits[i].from)
        position++;
    deadlock->length = position;
    while (position-- > 0) {
        const struct visit *visit = &visits[next->from];
        if (position < DEADLOCK_SHOWN)
            deadlock->threads[position] =
                describe_thread(visit, next->wait, position == 0 ? closing->held : visit->held);
        next = visit;
    }
}

static bool is_same(const struct deadlock *one, const struct deadlock *other) {
    if (one->length != other->length)
        return false;
    for (unsigned i = 0; i < one->length && i < DEADLOCK_SHOWN; i++)
        if (one->threads[i].number != other->threads[i].number ||
            one->threads[i].sequence != other->threads[i].sequence)
            return false;
    return true;
}

/* ---- Deadlocks that were reported, for the case that one turns out to be none */

enum { REMEMBERED = 64 };
static const void *reported_locks[REMEMBERED];
static uint32_t reported_lock_count; /* relaxed: a hint to look under the lock */

static void remember(const struct deadlock *deadlock) {
    struct quiet_section section = held_lock_all();
    for (unsigned i = 0; i < deadlock->length && i < DEADLOCK_SHOWN; i++) {
        uint32_t count = plc_load_relaxed(&reported_lock_count);
        reported_locks[count % REMEMBERED] = deadlock->threads[i].wait.object;
        plc_store_relaxed(&reported_lock_count, count + 1);
    }
    quiet_leave(&section);
}

void deadlock_handed_over(const void *object) {
    bool was_reported = false;
    if (PLC_LIKELY(plc_load_relaxed(&reported_lock_count) == 0))
        return;
    struct quiet_section section = held_lock_all();
    for (unsigned i = 0; i < REMEMBERED; i++) {
        if (reported_locks[i] == object && object != NULL) {
            was_reported = true;
            reported_locks[i] = NULL;
        }
    }
    quiet_leave(&section);
    if (was_reported)
        deadlock_report_end(object);
}

/* ---- Waiting */

static void sleep_for_a_moment(void) {
    const struct timespec interval = {0, LOOK_INTERVAL_NS};
    (void)syscall(SYS_nanosleep, &interval, NULL); /* the C library's function may be cancelled, a lock may not */
}

static bool look(struct watched_thread *self, struct deadlock *deadlock) {
    struct visit closing;
    struct quiet_section section = held_lock_all();
    bool found = search_cycle(self, &closing);
    if (found)
        describe(&closing, deadlock);
    quiet_leave(&section);
    return found;
}

/* True if the same cycle is seen at each of several looks. */
static bool find_lasting_cycle(struct watched_thread *self, struct deadlock *deadlock) {
    unsigned same = 0;
    for (unsigned looks = 0; looks < MOST_LOOKS && same < LOOKS; looks++) {
        struct deadlock before = *deadlock;
        if (!look(self, deadlock))
            return false;
        same = same > 0 && is_same(deadlock, &before) ? same + 1 : 1;
        if (same < LOOKS)
            sleep_for_a_moment();
    }
    return same == LOOKS;
}

static bool closes_cycle(struct watched_thread *self, const struct watched_wait *wait) {
    struct visit closing;
    struct quiet_section section = held_lock_all();
    bool found = held_wait_begins(self, wait) && wait->cond == NULL && search_cycle(self, &closing);
    quiet_leave(&section);
    return found;
}

void deadlock_wait_begins(struct watched_thread *self, const struct watched_wait *wait, bool aborts) {
    struct deadlock deadlock = {.length = 0};
    if (PLC_LIKELY(!closes_cycle(self, wait)) || !find_lasting_cycle(self, &deadlock))
        return;
    (void)plc_fetch_add_relaxed(&reported, UINT64_C(1));
    remember(&deadlock);
    deadlock_report(&deadlock);
    if (aborts)
        abort();
}

void deadlock_wait_ends(struct watched_thread *self, const void *object, enum observe_mode mode) {
    if (self->wait_count == 0) /* this wait was not entered; only the thread itself changes the count */
        return;
    struct quiet_section section = held_lock_all();
    held_wait_ends(self, object, mode);
    quiet_leave(&section);
}

uint64_t deadlocks_reported(void) {
    return plc_load_relaxed(&reported);
}

void deadlock_after_fork(void) {
    memset(reported_locks, 0, sizeof reported_locks);
    plc_store_relaxed(&reported_lock_count, 0u);
    plc_store_relaxed(&reported, UINT64_C(0));
}
