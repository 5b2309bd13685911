/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What each thread holds and what it waits for: what the deadlock and the lock order observers have in common. */
#ifndef PLC_OBSERVE_HELD_H
#define PLC_OBSERVE_HELD_H

#include "../observe.h"
#include "call_stack.h"
#include "quiet.h"

enum {
    HELD_MOST = 128,        /* locks of one thread; it may hold more, which are not looked at */
    WAITS_MOST = 4,         /* of one thread: more than one if a signal handler waits for a lock */
    ORDERS_REMEMBERED = 256 /* per thread */
};

struct held_lock {
    const void *object;
    enum observe_mode mode;
    uint32_t count;      /* how often a rwlock is held for reading */
    uint32_t level;      /* how many waits of this thread a handler had interrupted when it was taken */
    bool readers_queue;  /* a rwlock whose readers wait for writers that wait */
    uint32_t node;       /* for lock_graph.c, under its lock */
    uint64_t identity;   /* of the lock (lock_order.c); zero: it has none, or nobody asked */
    call_stack_id stack; /* from where it was taken */
};

struct watched_wait {
    const void *object;
    enum observe_mode mode;
    bool is_timed;    /* it ends by itself */
    bool yields;      /* it reads, and queues behind writers that wait */
    const void *cond; /* it is a wait on this cond, which must take the object, its mutex, again; else null */
    uint64_t ticket;  /* waits that began earlier have smaller ones */
    call_stack_id stack;
};

/* A thread that took a lock, or waited for one.

     I1 A thread is in the list of waiting threads exactly while wait_count > 0; the list, the waits and wait_count change
        under held_lock_all() only.
     I2 Its held locks are changed by the thread itself, and under held_lock_all() while it is in that list.

   So whoever has held_lock_all() may read the waits and the held locks of all waiting threads. */
struct watched_thread {
    struct watched_thread *next;         /* of all records, which are used again but never freed */
    struct watched_thread *next_waiting; /* and these two: of the list of waiting threads */
    struct watched_thread **waiting_link;
    int tid;           /* zero: the record is unused */
    uint64_t number;   /* of this thread and no other */
    uint64_t sequence; /* grows whenever a wait begins or ends */
    unsigned held_count;
    unsigned held_beyond; /* locks that it holds and for which there was no room */
    unsigned wait_count;
    struct held_lock held[HELD_MOST];
    struct watched_wait waits[WAITS_MOST];
    struct call_stack_thread stack;
    uint64_t orders_seen[ORDERS_REMEMBERED]; /* for lock_order.c */
    uint32_t orders_epoch;
    uint64_t visit; /* for deadlock.c, under held_lock_all() */
    uint32_t visit_level;
};

/* The calling thread's record; null if there is no memory for one. Keeps errno. */
struct watched_thread *held_self(void);

/* The lock took place in the calling thread; its count and level are filled in here. The object is never looked at again: whoever
   gives the lock up instead of this thread may free it at once. */
void held_add(struct watched_thread *self, const struct held_lock *taken);

/* It is about to be given up. False: this thread does not hold it. Then somebody else took it, and it is handed over (below) from now on. */
bool held_remove(struct watched_thread *self, const void *object);

/* The thread's own entry for the lock in any mode, or null. */
struct held_lock *held_find(struct watched_thread *self, const void *object);

/* A lock that was given up by another thread than took it says nothing about who can go on: it is used as a semaphore is.
   There is no way back. A few other locks may be taken for such ones. */
bool held_is_handed_over(const void *object);

/* ---- Waiting threads */

struct quiet_section held_lock_all(void);

/* Both under held_lock_all(). The end of a wait that did not begin is ignored. */
bool held_wait_begins(struct watched_thread *self, const struct watched_wait *wait);
void held_wait_ends(struct watched_thread *self, const void *object, enum observe_mode mode);

/* The first waiting thread; the others by next_waiting. */
struct watched_thread *held_first_waiting(void);

/* ---- */

/* In the child of a fork: its only thread keeps what it holds, and waits for nothing. */
void held_after_fork(void);

/* How many threads were ever seen, how many locks were left out since a thread held too many, how many were handed over. */
struct held_counts {
    uint64_t threads;
    uint64_t dropped;
    uint64_t handed_over;
};
struct held_counts held_counts(void);

#endif
