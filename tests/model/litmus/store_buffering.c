/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* SB, and Dekker's idea on it: each of two threads stores, then looks whether the other has. */
#include "litmus.h"

static int x, y, r[2];

#define SB(name, store_order, middle, load_order)                                                                      \
    static void name(int self) {                                                                                       \
        if (self == 0) {                                                                                               \
            STORE(x, 1, store_order);                                                                                  \
            middle;                                                                                                    \
            r[0] = LOAD(y, load_order);                                                                                \
        } else {                                                                                                       \
            STORE(y, 1, store_order);                                                                                  \
            middle;                                                                                                    \
            r[1] = LOAD(x, load_order);                                                                                \
        }                                                                                                              \
    }
SB(relaxed, RLX, (void)0, RLX)
SB(release_acquire, REL, (void)0, ACQ)
SB(sequential, SC, (void)0, SC)
SB(fences, RLX, FENCE(SC), RLX)
SB(weak_fences, RLX, FENCE(AR), RLX)

static void with_exchange(int self) {
    if (self == 0) {
        EXCHANGE(x, 1, AR);
        r[0] = LOAD(y, ACQ);
    } else {
        EXCHANGE(y, 1, AR);
        r[1] = LOAD(x, ACQ);
    }
}

/* The barrier makes the other thread pass a fence, wherever it is. */
static void with_process_barrier(int self) {
    if (self == 0) {
        STORE(x, 1, RLX);
        r[0] = LOAD(y, RLX);
    } else {
        STORE(y, 1, RLX);
        mc_process_barrier(__builtin_return_address(0));
        r[1] = LOAD(x, RLX);
    }
}

/* It makes nothing happen before: plain data still needs its release and acquire. */
static int plain;
static void barrier_publishes_nothing(int self) {
    if (self == 0) {
        plain = 1;
        mc_process_barrier(__builtin_return_address(0));
        STORE(x, 1, RLX);
    } else if (LOAD(x, RLX)) {
        MC_ASSERT(plain == 1);
    }
}

static void one_fence(int self) {
    if (self == 0) {
        STORE(x, 1, RLX);
        FENCE(SC);
        r[0] = LOAD(y, RLX);
    } else {
        STORE(y, 1, SC);
        r[1] = LOAD(x, SC);
    }
}

static void outcome(void) {
    MC_OUTCOME(r[0], r[1]);
}

static void somebody_saw(void) {
    MC_ASSERT(r[0] || r[1]);
}

#define TEST(...)                                                                                                      \
    { .threads = 2, .finish = outcome, .compare_naive = true, __VA_ARGS__ }
MC_SCENARIOS(
    TEST(.name = "SB relaxed", .thread = relaxed, .outcomes = "00 01 10 11"),
    TEST(.name = "SB release/acquire", .thread = release_acquire, .outcomes = "00 01 10 11"),
    TEST(.name = "SB seq_cst accesses", .thread = sequential, .outcomes = "01 10 11"),
    TEST(.name = "SB seq_cst fences", .thread = fences, .outcomes = "01 10 11"),
    TEST(.name = "SB acq_rel fences", .thread = weak_fences, .outcomes = "00 01 10 11"),
    TEST(.name = "SB acq_rel exchanges", .thread = with_exchange, .outcomes = "00 01 10 11"),
    TEST(.name = "SB process barrier on one side", .thread = with_process_barrier, .outcomes = "01 10 11"),
    {.name = "a process barrier publishes nothing",
     .threads = 2,
     .thread = barrier_publishes_nothing,
     .expect = MC_RACE},
    TEST(.name = "SB seq_cst fence against seq_cst accesses", .thread = one_fence, .outcomes = "01 10 11"),
    {.name = "Dekker with fences", .threads = 2, .thread = fences, .finish = somebody_saw},
    {.name = "Dekker without fences", .threads = 2, .thread = relaxed, .finish = somebody_saw, .expect = MC_ASSERTION});
