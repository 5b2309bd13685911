/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a measured loop sees of the harness, in C so that loops written in Rust see the same. */
#ifndef PLC_BENCH_ABI_H
#define PLC_BENCH_ABI_H

#include <stdint.h>

/* A peer is a table of kernels. A kernel is a whole measured loop, compiled where the peer's fast path can be inlined
   into it as its own users have it: a template in C++, a generic function in Rust. peers/rust/abi.rs mirrors this file.
 */
#ifdef __cplusplus
extern "C" {
#endif

/* One thread of a run; its own cache lines. */
struct plc_bench_worker {
    uint64_t index;
    uint64_t operations; /* what the loop did until it saw `stop` */
    uint64_t reads;      /* how many of them were reads, for read-write locks */
    uint64_t random;     /* state of plc_bench_random, seeded by the harness */
    void *waits;         /* where plc_bench_record_wait counts; null in an untimed run */
};

/* What one run is about; the same for all its threads. */
struct plc_bench_job {
    void *object;          /* made by the kernel's create */
    uint64_t workers;      /* threads of this run */
    uint64_t section;      /* turns of the delay loop with the lock held */
    uint64_t outside;      /* turns without it */
    uint64_t writes;       /* share of writes in 1/1024 */
    uint64_t producers;    /* the first workers produce, broadcast or write; the others consume, wait or read */
    uint64_t capacity;     /* of a queue */
    uint64_t notify_under; /* 1: notify while the lock is held */
    uint64_t timed;        /* 1: record each wait for the lock */
    uint64_t locks;        /* how many of them, where an operation chooses one */
    const uint16_t *picks; /* 65,536 of their indices, each as often as it is popular */
    uint64_t turns;        /* operations of a thread that does not wait for `stop` */
    uint64_t pause_ns;     /* how long a producer sleeps before each item; 0: not at all */
    uint8_t padding_[24];  /* `stop` shares no line with an object that is written */
    uint32_t stop;         /* set once by the harness; read relaxed */
    uint8_t padding_end_[124];
};

/* A loop over one thread: does `n` operations on an object of its own. */
typedef void (*plc_bench_loop)(uint64_t n);

struct plc_bench_kernel {
    void *(*create)(const struct plc_bench_job *job);
    /* Runs in each thread until `stop`. */
    void (*work)(struct plc_bench_job *job, struct plc_bench_worker *self);
    /* Frees the object; returns the counter that the lock guarded, which must equal the sum of the operations that
       wrote. */
    uint64_t (*destroy)(void *object);
};

/* Null members: the peer has no such thing. */
struct plc_bench_peer {
    const char *name;
    plc_bench_loop lock_unlock;
    plc_bench_loop try_lock_unlock;
    plc_bench_loop try_lock_held;
    plc_bench_loop read_unlock;
    plc_bench_loop write_unlock;
    plc_bench_loop once_done;
    struct plc_bench_kernel mutex;
    struct plc_bench_kernel million;
    struct plc_bench_kernel zipf;
    struct plc_bench_kernel rwlock;
    struct plc_bench_kernel rwlock_sides;
    struct plc_bench_kernel once;
    struct plc_bench_kernel condvar_ping_pong;
    struct plc_bench_kernel park_ping_pong;
    struct plc_bench_kernel queue;
    struct plc_bench_kernel broadcast;
    struct plc_bench_kernel brief;           /* for a thread of a short life */
    struct plc_bench_kernel relay;           /* parkers, each at an address of its own */
    struct plc_bench_kernel collision;       /* the same, and all addresses in one bucket of the peer's table */
    struct plc_bench_kernel crowd;           /* of parkers, and one thread that watches what their number does to it */
    plc_bench_loop permit;                   /* unpark of oneself, and the park that takes the permit */
    plc_bench_loop unpark_awake;             /* of a thread that does not sleep, and has its permit */
    plc_bench_loop park_permit;              /* a park that takes a permit, which a plain store has left */
    plc_bench_loop block_on;                 /* a task that wakes itself once */
    plc_bench_loop register_and_wake;        /* a place for a waker */
    struct plc_bench_kernel token_ping_pong; /* by the permits of threads */
    struct plc_bench_kernel block_on_ping_pong; /* by two tasks, each run by a thread of its own */
    struct plc_bench_kernel spawn; /* a task that spawns a task and waits for it, on a runtime of two threads */
    struct plc_bench_kernel echo;  /* TCP on the loopback interface; the object begins as plc_bench_echo_server */
};

/* Busy for `turns` turns of a loop that is calibrated once per process and the same machine code for all peers. */
void plc_bench_delay(uint64_t turns);
/* Monotonic time. */
uint64_t plc_bench_now_ns(void);
/* Says that a lock let the wrong threads in, and aborts. */
void plc_bench_broken(const char *what);
/* Another address, never dereferenced, that shares a bucket with all others from here, where a bucket is the upper bits of
   the address times 2^64 / golden ratio. */
uintptr_t plc_bench_colliding_key(void);
/* Sleeps. */
void plc_bench_pause(uint64_t ns);
/* Counts one wait for a lock. */
void plc_bench_record_wait(struct plc_bench_worker *self, uint64_t ns);

/* What the kernel of `echo` makes: a server, which closes a connection when the client does. */
struct plc_bench_echo_server {
    uint64_t answers; /* that clients have got */
    uint64_t port;
};
/* Its work: as many connections as the job's capacity; each sends a message, and then all read the answers and check them. */
void plc_bench_echo_client(struct plc_bench_job *job, struct plc_bench_worker *self);

#ifdef __cplusplus
}
#endif
#endif
