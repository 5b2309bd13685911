/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state of the checker, and what its files offer each other. */
#ifndef PLC_MC_INTERNAL_H
#define PLC_MC_INTERNAL_H

#include "mc.h"

#if defined(PLC_MODEL_COVERAGE)
extern char mc_coverage_begin[], mc_coverage_end[]; /* of the executable: coverage.ld */
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

enum {
    MAX_LOCATIONS = 64, /* atomic objects that one execution touches */
    MAX_STORES = 64,    /* stores to one of them, in one execution: a bit each in struct choices */
    MAX_STEPS = 3000,   /* steps of one execution; more count as a livelock */
    MAX_IDEAL_LOCKS = 16,
};

/* As in the calls that the compiler emits. */
enum order { RELAXED, CONSUME, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST };

/* ---- Views */

/* What a thread knows, or what a store hands on. clock is a vector clock: the last step of each thread that happened
   before. seen has for each location the stamp of the newest store known: reads and writes may not fall behind it. */
struct view {
    uint32_t clock[MC_MAX_THREADS];
    uint32_t seen[MAX_LOCATIONS];
};

/* ---- Operations */

enum kind {
    OP_START, /* the thread has not run yet, or has just been woken: a step that touches nothing */
    OP_LOAD,
    OP_STORE,
    OP_RMW,
    OP_CAS,
    OP_FENCE,
    OP_PROCESS_BARRIER,
    OP_FUTEX_WAIT,
    OP_SLEEP, /* inside futex wait: can move only by timing out */
    OP_FUTEX_WAKE,
    OP_LOCK,
    OP_TRY_LOCK,
    OP_UNLOCK,
    OP_YIELD,
    OP_CHOOSE,
    OP_CLOCK,
    OP_FORK,
    OP_DONE,
};

enum rmw { RMW_EXCHANGE, RMW_ADD, RMW_SUB, RMW_AND, RMW_OR, RMW_XOR, RMW_NAND };

/* What a thread is about to do. Filled in by its own fiber, executed when the search picks the thread. */
struct operation {
    enum kind kind;
    uint8_t order, failure_order, rmw, size, location;
    bool weak, success;
    uintptr_t address;
    uint64_t operand, expected, result;
    int64_t deadline;
    uint32_t bits; /* of a futex call */
    const void *site;
};

/* The ways in which a pending operation can go: bit i of normal is "use store i" (of a choose: alternative i). Bit i of
   odd is the rare variant: a weak compare-exchange fails on store i; a futex wait returns at once; the clock jumps. */
struct choices {
    uint64_t normal, odd;
};

struct choice {
    uint8_t index;
    bool odd;
};

/* ---- Threads */

struct thread {
    void *stack_pointer;
    struct operation op;
    struct view current;    /* what happened before the thread's next step */
    struct view acquirable; /* what an acquire fence would add: all that its relaxed loads could have acquired */
    struct view released;   /* as of the last release fence: what a relaxed store hands on */
    uint64_t own_changes;   /* this thread's part of mc.changes */
    uint64_t changes_seen;  /* the others' part of mc.changes at its last yield */
    bool has_yielded;
};

/* ---- Locations */

struct store {
    uint64_t value;
    uint32_t stamp;       /* position in modification order */
    uint32_t step;        /* when it was made, for the trace; 0: before the threads */
    bool taken;           /* a read-modify-write read it, so nothing may come between the two */
    struct view released; /* what acquiring it gives */
};

struct location {
    uintptr_t address;
    uint8_t size, count, newest;
    bool contended; /* contention.c */
    bool reload;    /* plain code wrote the object since: its history begins anew with what is in memory */
    uint32_t last_stamp;
    struct store stores[MAX_STORES];
};

/* ---- The search tree: one node for each step of the current execution at which there was a choice */

struct alternative {
    uint8_t thread;
    struct choices todo;
};

struct node {
    uint8_t count, at; /* alternatives, and which one is being explored */
    struct choice choice;
    struct alternative alternatives[MC_MAX_THREADS];
    struct choices sleeping[MC_MAX_THREADS]; /* what need not be tried here: it leads nowhere new */
};

struct sleeper {
    uintptr_t address;
    int thread;
    uint32_t bits;
};

struct ideal_lock {
    uintptr_t address;
    bool held;
    int holder;
    struct view view;
};

/* ---- Everything */

struct options {
    bool naive, verbose, list, list_sites, mutate, until_failure;
    int preemptions, stale, spurious, weak_failures, clock_jumps, stop_at;
    uint64_t max_executions, at_most;
    double seconds, rate;
    const char *only, *replay, *stats, *killed, *wanted, *sites, *sites_under, *explain;
};

struct statistics {
    uint64_t executions, blocked, steps;
    double seconds;
    bool complete;
};

enum mode {
    MODE_DIRECT, /* setup, finish, or outside of any execution: hooks act on memory at once */
    MODE_MODEL,
};

struct checker {
    enum mode mode;
    int current; /* thread */
    int threads;
    struct thread thread[MC_MAX_THREADS];
    struct location locations[MAX_LOCATIONS];
    int location_count;
    uint32_t sequential[MAX_LOCATIONS]; /* the floor that seq_cst fences and accesses agree on */

