/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a model-checked scenario says and may call: the public interface of the model checker. */
#ifndef PLC_MC_H
#define PLC_MC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A scenario is a small multi-threaded program. The checker runs it again and again, until it has seen every behaviour
   that the C11 memory model allows (or every one within the scenario's preemption bound). README.md explains how. */

enum { MC_MAX_THREADS = 6 };

/* How an execution can go wrong. A scenario that is broken on purpose names what must be found in it. */
enum mc_failure {
    MC_PASS,
    MC_RACE,           /* two unordered accesses, at least one of them plain and at least one of them a write */
    MC_USE_AFTER_FREE, /* a touch of an object after mc_lifetime_end */
    MC_DEADLOCK,       /* nobody can move, and somebody waits: a deadlock or a lost wake-up */
    MC_ASSERTION,      /* MC_ASSERT, or an outcome that is not in the scenario's list */
    MC_CRASH,          /* an access to an address where nothing is */
    MC_STEP_BOUND,     /* an execution that does not end: a livelock, or an unbounded spin */
    MC_MODEL_LIMIT,    /* the checker itself has no room or does not model this; never counts as a finding */
};

struct mc_scenario {
    const char *name;
    int threads;
    void (*setup)(void);      /* before the threads; static data is fresh anyway, so most need none */
    void (*thread)(int self); /* the body of every thread, numbered from 0 */
    void (*finish)(void);     /* after all threads have ended: the place for assertions on the result */
    void (*invariant)(void);  /* after every step; reads memory as it is in modification order */

    enum mc_failure expect; /* what must be found; MC_PASS: nothing */
    const char *says;       /* with it: what its message must contain */
    const char *outcomes;   /* the exact set of MC_OUTCOMEs, e.g. "00 01 11"; null: not compared */
    bool compare_naive;     /* search without reduction too, and demand the same outcomes */

    /* How far to search. Zero is the default everywhere. */
    int preemptions;         /* at most this many preemptions; 0: no bound, exhaustive */
    int stale;               /* with a bound on preemptions: at most this many uses of a store that is not the newest */
    int spurious;            /* at most this many futex waits that return for no reason (EINTR is one) */
    int weak_failures;       /* at most this many weak compare-exchanges that fail for no reason (gcc only) */
    int clock_jumps;         /* at most this many readings of the clock that find it far ahead */
    int page_failures;       /* at most this many times there are no pages */
    uint64_t max_executions; /* stop there; 0: no limit */
    uint64_t executions;     /* goes on for as many, whatever limit the command line sets: its end is worth the wait */
};

/* A scenario file ends with MC_SCENARIOS({...}, {...}). */
#define MC_SCENARIOS(...)                                                                                              \
    const struct mc_scenario mc_scenarios[] = {__VA_ARGS__};                                                           \
    const int mc_scenario_count = (int)(sizeof mc_scenarios / sizeof mc_scenarios[0])
extern const struct mc_scenario mc_scenarios[];
extern const int mc_scenario_count;

/* The whole program but for the scenarios; main.c of each scenario's executable calls it. */
int mc_main(int argc, char **argv, const struct mc_scenario *scenarios, int count);

/* ---- For scenarios */

#define MC_ASSERT(condition) ((condition) ? (void)0 : mc_fail(MC_ASSERTION, #condition, __FILE__, __LINE__))
void mc_fail(enum mc_failure failure, const char *what, const char *file, int line);

/* Records the outcome of an execution as digits 0 to 15, written in hexadecimal in .outcomes. Call it in finish. */
#define MC_OUTCOME(...) mc_outcome((const int[]){__VA_ARGS__}, (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))
void mc_outcome(const int *digits, int count);

/* The calling thread's number; 0 in setup and finish. */
int mc_self(void);

/* How many threads the scenario has. */
int mc_thread_count(void);

/* One of 0 .. n-1; the search tries all of them. */
int mc_choose(int n);

/* Lets others go first: returns only after somebody has changed something that this thread has not yet had the chance
   to see. Every loop that waits for another thread needs one, or its executions never end. */
void mc_yield(void);

/* An ideal lock at this address: no memory behind it, never fails, orders critical sections. */
void mc_lock(const void *lock);
void mc_unlock(const void *lock);
bool mc_try_lock(const void *lock);
bool mc_is_locked(const void *lock); /* for invariants */

/* The object is dead: any later touch is reported, until it is written anew by someone who knows of its death. */
void mc_lifetime_end(const void *object, size_t size);

/* A named place where a bug can be put in: false, but in the mutant of that name. See README.md on mutation. */
bool mc_mutation(const char *name);

/* ---- For the model of the operating system. site: the return address to be shown as the place of the call. */

enum mc_wait_result { MC_WOKEN, MC_CHANGED, MC_SPURIOUS, MC_TIMED_OUT };
#define MC_NEVER INT64_MAX
enum mc_wait_result mc_futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline, const void *site);
void mc_futex_wake(const uint32_t *word, int count, const void *site);
/* The same for one who names some bits; a wake goes to all that name one of its bits. The two above name them all. */
enum mc_wait_result mc_futex_wait_bits(const uint32_t *word, uint32_t expected, uint32_t bits, int64_t deadline,
                                       const void *site);
void mc_futex_wake_bits(const uint32_t *word, uint32_t bits, const void *site);

/* As if every other thread passed a seq_cst fence right now, wherever it is, and the caller two: one before, one after.
   The others' fences order only what seq_cst fences order; they neither acquire nor release. */
void mc_process_barrier(const void *site);

/* Virtual nanoseconds; they pass only when a wait times out, or in a clock jump. */
int64_t mc_now(const void *site);

void mc_lifetime_end_at(const void *object, size_t size, const void *site);

/* Zeroed memory that lasts until the end of the execution; null if there is none, which is a choice (page_failures). */
void *mc_pages(size_t size);

/* These pages read as zero in the child of a fork. */
void mc_wipe_on_fork(void *pages, size_t size);

/* The calling thread goes on as the only one of a forked process: the others are gone, wherever they were; memory is as
   it was at that moment, but for the pages that are to be wiped if `wipes`. */
void mc_fork(bool wipes);

#endif
