/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The set of outcomes of a litmus test. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OUTCOMES = 4096, MAX_DIGITS = 15 };

/* Sixteen for each digit, under a leading one that keeps the length. */
static uint64_t outcomes[MAX_OUTCOMES];
static int outcome_count;

void outcome_reset(void) {
    outcome_count = 0;
}

static void add(uint64_t outcome) {
    for (int i = 0; i < outcome_count; i++) {
        if (outcomes[i] == outcome)
            return;
    }
    if (outcome_count == MAX_OUTCOMES)
        execution_failed(MC_MODEL_LIMIT, NULL, NULL, "more than %d outcomes", MAX_OUTCOMES);
    outcomes[outcome_count++] = outcome;
}

void mc_outcome(const int *digits, int count) {
    uint64_t outcome = 1;
    for (int i = 0; i < count && i < MAX_DIGITS; i++)
        outcome = outcome << 4 | ((unsigned)digits[i] & 15);
    add(outcome);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sort(void) {
    qsort(outcomes, (size_t)outcome_count, sizeof outcomes[0], compare);
}

/* Two searches with the same digest saw the same set. */
uint64_t outcome_digest(void) {
    uint64_t digest = UINT64_C(14695981039346656037);
    sort();
    for (int i = 0; i < outcome_count; i++)
        digest = (digest ^ outcomes[i]) * UINT64_C(1099511628211);
    return digest;
}

void outcome_print(void) {
    sort();
    printf("    outcomes:");
    for (int i = 0; i < outcome_count; i++) {
        char text[20];
        snprintf(text, sizeof text, "%llx", (unsigned long long)outcomes[i]);
        printf(" %s", text + 1);
    }
    putchar('\n');
}

/* Is the set seen exactly the one expected? A search that was stopped early need not have seen all of it. */
bool outcome_check(const char *expected, bool complete) {
    int named = 0;
    while (*expected) {
        uint64_t outcome = 1;
        for (; *expected && *expected != ' '; expected++) {
            char digit[2] = {*expected, 0};
            outcome = outcome << 4 | strtoul(digit, NULL, 16);
        }
        while (*expected == ' ')
            expected++;
        bool seen = false;
        for (int i = 0; i < outcome_count; i++)
            seen |= outcomes[i] == outcome;
        if (!seen && complete)
            return false;
        named += seen;
    }
    return named == outcome_count;
}
