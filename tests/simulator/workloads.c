/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The bodies of the simulated threads: libplc's locks and the textbooks', in loops. Instrumented, as the locks are. */
#include "workloads.h"

#include <plc/mutex.h>
#include <plc/rwlock.h>
#include <plc/rwlock_scalable.h>
#include <stdio.h>
#include <stdlib.h>

#include "parking_lot/table_state.h"
#include "textbook.h"

static enum load load;

/* Each in lines of its own. */
static struct {
    uint64_t counter OWN_LINE;
    uint64_t mirror;
} data;
static struct test_and_set flag_lock;
static struct ticket ticket;
static struct queue_lock mcs, clh;
static struct queue_node nodes[SIM_MAX_PROCESSORS + 1];
static struct { plc_mutex_t lock OWN_LINE; } mutex;
static struct { plc_rwlock_t lock OWN_LINE; } rwlock;
static struct { plc_rwlock_scalable_t lock OWN_LINE; } scalable;

enum { SECTION_NS = 100, WRITE_ONE_IN = 1000 };

static void broken(const char *what) {
    fprintf(stderr, "simulator: %s\n", what);
    abort();
}

static void change_data(void) {
    data.counter++;
    sim_work(SECTION_NS);
    data.mirror++;
}

static void read_data(void) {
    uint64_t seen = data.counter;
    sim_work_about(SECTION_NS);
    if (seen != data.mirror)
        broken("a reader was let in beside a writer");
}

static void outside(void) {
    sim_operation_done();
    if (load == MUTEX)
        sim_work_about((int64_t)SECTION_NS * sim_processors());
}

/* One loop for each lock: the compiler sees what is locked. */
#define MUTEX_BODY(name, take, give)                                                                                   \
    static void name(int self) {                                                                                       \
        (void)self;                                                                                                    \
        while (sim_goes_on()) {                                                                                        \
            take;                                                                                                      \
            change_data();                                                                                             \
            give;                                                                                                      \
            outside();                                                                                                 \
        }                                                                                                              \
    }
MUTEX_BODY(test_and_set_body, test_and_set_lock(&flag_lock), test_and_set_unlock(&flag_lock))
MUTEX_BODY(backoff_body, backoff_lock(&flag_lock), test_and_set_unlock(&flag_lock))
MUTEX_BODY(ticket_body, ticket_lock(&ticket), ticket_unlock(&ticket))
MUTEX_BODY(mcs_body, mcs_lock(&mcs, &nodes[self]), mcs_unlock(&mcs, &nodes[self]))
MUTEX_BODY(futex_body, futex_lock(&flag_lock), futex_unlock(&flag_lock))
MUTEX_BODY(plc_mutex_body, plc_mutex_lock(&mutex.lock), plc_mutex_unlock(&mutex.lock))

static void clh_body(int self) {
    struct queue_node *mine = &nodes[self];
    while (sim_goes_on()) {
        struct queue_node *before = clh_lock(&clh, mine);
        change_data();
        clh_unlock(mine);
        mine = before;
        outside();
    }
}

#define READ_BODY(name, read_lock, read_unlock, write_lock, write_unlock)                                              \
    static void name(int self) {                                                                                       \
        (void)self;                                                                                                    \
        while (sim_goes_on()) {                                                                                        \
            if (load == WRITES && sim_random(WRITE_ONE_IN) == 0) {                                                     \
                write_lock;                                                                                            \
                change_data();                                                                                         \
                write_unlock;                                                                                          \
            } else {                                                                                                   \
                read_lock;                                                                                             \
                read_data();                                                                                           \
                read_unlock;                                                                                           \
            }                                                                                                          \
            outside();                                                                                                 \
        }                                                                                                              \
    }
READ_BODY(counter_body, counter_read_lock(&flag_lock), counter_read_unlock(&flag_lock), broken("a writer"), (void)0)
READ_BODY(rwlock_body, plc_rwlock_read_lock(&rwlock.lock), plc_rwlock_read_unlock(&rwlock.lock),
          plc_rwlock_write_lock(&rwlock.lock), plc_rwlock_write_unlock(&rwlock.lock))
READ_BODY(scalable_body, plc_rwlock_scalable_read_lock(&scalable.lock), plc_rwlock_scalable_read_unlock(&scalable.lock),
          plc_rwlock_scalable_write_lock(&scalable.lock), plc_rwlock_scalable_write_unlock(&scalable.lock))

const struct workload workloads[] = {
    {"test-and-set", false, test_and_set_body},
    {"backoff", false, backoff_body},
    {"ticket", false, ticket_body},
    {"mcs", false, mcs_body},
    {"clh", false, clh_body},
    {"futex", false, futex_body},
    {"plc_mutex", false, plc_mutex_body},
    {"counter", true, counter_body},
    {"plc_rwlock", true, rwlock_body},
    {"plc_rwlock_scalable", true, scalable_body},
};
const int workload_count = (int)(sizeof workloads / sizeof workloads[0]);

void workloads_begin(enum load wanted) {
    load = wanted;
    clh.tail = &nodes[SIM_MAX_PROCESSORS];
    sim_name(&data, sizeof data, SIM_DATA);
    sim_name(&flag_lock, sizeof flag_lock, SIM_LOCK);
    sim_name(&ticket, sizeof ticket, SIM_LOCK);
    sim_name(&mcs, sizeof mcs, SIM_LOCK);
    sim_name(&clh, sizeof clh, SIM_LOCK);
    sim_name(&mutex, sizeof mutex, SIM_LOCK);
    sim_name(&rwlock, sizeof rwlock, SIM_LOCK);
    sim_name(&scalable, sizeof scalable, SIM_LOCK);
    sim_name(nodes, sizeof nodes, SIM_NODE);
    sim_name(plc_current_table()->buckets, plc_bucket_table_size() * sizeof(struct plc_bucket), SIM_BUCKET);
    system_name();
}

void workloads_check(void) {
    if (data.counter != data.mirror)
        broken("the guarded data is not whole");
}