    struct sleeper sleepers[MC_MAX_THREADS];
    int sleeper_count;
    struct ideal_lock locks[MAX_IDEAL_LOCKS];
    int lock_count;
    int64_t now;
    uint64_t changes; /* steps that a waiting loop might notice */
    int stale_used, spurious_used, weak_failures_used, clock_jumps_used, page_failures_used;

    struct node nodes[MAX_STEPS + 1];
    int node_count, position; /* of the tree's current path; how much of it this execution has followed */
    int step;                 /* steps so far, those without a choice included */
    int last, preemptions;    /* the thread that moved last; preemptions so far */
    struct choices sleeping[MC_MAX_THREADS];

    void *main_stack_pointer;
    bool sleep_blocked;
    enum mc_failure failure;
    char message[512];
    const void *message_sites[2]; /* code addresses that belong to the message */

    const struct mc_scenario *scenario;
    struct options options;
    struct statistics statistics;
    bool tracing, exploring;
    bool restart; /* the search has to begin again: contention.c */
};
extern struct checker mc;

/* fiber.c */
void fiber_init(void);
void fiber_prepare(int fiber, void (*entry)(void));
void *fiber_stack_pointer(int fiber);
void fiber_switch(void **save, void *to);
bool fiber_owns(uintptr_t address);
enum { FIBER_OUTSIDE = MC_MAX_THREADS }; /* runs setup and finish */

/* view.c */
void view_join(struct view *into, const struct view *from);

/* memory.c */
bool order_acquires(int order);
bool order_releases(int order);
void memory_reset(void);
uint8_t memory_location(uintptr_t address, uint8_t size);
void memory_forget(uint8_t location);
struct choices memory_choices(const struct thread *thread, const struct operation *op);
void memory_execute(struct thread *thread, struct operation *op, struct choice choice);
void memory_fence(struct thread *thread, int order);
void memory_process_barrier(struct thread *thread);
void note_change(struct thread *thread);
uint64_t memory_read(uintptr_t address, uint8_t size);
void memory_write(uintptr_t address, uint8_t size, uint64_t value);
uint64_t memory_apply(int rmw, uint64_t old, uint64_t operand, uint8_t size);
struct location *memory_refreshed(uint8_t location);

/* race.c */
void race_reset(void);
void race_plain(uintptr_t address, size_t size, bool write, const void *site);
void race_atomic(const struct operation *op, bool writes);
void race_lifetime_end(uintptr_t address, size_t size, const void *site);
uint8_t *race_location_slot(uintptr_t address);

/* os.c */
void os_reset(void);
struct choices os_choices(int thread);
void os_execute(int thread, struct choice choice);

/* fork.c */
void fork_reset(void);
void fork_execute(int self, const struct operation *op);

/* operation.c */
struct operation *operation_begin(enum kind kind, const volatile void *address, uint8_t size, int order,
                                  const void *site);
uint64_t operation_run(void);
struct choices operation_choices(int thread);
void operation_execute(int thread, struct choice choice);
bool operation_writes(const struct operation *op);
bool operation_dependent(const struct operation *a, const struct operation *b);
const char *operation_name(const struct operation *op);
const char *order_name(int order);

/* schedule.c */
struct choices choices_without(struct choices a, struct choices b);
bool choices_any(struct choices a);
void schedule_begin(void);
void schedule_from_fiber(void **save);
void schedule_step_at_once(struct choice choice);
bool schedule_backtrack(void);
void schedule_print(void);
bool schedule_parse(const char *text);

/* explore.c */
bool explore(void);
void explore_contention(void);
void explain_failure(void);
void explore_once(void);
_Noreturn void execution_failed(enum mc_failure failure, const void *site, const void *other, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void execution_leave(void);

/* contention.c */
void contention_reset(void);
bool contention_known(uintptr_t address);
_Noreturn void contention_found(uintptr_t address);
void contention_everywhere(void);
void contention_print(void);
const char *contention_parse(const char *text);

/* crash.c */
void crash_init(void);

/* outcome.c */
void outcome_reset(void);
bool outcome_check(const char *expected, bool complete);
uint64_t outcome_digest(void);
void outcome_print(void);

/* static_data.c */
void static_data_init(void);
void static_data_restore(void);
void static_data_dirty(uintptr_t address, size_t size);

/* Is this a counter of scripts/model-coverage? They are no data of the program: they outlive executions, and counting
   is no access. coverage.ld puts them all into one place, which is empty in other builds. */
static inline bool coverage_owns(uintptr_t address) {
#if defined(PLC_MODEL_COVERAGE)
    return address - (uintptr_t)mc_coverage_begin < (size_t)(mc_coverage_end - mc_coverage_begin);
#else
    (void)address;
    return false;
#endif
}

/* trace.c */
void trace_reset(void);
void trace_step(int thread, const struct operation *before, struct choice choice);
void trace_print(void);
const char *failure_name(enum mc_failure failure);

/* symbol.c */
struct place {
    char text[160]; /* file:line, the file relative to the source tree */
};
void symbol_resolve(const void *const *sites, int count, struct place *places);

/* mutate.c */
int mutate_order(int order, enum kind kind, bool failure, const void *site);
bool mutate_drops_wake(const void *site);
void mutate_begin_recording(void);
void mutate_end_recording(void);
void mutate_note_recorded(void);
int mutate_scenario(void);
bool is_finding(enum mc_failure failure); /* a bug of the code under test: no pass, no step bound, no model limit */
void mutate_list(void);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
