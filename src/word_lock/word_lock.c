/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one-word lock: a flag for the lock, a flag for its queue, and the head of the queue in one word. */
#include "word_lock/word_lock.h"

#include <plc/detail/atomic.h>

#include "platform/platform.h"
#include "platform/spin.h"
#include "platform/tuning.h"
#include "thread_parker/thread_parker.h"

/* lock->word
 *    63 ........................ 2   1   0
 *   [ head of the queue, or zero | Q | L ]      L locked   Q somebody works on the queue
 *
 *   head Q L   meaning                                    left by
 *    0   0 0   free                                       lock: L
 *    0   0 1   held                                       unlock: L; waiter: pushes itself
 *    n   0 0   free, waiters                              lock: L; unlock_slow: Q
 *    n   0 1   held, waiters                              unlock: L; waiter: pushes itself
 *    n   1 *   an unlocker takes the oldest waiter off    that unlocker: Q; lock: L; waiter: pushes itself
 *    0   1 *   impossible
 *
 * The queue is a list from the newest waiter (head) to the oldest by `next`; `previous` links and the head's `oldest`
 * are filled in by the unlocker that holds Q, which walks only over the nodes that came since the last walk.
 *
 * Invariants
 *   I1  A node is in the queue from its push until the holder of Q takes it off; only that one unparks it, once.
 *   I2  next is written before the push and never again; previous, oldest only by the holder of Q.
 *   I3  If the queue is not empty, then L or Q is set, or an unlocker is between giving L back and taking Q: somebody
 *       will wake the oldest waiter. The holder of Q that sees L leaves the queue to the holder of L.
 *   I4  A node's thread leaves only after its own unpark, which is the unlocker's last access to the node.
 *
 * Memory order
 *   [W1] unlock's release of L -> lock's acquire of L: the critical sections.
 *   [W2] the push's release -> acquire of whoever takes Q or finds the push in a failed exchange: the node's fields.
 *   [W3] release of Q -> acquire of Q: previous and oldest.
 *
 * The algorithm is Rust parking_lot's WordLock. */

enum {
    LOCKED = 1u,
    QUEUE_LOCKED = 2u,
    FLAGS = LOCKED | QUEUE_LOCKED,
};

struct word_waiter {
    struct plc_thread_parker parker;
    struct word_waiter *next;     /* the one that came before this one */
    struct word_waiter *previous; /* the one that came after, once an unlocker has been here */
    struct word_waiter *oldest;   /* the end of the queue, if this was the head when an unlocker was here */
};

static struct word_waiter *head_of(uintptr_t word) {
    return (struct word_waiter *)(word & ~(uintptr_t)FLAGS); /* NOLINT(performance-no-int-to-ptr) */
}

/* Takes the lock if L is clear; *word is the last value seen. */
static bool try_take(struct plc_word_lock *lock, uintptr_t *word) {
    while (!(*word & LOCKED)) {
        if (plc_cas_acquire_weak(&lock->word, word, *word | LOCKED)) /* acquire [W1] */
            return true;
    }
    return false;
}

/* Pushes the waiter if the word is still as seen, and sleeps until an unlocker wakes it. */
static void push_and_park(struct plc_word_lock *lock, uintptr_t word) {
    struct word_waiter waiter;
    plc_thread_parker_init(&waiter.parker);
    plc_thread_parker_prepare_park(&waiter.parker, false);
    waiter.next = head_of(word);
    waiter.previous = NULL;
    waiter.oldest = waiter.next ? NULL : &waiter;
    if (plc_cas_release(&lock->word, &word, (uintptr_t)&waiter | (word & FLAGS))) /* release [W2] */
        plc_thread_parker_park(&waiter.parker, NULL);
    plc_thread_parker_destroy(&waiter.parker);
    plc_lifetime_end_(&waiter, sizeof waiter);
}

static void lock_slow(struct plc_word_lock *lock) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    for (;;) {
        uintptr_t word = plc_load_relaxed(&lock->word); /* relaxed: every use is an exchange that checks it */
        if (try_take(lock, &word))
            return;
        /* Never spin past waiters: they would wait longer, and there is little to win. */
        if (!head_of(word) && plc_spin_once(&spin))
            continue;
        push_and_park(lock, word);
        plc_spin_init(&spin);
    }
}

/* The oldest waiter; fills in the links that it passes. Called by the holder of Q. */
static struct word_waiter *find_oldest(struct word_waiter *head) {
    struct word_waiter *waiter = head;
    while (!waiter->oldest) {
        waiter->next->previous = waiter;
        waiter = waiter->next;
    }
    return head->oldest = waiter->oldest;
}

/* Takes the oldest waiter off the queue and Q off the word, if the word has not gained waiters meanwhile; else reloads.
 */
static bool take_off(struct plc_word_lock *lock, uintptr_t *word, struct word_waiter *oldest) {
    struct word_waiter *head = head_of(*word);
    if (oldest->previous) {
        head->oldest = oldest->previous;
        plc_fetch_and_release(&lock->word, ~(uintptr_t)QUEUE_LOCKED); /* release [W3] */
        return true;
    }
    /* The last one: the queue is empty when it is gone. On failure acquire [W2]: somebody may have pushed itself. */
    return plc_cas_release_or_acquire(&lock->word, word, *word & LOCKED);
}

static void unlock_slow(struct plc_word_lock *lock) {
    uintptr_t word = plc_load_relaxed(&lock->word); /* relaxed: the exchange below checks it */
    do {
        if (word & QUEUE_LOCKED || !head_of(word))
            return; /* whoever works on the queue, or emptied it, has taken care of it (I3) */
    } while (!plc_cas_acquire_weak(&lock->word, &word, word | QUEUE_LOCKED)); /* acquire [W2] [W3] */
    word |= QUEUE_LOCKED;
    for (;;) {
        struct word_waiter *oldest = find_oldest(head_of(word));
        if (word & LOCKED) {
            /* Somebody took the lock: its unlock wakes the waiter. On failure acquire [W2]. */
            if (plc_cas_release_or_acquire(&lock->word, &word, word & ~(uintptr_t)QUEUE_LOCKED)) /* release [W3] */
                return;
        } else if (take_off(lock, &word, oldest)) {
            plc_thread_parker_unpark_lock(&oldest->parker);
            plc_thread_parker_unpark(&oldest->parker); /* the last access (I4) */
            return;
        }
    }
}

void plc_word_lock_lock(struct plc_word_lock *lock) {
    uintptr_t word = 0;
    if (PLC_UNLIKELY(!plc_cas_acquire_weak(&lock->word, &word, (uintptr_t)LOCKED))) /* acquire [W1] */
        lock_slow(lock);
}

bool plc_word_lock_try_lock(struct plc_word_lock *lock) {
    uintptr_t word = plc_load_relaxed(&lock->word); /* relaxed: a failed try orders nothing */
    return try_take(lock, &word);
}

bool plc_word_lock_try_lock_idle(struct plc_word_lock *lock) {
    uintptr_t word = 0;
    return plc_cas_acquire(&lock->word, &word, (uintptr_t)LOCKED); /* acquire [W1] */
}

void plc_word_lock_unlock(struct plc_word_lock *lock) {
    uintptr_t word = plc_fetch_sub_release(&lock->word, (uintptr_t)LOCKED); /* release [W1] */
    if (PLC_UNLIKELY(head_of(word) && !(word & QUEUE_LOCKED)))
        unlock_slow(lock);
}
