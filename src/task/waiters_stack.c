/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Waiters, second form: value, a lock bit, and a pointer to the newest of the nodes on the waiting threads' stacks. */
#include <plc/detail/atomic.h>

#include "platform/platform.h"
#include "platform/spin.h"
#include "task/forms.h"
#include "thread_parker/thread_parker.h"

/* waiters->word
 *
 *            6 5   5 4     0
 *  [ newest .....| X | value ]     newest  the node of the thread that began to wait last, aligned to 64; or null
 *                                  X       locked: the list is being walked
 *
 * Invariants
 *   I1  A node is pushed while X is clear, with the expected value there, by one exchange. It is taken out while X is set: all
 *       at once by a store that wakes, or one by its owner whose time has run out.
 *   I2  X is held for as long as it takes to walk the list, and by nobody who sleeps.
 *   I3  A node that was taken out by a store is unparked by it, exactly once; the owner waits for that.
 *   I4  The store that clears X is the last access to the word.
 *
 * Memory order
 *   [V2] a push's exchange-release -> the acquire of the exchange that sets X: the node.
 *   [V3] the release that clears X, or a compare-exchange -> the acquire of whoever pushes, sets X or looks at the value: what
 *        happened before the value was stored, and the links of the list.
 *   A woken thread's return from its park comes after the unpark by the parker's own [P1]. */
enum { VALUE_BITS = PLC_WAITERS_VALUES - 1, X = PLC_WAITERS_VALUES, NODE_ALIGNMENT = 64 };

struct node {
    _Alignas(NODE_ALIGNMENT) struct node *next;
    struct plc_thread_parker parker;
};

static struct node *newest_in(uintptr_t word) {
    return (struct node *)(word & ~(uintptr_t)(NODE_ALIGNMENT - 1));
}

unsigned plc_waiters_stack_value(const plc_waiters_t *waiters) {
    return (unsigned)(plc_load_acquire(&waiters->word) & VALUE_BITS); /* acquire [V3] */
}

/* Lets whoever walks the list go on. */
static uintptr_t look_again(const plc_waiters_t *waiters, struct plc_spin *spin) {
    if (!plc_spin_once(spin))
        plc_os_yield();
    return plc_load_acquire(&waiters->word); /* acquire [V3] */
}

/* Sets X; returns the word as it was, with X clear. */
static uintptr_t lock_list(plc_waiters_t *waiters) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    uintptr_t word = plc_load_relaxed(&waiters->word); /* relaxed: the exchange looks again */
    for (;;) {
        if (word & X)
            word = look_again(waiters, &spin);
        else if (plc_cas_acquire_weak(&waiters->word, &word, word | X)) /* acquire [V2] [V3] */
            return word;
    }
}

static void unlock_list(plc_waiters_t *waiters, struct node *newest, uintptr_t value) {
    plc_store_release(&waiters->word, (uintptr_t)newest | value); /* release [V3]; the last access */
}

/* ---- Waiting */

static bool push(plc_waiters_t *waiters, unsigned expected, struct node *node) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    uintptr_t word = plc_load_acquire(&waiters->word); /* acquire [V3] */
    while ((word & VALUE_BITS) == expected) {
        node->next = newest_in(word);
        if (word & X)
            word = look_again(waiters, &spin);
        else if (plc_cas_release_or_acquire(&waiters->word, &word,
                                            (uintptr_t)node | expected)) /* release [V2], or acquire [V3] */
            return true;
    }
    return false;
}

/* With X set: takes the node out of the list, if it is there. */
static bool remove_node(struct node **newest, struct node *node) {
    struct node **link = newest;
    while (*link && *link != node)
        link = &(*link)->next;
    if (!*link)
        return false;
    *link = node->next;
    return true;
}

/* The time has run out; false if a store was faster, and its unpark is on its way. */
static bool give_up(plc_waiters_t *waiters, struct node *node) {
    uintptr_t word = lock_list(waiters);
    struct node *newest = newest_in(word);
    bool removed = remove_node(&newest, node);
    if (removed)
        plc_thread_parker_timed_out(&node->parker);
    unlock_list(waiters, newest, word & VALUE_BITS);
    return removed;
}

enum plc_waiters_status plc_waiters_stack_wait(plc_waiters_t *waiters, unsigned expected, plc_deadline_t deadline) {
    struct node node;
    enum plc_waiters_status status = PLC_WAITERS_CHANGED;
    plc_thread_parker_init(&node.parker);
    plc_thread_parker_prepare_park(&node.parker, true);
    if (push(waiters, expected, &node)) {
        status = PLC_WAITERS_WOKEN;
        if (!plc_thread_parker_park_until(&node.parker, deadline, NULL)) {
            if (give_up(waiters, &node))
                status = PLC_WAITERS_TIMED_OUT;
            else
                plc_thread_parker_park(&node.parker, NULL);
        }
    }
    plc_thread_parker_destroy(&node.parker);
    plc_lifetime_end_(&node, sizeof node);
    return status;
}

/* ---- Waking */

void plc_waiters_stack_store(plc_waiters_t *waiters, unsigned value) {
    struct node *node = newest_in(lock_list(waiters));
    for (struct node *promised = node; promised; promised = promised->next)
        plc_thread_parker_unpark_lock(&promised->parker);
    unlock_list(waiters, NULL, value);
    while (node) {
        struct node *next = node->next; /* before the unpark: the node is gone then */
        plc_thread_parker_unpark(&node->parker);
        node = next;
    }
}

bool plc_waiters_stack_compare_exchange(plc_waiters_t *waiters, unsigned *expected, unsigned value) {
    struct plc_spin spin;
    plc_spin_init(&spin);
    uintptr_t word = plc_load_relaxed(&waiters->word); /* relaxed: the exchange acquires; a failure orders nothing */
    while ((word & VALUE_BITS) == *expected) {
        uintptr_t new = (uintptr_t)newest_in(word) | value;
        if (word & X)
            word = look_again(waiters, &spin);
        else if (plc_cas_acq_rel(&waiters->word, &word, new)) /* release and acquire [V3] */
            return true;
    }
    *expected = (unsigned)(word & VALUE_BITS);
    return false;
}
