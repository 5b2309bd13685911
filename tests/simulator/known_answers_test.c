/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The simulator gives the answers that are known from theory, and the same ones each time. */
#include <stdio.h>
#include <string.h>

#include "measure.h"

static int failures;

static void expect(bool condition, const char *what, double found) {
    printf("%s %s: %.3f\n", condition ? "ok    " : "FAILED", what, found);
    failures += !condition;
}

static struct sim_counts counts_of(const char *lock, enum load load, int processors) {
    return measure(find_workload(lock), load, processors, 1);
}

/* Remote references to anything but the guarded data, for one operation. */
static double remote_of(const char *lock, enum load load, int processors) {
    struct sim_counts counts = counts_of(lock, load, processors);
    uint64_t remote = 0;
    for (int kind = 0; kind < SIM_KINDS; kind++)
        remote += kind == SIM_DATA ? 0 : counts.remote[kind];
    return (double)remote / (double)counts.operations;
}

/* One processor alone takes no line from anybody. */
static void uncontended(void) {
    for (int i = 0; i < workload_count; i++) {
        double remote = remote_of(workloads[i].name, workloads[i].reads ? READERS : CROWD, 1);
        char what[80];
        snprintf(what, sizeof what, "%s alone", workloads[i].name);
        expect(remote == 0, what, remote);
    }
}

/* Each hand-over of a ticket lock is read by all who wait, and so is each new ticket, which is on the same line: the count
   grows as the waiters do, up to twice as many. (A little slower: who is still waiting for the line when it changes again
   fetches it once for both.) */
static void ticket_grows(void) {
    double at16 = remote_of("ticket", CROWD, 16), at32 = remote_of("ticket", CROWD, 32),
           at64 = remote_of("ticket", CROWD, 64);
    expect(at32 / at16 > 1.6 && at32 / at16 < 2.2, "ticket, 32 processors to 16", at32 / at16);
    expect(at64 / at32 > 1.6 && at64 / at32 < 2.2, "ticket, 64 processors to 32", at64 / at32);
    expect(at64 > 63 && at64 < 2 * 64 + 4, "ticket, 64 processors: one or two for each waiter", at64);
}

/* Each waiter of a queue lock spins on a line of its own. */
static void queues_do_not(void) {
    const char *const locks[] = {"mcs", "clh"};
    for (int i = 0; i < 2; i++) {
        double at4 = remote_of(locks[i], CROWD, 4), at64 = remote_of(locks[i], CROWD, 64);
        expect(at64 < at4 * 1.1 && at64 > at4 * 0.9, locks[i], at64 / at4);
        expect(at64 <= 6, locks[i], at64);
    }
}

/* Readers of a counter take its line from each other twice an operation; those of the table never; those of the plain lock stand
   aside for each other, so that two take it once for both, and many do not fetch it in vain for each that is there. */
static void readers(void) {
    double counter = remote_of("counter", READERS, 64), scalable = remote_of("plc_rwlock_scalable", READERS, 64);
    expect(counter > 1.9 && counter <= 2.0, "counter, 64 readers", counter);
    expect(scalable == 0, "plc_rwlock_scalable, 64 readers", scalable);
    double two = remote_of("plc_rwlock", READERS, 2), many = remote_of("plc_rwlock", READERS, 64);
    expect(two < 1.5, "plc_rwlock, 2 readers", two);
    expect(many < 24, "plc_rwlock, 64 readers", many);
}

/* Data that the holder reads and then writes comes from the one before: first to read and then to write, or at once, if the
   compiler announces only the write. */
static void data_moves_once(void) {
    struct sim_counts counts = counts_of("mcs", CROWD, 8);
    double moves = (double)counts.remote[SIM_DATA] / (double)counts.operations;
    expect((moves > 0.99 && moves < 1.01) || (moves > 1.99 && moves < 2.01), "guarded data, for each hand-over", moves);
}

static void same_seed_same_counts(void) {
    struct sim_counts first = counts_of("plc_mutex", MUTEX, 8), second = counts_of("plc_mutex", MUTEX, 8);
    expect(!memcmp(&first, &second, sizeof first), "plc_mutex twice: operations", (double)first.operations);
    struct sim_counts other = measure(find_workload("plc_mutex"), MUTEX, 8, 2);
    expect(memcmp(&first, &other, sizeof first) != 0, "plc_mutex with another seed: operations",
           (double)other.operations);
}

int main(void) {
    uncontended();
    ticket_grows();
    queues_do_not();
    readers();
    data_moves_once();
    same_seed_same_counts();
    printf("%d failed\n", failures);
    return failures != 0;
}
