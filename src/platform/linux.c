/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of the platform layer that are Linux's own: futexes, processors, pages wiped on fork. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <plc/detail/atomic.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/platform.h"

#define NS_PER_SECOND INT64_C(1000000000)

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* ---- Futex */

/* The kernel's two layouts of a time, never libc's: on 32-bit machines libc's timespec may be either. */
struct timespec64 {
    int64_t seconds;
    int64_t nanoseconds;
};
struct timespec_long {
    long seconds;
    long nanoseconds;
};

/* The system call itself; returns its result or the negative error. Without a call where that is possible: a thread comes back from here
   after others have run, when each return that is still to come is mispredicted (parking_lot/park.c, nap). */
#if defined(__x86_64__) && defined(__LP64__)
static inline long futex(uint32_t *word, long operation, unsigned long value, const void *time, unsigned long bits) {
    register const void *fourth __asm__("r10") = time;
    register unsigned long fifth __asm__("r8") = 0;
    register unsigned long sixth __asm__("r9") = bits;
    long result;
    __asm__ __volatile__("syscall"
                         : "=a"(result)
                         : "0"((long)SYS_futex), "D"(word), "S"(operation), "d"(value), "r"(fourth), "r"(fifth),
                           "r"(sixth)
                         : "rcx", "r11", "cc", "memory");
    return result;
}
#else
static long futex(uint32_t *word, int operation, uint32_t value, const void *time, uint32_t bits) {
    int saved_errno = errno;
    long result = syscall(SYS_futex, word, operation, value, time, NULL, bits);
    if (result == -1)
        result = -errno;
    errno = saved_errno;
    return result;
}
#endif

static long futex_wait_long(uint32_t *word, int operation, uint32_t expected, int64_t deadline_ns, uint32_t bits) {
    struct timespec_long deadline = {0, 0};
    int64_t seconds = deadline_ns / NS_PER_SECOND;
    /* A 32-bit kernel without 64-bit time: later than it can say means as late as it can; the caller loops. */
    deadline.seconds = seconds > __LONG_MAX__ ? __LONG_MAX__ : (long)seconds;
    deadline.nanoseconds = (long)(deadline_ns % NS_PER_SECOND);
    return futex(word, operation, expected, deadline_ns == INT64_MAX ? NULL : &deadline, bits);
}

static long futex_wait(uint32_t *word, int operation, uint32_t expected, int64_t deadline_ns, uint32_t bits) {
#ifdef SYS_futex_time64
    struct timespec64 deadline = {deadline_ns / NS_PER_SECOND, deadline_ns % NS_PER_SECOND};
    int saved_errno = errno;
    long result =
        syscall(SYS_futex_time64, word, operation, expected, deadline_ns == INT64_MAX ? NULL : &deadline, NULL, bits);
    if (result == -1)
        result = -errno;
    errno = saved_errno;
    if (result != -ENOSYS)
        return result;
#endif
    return futex_wait_long(word, operation, expected, deadline_ns, bits);
}

bool plc_os_futex_wait_bits(uint32_t *word, uint32_t expected, uint32_t bits, plc_deadline_t deadline) {
    int operation = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG;
    if (deadline.clock == PLC_CLOCK_REALTIME && !plc_deadline_is_never(deadline))
        operation |= FUTEX_CLOCK_REALTIME;
    /* The kernel refuses negative times; they are past on either clock. */
    bool timed_out = deadline.ns <= 0 || futex_wait(word, operation, expected, deadline.ns, bits) == -ETIMEDOUT;
    /* Some kernels and emulators wake a little early: the clock decides. */
    return !(timed_out && plc_deadline_has_passed(deadline));
}

bool plc_os_futex_wait(uint32_t *word, uint32_t expected, plc_deadline_t deadline) {
    return plc_os_futex_wait_bits(word, expected, FUTEX_BITSET_MATCH_ANY, deadline);
}

void plc_os_futex_wake(uint32_t *word, int count) {
    (void)futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, (uint32_t)count, NULL, 0);
}

void plc_os_futex_wake_bits(uint32_t *word, uint32_t bits) {
    (void)futex(word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, bits);
}

/* ---- Many sleepers: since Linux 6.16 a process has a futex table of its own, of four slots for each of its threads that can run at
 * once, and a wake walks past all who sleep in its slot. With ten thousand sleepers on two processors these are six hundred. */

#ifndef PR_FUTEX_HASH
#define PR_FUTEX_HASH 78
#define PR_FUTEX_HASH_SET_SLOTS 1
#define PR_FUTEX_HASH_GET_SLOTS 2
#endif

static unsigned long power_of_two_from(uint32_t number) {
    unsigned long power = 2;
    while (power < number)
        power *= 2;
    return power;
}

void plc_os_expect_sleepers(uint32_t sleepers) {
    int saved_errno = errno;
    int slots = prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_GET_SLOTS, 0, 0, 0);
    /* Older kernels say that they do not know, and zero means the table that all processes share, which is large. */
    if (slots > 0 && (uint32_t)slots < sleepers)
        prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS, power_of_two_from(sleepers), 0, 0);
    errno = saved_errno;
}

/* ---- Time */

int64_t plc_os_coarse_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* ---- Processors */

unsigned plc_os_processor_count(void) {
    static uint32_t cached; /* zero: not asked yet */
    /* relaxed: every thread would find the same number */
    uint32_t count = plc_load_relaxed(&cached);
    if (count == 0) {
        cpu_set_t processors;
        int saved_errno = errno;
        /* The first thread's processors, not the caller's: a thread that is pinned to one must not make the whole
           process believe that it has only one. More than 1024 do not fit and fail with EINVAL: many, then. */
        count =
            sched_getaffinity(getpid(), sizeof processors, &processors) == 0 ? (uint32_t)CPU_COUNT(&processors) : 1024;
        errno = saved_errno;
        plc_store_relaxed(&cached, count);
    }
    return count;
}

/* Where glibc 2.35 and later keep this thread's restartable-sequences area, which names the processor. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));

uint32_t plc_os_processor(void) {
#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__))
    if (&__rseq_offset != NULL && &__rseq_size != NULL && __rseq_size != 0) {
        const uint32_t *area =
            (const uint32_t *)(const void *)((const char *)__builtin_thread_pointer() + __rseq_offset);
        return plc_load_relaxed(&area[1]); /* struct rseq: cpu_id_start, cpu_id; the kernel keeps it up to date */
    }
#endif
    return PLC_OS_UNKNOWN_PROCESSOR;
}

static bool membarrier(int command) {
    int saved_errno = errno;
    bool done = syscall(SYS_membarrier, command, 0, 0) == 0;
    errno = saved_errno;
    return done;
}

bool plc_os_process_barrier_prepare(void) {
    return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

bool plc_os_process_barrier(void) {
    /* The registration is inherited by the child of a fork; should a kernel think otherwise, it is made up for. */
    return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) || plc_os_process_barrier_prepare();
}

/* ---- Memory and threads */

bool plc_os_wipe_on_fork(void *pages, size_t size) {
    int saved_errno = errno;
    long page = sysconf(_SC_PAGESIZE);
    /* Never round: what lies beside these pages is not ours to wipe. */
    bool whole_pages = page > 0 && (uintptr_t)pages % (size_t)page == 0 && size % (size_t)page == 0;
    bool marked = whole_pages && madvise(pages, size, MADV_WIPEONFORK) == 0;
    errno = saved_errno;
    return marked;
}

uint64_t plc_os_thread_id(void) {
    return (uint64_t)syscall(SYS_gettid);
}
