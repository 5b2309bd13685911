/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* LB, IRIW, 2+2W, CoRR and their kin: what the order of stores to one place allows, and to several. */
#include "litmus.h"

static int x, y, r[4];

static void load_buffering(int self) {
    if (self == 0) {
        r[0] = LOAD(y, RLX);
        STORE(x, 1, RLX);
    } else {
        r[1] = LOAD(x, RLX);
        STORE(y, 1, RLX);
    }
}

#define IRIW(name, store_order, load_order, middle)                                                                    \
    static void name(int self) {                                                                                       \
        if (self == 0) {                                                                                               \
            STORE(x, 1, store_order);                                                                                  \
        } else if (self == 1) {                                                                                        \
            STORE(y, 1, store_order);                                                                                  \
        } else if (self == 2) {                                                                                        \
            r[0] = LOAD(x, load_order);                                                                                \
            middle;                                                                                                    \
            r[1] = LOAD(y, load_order);                                                                                \
        } else {                                                                                                       \
            r[2] = LOAD(y, load_order);                                                                                \
            middle;                                                                                                    \
            r[3] = LOAD(x, load_order);                                                                                \
        }                                                                                                              \
    }
IRIW(iriw_acquire, REL, ACQ, (void)0)
IRIW(iriw_sequential, SC, SC, (void)0)
IRIW(iriw_fences, RLX, RLX, FENCE(SC))

/* Stores to two places in opposite orders. 2+2W: each place can end with its first store. */
#define TWO_BY_TWO(name, order, middle)                                                                                \
    static void name(int self) {                                                                                       \
        if (self == 0) {                                                                                               \
            STORE(x, 1, order);                                                                                        \
            middle;                                                                                                    \
            STORE(y, 2, order);                                                                                        \
        } else {                                                                                                       \
            STORE(y, 1, order);                                                                                        \
            middle;                                                                                                    \
            STORE(x, 2, order);                                                                                        \
        }                                                                                                              \
    }
TWO_BY_TWO(two_by_two_relaxed, RLX, (void)0)
TWO_BY_TWO(two_by_two_release, REL, (void)0)
TWO_BY_TWO(two_by_two_sequential, SC, (void)0)
TWO_BY_TWO(two_by_two_fences, RLX, FENCE(SC))

static void read_read(int self) {
    if (self == 0) {
        STORE(x, 1, RLX);
    } else if (self == 1) {
        STORE(x, 2, RLX);
    } else {
        r[0] = LOAD(x, RLX);
        r[1] = LOAD(x, RLX);
    }
}

static void two_readers(int self) {
    if (self < 2) {
        STORE(x, self + 1, RLX);
    } else {
        r[2 * self - 4] = LOAD(x, RLX);
        r[2 * self - 3] = LOAD(x, RLX);
    }
}

/* Two readers may not see the two stores in opposite orders. */
static void readers_agree(void) {
    MC_ASSERT(!(r[0] == 1 && r[1] == 2 && r[2] == 2 && r[3] == 1));
    MC_ASSERT(!(r[0] == 2 && r[1] == 1 && r[2] == 1 && r[3] == 2));
    MC_OUTCOME(r[0], r[1], r[2], r[3]);
}

static void own_write(int self) {
    if (self == 0) {
        STORE(x, 1, RLX);
        r[0] = LOAD(x, RLX);
    } else {
        STORE(x, 2, RLX);
        r[1] = LOAD(x, RLX);
    }
}

static void two(void) {
    MC_OUTCOME(r[0], r[1]);
}

static void four(void) {
    MC_OUTCOME(r[0], r[1], r[2], r[3]);
}

static void final_values(void) {
    MC_OUTCOME(LOAD(x, RLX), LOAD(y, RLX));
}

#define TEST(...)                                                                                                      \
    { .compare_naive = true, __VA_ARGS__ }
MC_SCENARIOS(TEST(.name = "LB", .threads = 2, .thread = load_buffering, .finish = two, .outcomes = "00 01 10"),
             TEST(.name = "IRIW acquire", .threads = 4, .thread = iriw_acquire, .finish = four,
                  .outcomes = "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1010 1011 1100 1101 1110 1111"),
             TEST(.name = "IRIW seq_cst accesses", .threads = 4, .thread = iriw_sequential, .finish = four,
                  .outcomes = "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1011 1100 1101 1110 1111"),
             TEST(.name = "IRIW seq_cst fences", .threads = 4, .thread = iriw_fences, .finish = four,
                  .outcomes = "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1011 1100 1101 1110 1111"),
             TEST(.name = "2+2W relaxed", .threads = 2, .thread = two_by_two_relaxed, .finish = final_values,
                  .outcomes = "11 12 21 22"),
             TEST(.name = "2+2W release", .threads = 2, .thread = two_by_two_release, .finish = final_values,
                  .outcomes = "11 12 21 22"),
             TEST(.name = "2+2W seq_cst accesses", .threads = 2, .thread = two_by_two_sequential,
                  .finish = final_values, .outcomes = "12 21 22"),
             TEST(.name = "2+2W seq_cst fences", .threads = 2, .thread = two_by_two_fences, .finish = final_values,
                  .outcomes = "12 21 22"),
             TEST(.name = "CoRR", .threads = 3, .thread = read_read, .finish = two, .outcomes = "00 01 02 11 12 21 22"),
             TEST(.name = "CoRR, two readers", .threads = 4, .thread = two_readers, .finish = readers_agree),
             TEST(.name = "CoWR", .threads = 2, .thread = own_write, .finish = two, .outcomes = "11 12 22"));
