/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The memory in which a process gathers its profile, and which plc-run reads: of a fixed layout and a bounded size. */
#ifndef PLC_PROFILE_REGION_H
#define PLC_PROFILE_REGION_H

#include <plc/detail/config.h>

/* The region is a file without a name (memfd_create) that the process shares with plc-run. So whatever was gathered
   survives the process, however it ends, and the process itself never writes a report, installs no handler and opens no
   file. Pages that are not used take no memory.

   Everything in it is inserted and never removed, by operations that need no lock: a thread that dies, or is cancelled,
   or whose process forks, in the midst of one cannot block others. Numbers are added up without any order between them,
   so that a report which is made while the program runs may be off by what happens meanwhile.

   tools/plc_profile/region.py reads this layout: change both, and PROFILE_VERSION. */
#define PROFILE_MAGIC UINT64_C(0x31464f5250434c50) /* "PLCPROF1" */
enum {
    PROFILE_VERSION = 1,
    PROFILE_LOCKS = 1000000,      /* this many objects are told apart */
    PROFILE_WIDE_LOCKS = 1 << 16, /* the first of them do not share lines of cache */
    PROFILE_INDEX = 1 << 21,      /* slots of the index of the objects */
    PROFILE_WAITS = 4096,         /* this many objects have details of waits */
    PROFILE_BUCKETS = 224,        /* of a histogram */
    PROFILE_SITES = 1 << 14,      /* pairs of an object and a stack */
    PROFILE_STACK_WORDS = 1 << 18,
    PROFILE_STACK_INDEX = 1 << 14,
    PROFILE_STACK_DEPTH = 48,
    PROFILE_MODULES = 1024,
    PROFILE_NAME_SIZE = 48,
};

/* What every object has. `object` is written once; the numbers of a mutex by its holder, those of a rwlock and a
   cond by atomic operations. */
struct profile_lock {
    uint64_t object;       /* its address */
    uint64_t acquisitions; /* of a cond: waits */
    uint64_t since;        /* in ticks: when the thread that excludes all others took it; 0: nobody, or readers */
    uint64_t longest_hold; /* in ticks */
    uint32_t hold_stack;   /* where the longest hold ended, if it was long */
    uint32_t origin;       /* a stack: where it was initialised, or else used first */
    uint32_t lives;        /* how often this address was initialised */
    uint16_t waits;        /* its details; 0: nobody has waited yet */
    uint8_t type;          /* enum observe_type */
    uint8_t kind;          /* PROFILE_* flags and a kind */
};
PLC_STATIC_ASSERT(sizeof(struct profile_lock) == 48, "1,000,000 locks fit into 64 MiB");
enum { PROFILE_WIDE_STRIDE = 64 };

enum {
    PROFILE_KIND = 0x0f,        /* a mutex's type (normal, recursive, error-checking, adaptive), a rwlock's kind */
    PROFILE_FOREIGN = 0x10,     /* glibc serves it: process-shared, robust, priority-inheriting or -protecting */
    PROFILE_INITIALISED = 0x20, /* by its init function; else statically, and `origin` is the first use */
    PROFILE_DESTROYED = 0x40,
};

/* What objects have for which somebody has waited. Number 0 belongs to all for which there was no room. */
struct profile_waits {
    uint64_t object;
    uint64_t count; /* of waits that are over */
    uint64_t total; /* in ticks, as all times here */
    uint64_t longest;
    uint64_t held;         /* how long it was held in all, since it has details */
    uint64_t acquisitions; /* when another object took its address over; 0 before that */
    uint64_t notified;     /* of a cond: signals and broadcasts */
    uint32_t longest_stack;
    uint32_t waiting;  /* right now */
    uint32_t timeouts; /* waits that ended without the lock */
    uint32_t origin;
    uint8_t type;
    uint8_t kind;
    char name[PROFILE_NAME_SIZE];
    uint8_t is_being_named;
    uint8_t unused[5];
    uint32_t buckets[PROFILE_BUCKETS]; /* waits by their length: see profile_bucket() */
};
PLC_STATIC_ASSERT(sizeof(struct profile_waits) == 1024, "details without gaps");

/* Who waited for what. `weight` and `ticks` are estimates where short waits are sampled. */
struct profile_site {
    uint64_t key; /* the number of the waits << 32 | the stack */
    uint64_t weight;
    uint64_t ticks;
};

/* A part of the address space that a file is mapped to. */
struct profile_module {
    uint64_t begin;
    uint64_t end;
    uint64_t offset;
    char path[232]; /* empty until the rest is there */
};

struct profile_header {
    uint64_t magic;
    uint32_t version;
    uint32_t pid;
    uint32_t parent;
    uint32_t is_forked;               /* else it began with an exec */
    uint64_t start_ticks, start_ns;   /* CLOCK_MONOTONIC */
    uint64_t latest_ticks, latest_ns; /* plc-run writes these before it reads */
    /* How much is in use; more than there is room for if some of it was dropped. */
    uint32_t locks, waits, sites, stack_words, modules;
    uint32_t unused;
    /* What was dropped. */
    uint64_t dropped_acquisitions; /* of objects for which there was no room */
    uint64_t dropped_locks;        /* such objects, each counted once for every init or, without one, for every use */
    uint64_t dropped_waits;        /* waits that went to number 0 */
    uint64_t dropped_stacks;
    uint64_t dropped_sites;
    char command[256]; /* the arguments, each followed by a zero */
};

struct profile_region {
    struct profile_header header;
    uint8_t padding[4096 - sizeof(struct profile_header)];
    struct profile_module modules[PROFILE_MODULES];
    uint64_t stacks[PROFILE_STACK_WORDS];      /* depth | hash << 32, and the addresses; the first word is not used */
    uint32_t stack_index[PROFILE_STACK_INDEX]; /* into stacks */
    struct profile_site sites[PROFILE_SITES];
    struct profile_waits waits[PROFILE_WAITS];
    uint32_t index[PROFILE_INDEX]; /* of locks, by their address; 0 is free */
    uint8_t locks[(size_t)PROFILE_WIDE_LOCKS * PROFILE_WIDE_STRIDE +
                  (size_t)(PROFILE_LOCKS + 1 - PROFILE_WIDE_LOCKS) * sizeof(struct profile_lock)];
};
PLC_STATIC_ASSERT(sizeof(struct profile_region) < (size_t)64 << 20, "the profile of a process stays below 64 MiB");

/* Null before the first; then it stays where it is, in the children of a fork, too. */
extern struct profile_region *profile_region __attribute__((visibility("hidden")));

/* Makes the region and gives it to plc-run, which listens on this socket. False, and a message, if it cannot. */
bool profile_region_start(const char *socket_name);

/* In the child of a fork: a region of its own, empty. */
void profile_region_after_fork(void);

/* ---- What the tables share */

static inline uint32_t profile_hash(uint64_t value) {
    return (uint32_t)((value * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* The bucket of a wait: eight for each doubling of its length, from 2^8 to 2^36 ticks. */
static inline unsigned profile_bucket(uint64_t ticks) {
    enum { LEAST_LOG2 = 8, STEPS_LOG2 = 3 };
    if (ticks < (1u << LEAST_LOG2))
        return 0;
    unsigned log2 = 63u - (unsigned)__builtin_clzll(ticks);
    unsigned step = (unsigned)(ticks >> (log2 - STEPS_LOG2)) & ((1u << STEPS_LOG2) - 1);
    unsigned bucket = ((log2 - LEAST_LOG2) << STEPS_LOG2) + step;
    return bucket < PROFILE_BUCKETS ? bucket : PROFILE_BUCKETS - 1;
}

#endif
