/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Small locks, right and broken: the right ones pass, and each broken one fails in its own way. */
#include "litmus.h"

#include <stddef.h>
#include <string.h>

/* ---- Drepper's futex mutex: 0 free, 1 held, 2 held and somebody may sleep */

static uint32_t mutex;
static int counter;

__attribute__((noinline)) static void wait_while(uint32_t *word, uint32_t value) {
    mc_futex_wait(word, value, MC_NEVER, __builtin_return_address(0));
}

static void futex_lock(void) {
    uint32_t found = 0;
    if (CAS(mutex, found, 1u, ACQ, RLX))
        return;
    while (EXCHANGE(mutex, 2u, ACQ) != 0)
        wait_while(&mutex, 2);
}

/* The flaw of the first published version: who sleeps leaves 1 behind, and the next unlock wakes nobody. */
static void futex_lock_forgetful(void) {
    for (;;) {
        uint32_t found = 0;
        if (CAS(mutex, found, 1u, ACQ, RLX))
            return;
        if (found == 2 || CAS(mutex, found, 2u, RLX, RLX))
            wait_while(&mutex, 2);
    }
}

static void futex_unlock(int order) {
    uint32_t old = order == REL ? EXCHANGE(mutex, 0u, REL) : EXCHANGE(mutex, 0u, RLX);
    if (old == 2)
        mc_futex_wake(&mutex, 1, __builtin_return_address(0));
}

static void futex_mutex(int self) {
    (void)self;
    futex_lock();
    counter++;
    futex_unlock(REL);
}

static void futex_mutex_twice(int self) {
    futex_mutex(self);
    futex_mutex(self);
}

static void relaxed_unlock(int self) {
    (void)self;
    futex_lock();
    counter++;
    futex_unlock(RLX);
}

static void forgetful(int self) {
    (void)self;
    futex_lock_forgetful();
    counter++;
    futex_unlock(REL);
}

static void never_wakes(int self) {
    (void)self;
    futex_lock();
    counter++;
    EXCHANGE(mutex, 0u, REL);
}

static void count_two(void) {
    MC_ASSERT(counter == 2);
}

static void count_three(void) {
    MC_ASSERT(counter == 3);
}

static void count_four(void) {
    MC_ASSERT(counter == 4);
}

/* ---- A spin lock that yields, and ticket and ideal locks */

static int spin_word, next_ticket, now_serving;
static char ideal;

static void spin_lock(int self) {
    (void)self;
    while (EXCHANGE(spin_word, 1, ACQ))
        mc_yield();
    counter++;
    STORE(spin_word, 0, REL);
}

static void spin_lock_left_locked(int self) {
    (void)self;
    while (EXCHANGE(spin_word, 1, ACQ))
        mc_yield();
    counter++;
}

static void spin_lock_without_yield(int self) {
    (void)self;
    while (EXCHANGE(spin_word, 1, ACQ))
        ;
    STORE(spin_word, 0, REL);
}

static void ticket_lock(int self) {
    (void)self;
    int mine = ADD(next_ticket, 1, RLX);
    while (LOAD(now_serving, ACQ) != mine)
        mc_yield();
    counter++;
    STORE(now_serving, mine + 1, REL);
}

static void ideal_lock(int self) {
    (void)self;
    mc_lock(&ideal);
    counter++;
    mc_unlock(&ideal);
}

/* Peterson's lock for two needs a seq_cst fence between raising the flag and looking at the other's. */
static int wants[2], turn;

static void peterson(int self, bool fence) {
    STORE(wants[self], 1, RLX);
    EXCHANGE(turn, 1 - self, AR);
    if (fence)
        FENCE(SC);
    while (LOAD(wants[1 - self], ACQ) && LOAD(turn, ACQ) == 1 - self)
        mc_yield();
    counter++;
    STORE(wants[self], 0, REL);
}

static void peterson_fenced(int self) {
    peterson(self, true);
}

static void peterson_stores(int self) {
    STORE(wants[self], 1, RLX);
    STORE(turn, 1 - self, RLX);
    while (LOAD(wants[1 - self], ACQ) && LOAD(turn, ACQ) == 1 - self)
        mc_yield();
    counter++;
    STORE(wants[self], 0, REL);
}

/* ---- Lifetimes: a waiter's node on its stack */

struct node {
    uint32_t signalled;
    int payload;
};
static struct node *published;

static struct node *wait_for_node(void) {
    struct node *node;
    while (!(node = LOAD(published, ACQ)))
        mc_yield();
    return node;
}

static void wait_on_stack(void) {
    struct node node = {0, 7};
    STORE(published, &node, REL);
    while (!LOAD(node.signalled, ACQ))
        mc_yield();
    mc_lifetime_end(&node, sizeof node);
}

static void signal_last(int self) {
    if (self == 0) {
        wait_on_stack();
    } else {
        struct node *node = wait_for_node();
        node->payload = 8;
        STORE(node->signalled, 1u, REL);
    }
}

