/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Atomicity of read-modify-writes; failed and weak compare-exchanges. */
#include "litmus.h"

static int x, y, r[3];

static void count(int self) {
    r[self] = ADD(x, 1, RLX);
}

static void counted(void) {
    MC_ASSERT(LOAD(x, RLX) == 3);
    MC_OUTCOME(r[0], r[1], r[2]);
}

/* A compare-exchange that fails is a load, and may see an old store although a newer one is known to be there. */
static void stale_failure(int self) {
    if (self == 0) {
        STORE(x, 1, RLX);
        STORE(y, 1, RLX);
    } else {
        r[0] = LOAD(y, RLX);
        int expected = 5;
        CAS(x, expected, 6, RLX, RLX);
        r[1] = expected;
    }
}

static void acquiring_failure(int self) {
    if (self == 0) {
        STORE(x, 1, RLX);
        STORE(y, 1, REL);
    } else {
        int expected = 5;
        CAS(y, expected, 6, ACQ, ACQ);
        r[0] = expected;
        r[1] = LOAD(x, RLX);
    }
}

static void one_wins(int self) {
    int expected = 0;
    r[self] = CAS(x, expected, self + 1, RLX, RLX);
}

static void weak_may_fail(int self) {
    int expected = 0;
    r[self] = CAS_WEAK(x, expected, 1, RLX, RLX);
    if (!r[self])
        r[self] = expected ? 2 : 0;
}

/* A plain store may come between a read-modify-write and what it did not read, but not between it and what it did. */
static void store_beside(int self) {
    if (self == 0)
        STORE(x, 4, RLX);
    else
        r[0] = ADD(x, 1, RLX);
}

static void store_beside_result(void) {
    MC_OUTCOME(r[0], LOAD(x, RLX));
}

static void two(void) {
    MC_OUTCOME(r[0], r[1]);
}

#define TEST(...)                                                                                                      \
    { .compare_naive = true, __VA_ARGS__ }
#define TWO .threads = 2, .finish = two
/* Clang does not tell the checker which compare-exchanges are weak. */
#if defined(__clang__)
#define WEAK_TEST
#else
#define WEAK_TEST                                                                                                      \
    TEST(.name = "a weak compare-exchange fails for no reason", TWO, .thread = weak_may_fail, .weak_failures = 2,      \
         .outcomes = "00 01 10 12 21"),
#endif
MC_SCENARIOS(TEST(.name = "three increments", .threads = 3, .thread = count, .finish = counted,
                  .outcomes = "012 021 102 120 201 210"),
             TEST(.name = "a failed compare-exchange reads a stale value", TWO, .thread = stale_failure,
                  .outcomes = "00 01 10 11"),
             TEST(.name = "a failed compare-exchange acquires", TWO, .thread = acquiring_failure,
                  .outcomes = "00 01 11"),
             TEST(.name = "one of two compare-exchanges wins", TWO, .thread = one_wins, .outcomes = "01 10"),
             WEAK_TEST TEST(.name = "a weak compare-exchange told not to fail", TWO, .thread = weak_may_fail,
                            .outcomes = "12 21"),
             TEST(.name = "a store beside a read-modify-write", .threads = 2, .thread = store_beside,
                  .finish = store_beside_result, .outcomes = "04 45"));
