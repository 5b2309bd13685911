/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* MP, WRC and release sequences: data handed over by a flag. */
#include "litmus.h"

static int data, flag, second, r[4];

static void release_acquire(int self) {
    if (self == 0) {
        data = 42;
        STORE(flag, 1, REL);
    } else if (LOAD(flag, ACQ)) {
        MC_ASSERT(data == 42);
    }
}

static void missing_release(int self) {
    if (self == 0) {
        data = 42;
        STORE(flag, 1, RLX);
    } else if (LOAD(flag, ACQ)) {
        MC_ASSERT(data == 42);
    }
}

static void missing_acquire(int self) {
    if (self == 0) {
        data = 42;
        STORE(flag, 1, REL);
    } else if (LOAD(flag, RLX)) {
        MC_ASSERT(data == 42);
    }
}

static void fences(int self) {
    if (self == 0) {
        data = 42;
        FENCE(REL);
        STORE(flag, 1, RLX);
    } else if (LOAD(flag, RLX)) {
        FENCE(ACQ);
        MC_ASSERT(data == 42);
    }
}

/* A seq_cst fence in each thread orders stores and loads, but without a release that somebody acquires nothing happens
   before anything: the plain accesses still race. */
static void sequential_fences_alone(int self) {
    if (self == 0) {
        data = 42;
        FENCE(SC);
    } else {
        FENCE(SC);
        r[0] = data;
    }
}

static void after_the_store(int self) {
    if (self == 0) {
        STORE(flag, 1, REL);
        data = 42; /* too late: the release does not cover it */
    } else if (LOAD(flag, ACQ)) {
        r[0] = data;
    }
}

static void relaxed_data(int self) {
    if (self == 0) {
        STORE(second, 1, RLX);
        STORE(flag, 1, RLX);
    } else {
        r[0] = LOAD(flag, RLX);
        r[1] = LOAD(second, RLX);
    }
}

static void ordered_data(int self) {
    if (self == 0) {
        STORE(second, 1, RLX);
        STORE(flag, 1, REL);
    } else {
        r[0] = LOAD(flag, ACQ);
        r[1] = LOAD(second, RLX);
    }
}

static void two_outcomes(void) {
    MC_OUTCOME(r[0], r[1]);
}

/* Write-to-read causality: T1 passes on what T0 told it. */
static void causality(int self) {
    if (self == 0) {
        STORE(second, 1, RLX);
    } else if (self == 1) {
        r[0] = LOAD(second, RLX);
        STORE(flag, 1, REL);
    } else {
        r[1] = LOAD(flag, ACQ);
        r[2] = LOAD(second, RLX);
    }
}

static void three_outcomes(void) {
    MC_OUTCOME(r[0], r[1], r[2]);
}

static void sequence_by_rmw(int self) {
    if (self == 0) {
        data = 1;
        STORE(flag, 1, REL);
    } else if (self == 1) {
        ADD(flag, 1, RLX);
    } else if (LOAD(flag, ACQ) == 2) {
        MC_ASSERT(data == 1);
    }
}

/* Without T0's store first, the value 1 is T1's own, relaxed. */
static void sequence_misread(int self) {
    if (self == 0) {
        data = 1;
        STORE(flag, 2, REL);
    } else if (self == 1) {
        ADD(flag, 1, RLX);
    } else if (LOAD(flag, ACQ) != 0) {
        r[0] = data;
    }
}

/* A plain store by the same thread ends the release sequence, since C++20. */
static void sequence_ends(int self) {
    if (self == 0) {
        data = 1;
        STORE(flag, 1, REL);
        STORE(flag, 2, RLX);
    } else if (LOAD(flag, ACQ) == 2) {
        r[0] = data;
    }
}

#define TWO(...)                                                                                                       \
    { .threads = 2, __VA_ARGS__ }
#define THREE(...)                                                                                                     \
    { .threads = 3, __VA_ARGS__ }
MC_SCENARIOS(TWO(.name = "MP release/acquire", .thread = release_acquire),
             TWO(.name = "MP without release", .thread = missing_release, .expect = MC_RACE),
             TWO(.name = "MP without acquire", .thread = missing_acquire, .expect = MC_RACE),
             TWO(.name = "MP fences", .thread = fences),
             TWO(.name = "MP seq_cst fences alone", .thread = sequential_fences_alone, .expect = MC_RACE),
             TWO(.name = "MP written after the release", .thread = after_the_store, .expect = MC_RACE),
             TWO(.name = "MP all relaxed", .thread = relaxed_data, .finish = two_outcomes, .compare_naive = true,
                 .outcomes = "00 01 10 11"),
             TWO(.name = "MP relaxed data", .thread = ordered_data, .finish = two_outcomes, .compare_naive = true,
                 .outcomes = "00 01 11"),
             THREE(.name = "WRC", .thread = causality, .finish = three_outcomes, .compare_naive = true,
                   .outcomes = "000 001 010 011 100 101 111"),
             THREE(.name = "release sequence through a read-modify-write", .thread = sequence_by_rmw),
             THREE(.name = "no release sequence before the head", .thread = sequence_misread, .expect = MC_RACE),
             TWO(.name = "a plain store ends the release sequence", .thread = sequence_ends, .expect = MC_RACE));