static void signal_then_touch(int self) {
    if (self == 0) {
        wait_on_stack();
    } else {
        struct node *node = wait_for_node();
        STORE(node->signalled, 1u, REL);
        node->payload = 8;
    }
}

static void null_pointer(int self) {
    if (self == 0)
        wait_on_stack();
    else
        STORE(LOAD(published, ACQ)->signalled, 1u, REL);
}

/* ---- The child of a fork: memory as it was at that moment, and nobody else. */

static void fork_and_lock(int self) {
    if (self)
        spin_lock_left_locked(self);
    else {
        mc_fork(false);
        futex_lock(); /* another lock, which nobody took along */
        counter++;
        futex_unlock(REL);
    }
}

static uint32_t flag, copied;

static void fork_while_stored(int self) {
    if (self) {
        STORE(flag, 1u, RLX);
        STORE(flag, 2u, RLX);
    } else {
        mc_fork(false);
        copied = LOAD(flag, RLX); /* never an old value: the copy holds the newest */
        MC_ASSERT(copied == flag);
    }
}

static void copied_result(void) {
    MC_OUTCOME((int)copied);
}

static void fork_and_wait(int self) {
    if (self == 0) {
        mc_fork(false);
        wait_while(&flag, 0);
    } else {
        STORE(flag, 1u, RLX);
        mc_futex_wake(&flag, 1, NULL);
    }
}

/* ---- What the C library's functions touch counts, even where a compiler would like to expand them. */

static char bytes[16];

static void clear_unlocked(int self) {
    if (self)
        bytes[15] = 1;
    else
        memset(bytes, 0, sizeof bytes);
}

static void copy_unlocked(int self) {
    static char copy[16];
    if (self)
        bytes[0] = 1;
    else
        memcpy(copy, bytes, sizeof copy);
}

/* ---- Time-outs */

static uint32_t event;
static int results[2];

static void timed_wait(int self) {
    if (self == 0)
        results[0] = (int)mc_futex_wait(&event, 0, mc_now(NULL) + 5, NULL);
    else {
        STORE(event, 1u, RLX);
        mc_futex_wake(&event, 1, NULL);
    }
}

static void timed_wait_result(void) {
    MC_OUTCOME(results[0]);
}

#define TWO .threads = 2, .finish = count_two
#define THREE .threads = 3, .finish = count_three
MC_SCENARIOS(
    {.name = "futex mutex, 2 threads", TWO, .thread = futex_mutex},
    {.name = "futex mutex, 2 threads, twice", .threads = 2, .thread = futex_mutex_twice, .finish = count_four},
    {.name = "futex mutex, 2 threads, spurious", TWO, .thread = futex_mutex, .spurious = 2},
    {.name = "futex mutex, 3 threads, 3 preemptions", THREE, .thread = futex_mutex, .preemptions = 3},
    {.name = "unlock relaxed", TWO, .thread = relaxed_unlock, .expect = MC_RACE},
    {.name = "unlock never wakes", TWO, .thread = never_wakes, .expect = MC_DEADLOCK},
    {.name = "sleeper forgotten", THREE, .thread = forgetful, .expect = MC_DEADLOCK},
    {.name = "spin lock", THREE, .thread = spin_lock},
    {.name = "spin lock left locked", TWO, .thread = spin_lock_left_locked, .expect = MC_DEADLOCK},
    {.name = "spinning without a yield", .threads = 2, .thread = spin_lock_without_yield, .expect = MC_MODEL_LIMIT},
    {.name = "ticket lock", THREE, .thread = ticket_lock}, {.name = "ideal lock", THREE, .thread = ideal_lock},
    {.name = "Peterson", TWO, .thread = peterson_fenced},
    {.name = "Peterson with stores alone", TWO, .thread = peterson_stores, .expect = MC_RACE},
    {.name = "signal is the last touch", .threads = 2, .thread = signal_last},
    {.name = "touch after the signal", .threads = 2, .thread = signal_then_touch, .expect = MC_USE_AFTER_FREE},
    {.name = "null pointer", .threads = 2, .thread = null_pointer, .expect = MC_CRASH},
    {.name = "memset beside a write", .threads = 2, .thread = clear_unlocked, .expect = MC_RACE},
    {.name = "memcpy beside a write", .threads = 2, .thread = copy_unlocked, .expect = MC_RACE},
    {.name = "fork: another lock", .threads = 2, .thread = fork_and_lock},
    {.name = "fork: copies the newest",
     .threads = 2,
     .thread = fork_while_stored,
     .finish = copied_result,
     .outcomes = "0 1 2",
     .compare_naive = true},
    {.name = "fork: waits for a thread that is gone", .threads = 2, .thread = fork_and_wait, .expect = MC_DEADLOCK},
    {.name = "timed wait",
     .threads = 2,
     .thread = timed_wait,
     .finish = timed_wait_result,
     .outcomes = "0 1 3",
     .compare_naive = true});
