/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The operating system as libplc sees it. Everything below the thread parkers goes through here. */
#ifndef PLC_PLATFORM_H
#define PLC_PLATFORM_H

#include <plc/deadline.h>
#include <plc/detail/atomic.h>

PLC_BEGIN_DECLS

/* One implementation per platform in this folder, chosen by CMake; the model checker links its own instead. None of
   these allocates from the heap or changes errno, and all may be called before constructors ran. */

/* ---- Time */

/* The clock's reading in nanoseconds. */
int64_t plc_os_now_ns(enum plc_clock clock);

/* The monotonic clock's, to within a tick of the system; as cheap as a reading can be. For who looks on. */
int64_t plc_os_coarse_now_ns(void);

/* ---- Sleeping on a word (futex platforms only) */

/* Sleeps while *word == expected, until woken or until the deadline passes. Returns false only if the deadline has
   passed; true means: look again (woken, changed, interrupted, or for no reason). */
bool plc_os_futex_wait(uint32_t *word, uint32_t expected, plc_deadline_t deadline);

/* Wakes up to count threads that sleep on the word. Uses only its address: the memory may be gone. */
void plc_os_futex_wake(uint32_t *word, int count);

/* The same for a word on which many sleep: each names one bit, or several, and a wake goes to all whose bits it names. */
bool plc_os_futex_wait_bits(uint32_t *word, uint32_t expected, uint32_t bits, plc_deadline_t deadline);
void plc_os_futex_wake_bits(uint32_t *word, uint32_t bits);

/* So many threads of this process sleep at once, or are about to: a hint, by which the system finds each of them as fast as if it
   were alone. May take a hundredth of a second or more. */
void plc_os_expect_sleepers(uint32_t sleepers);

/* ---- Processors */

/* Lets another thread run on this processor. */
void plc_os_yield(void);

/* How many processors this process may run on; at least 1. */
unsigned plc_os_processor_count(void);

/* The processor on which the caller runs now, or PLC_OS_UNKNOWN_PROCESSOR. Cheap: no system call. */
#define PLC_OS_UNKNOWN_PROCESSOR UINT32_MAX
uint32_t plc_os_processor(void);

/* Makes every thread of the process pass a full barrier, and the caller too, before it returns: the dear side of a
   store-load pair whose cheap side is plc_fence_compiler(). False: that is not to be had. May only be relied on once
   prepare has returned true. Prepare may take milliseconds the first time. */
bool plc_os_process_barrier_prepare(void);
bool plc_os_process_barrier(void);

/* For what is to be inlined across files where GCC optimises the library as a whole. Clang does not, and would warn. */
#if defined(__GNUC__) && !defined(__clang__)
#define PLC_INLINED_BY_LTO __attribute__((always_inline)) inline
#else
#define PLC_INLINED_BY_LTO
#endif

/* Tells the processor that this is a spin loop. */
static inline void plc_cpu_relax(void) {
#if defined(PLC_MODEL)
    /* nothing: model builds do not spin */
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__ARM_ARCH_7A__)
    __asm__ __volatile__("yield" ::: "memory");
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

/* ---- Memory */

/* The largest page of any machine that this architecture has: what is marked below is aligned and sized to it. */
#if defined(__x86_64__) || defined(__i386__)
#define PLC_OS_MAX_PAGE_SIZE 4096
#else
#define PLC_OS_MAX_PAGE_SIZE 65536
#endif

/* Zeroed pages for at least size bytes, or null. */
void *plc_os_pages_alloc(size_t size);
void plc_os_pages_free(void *pages, size_t size);

/* Makes these whole pages read as zero in the child of every fork; false if the platform cannot. */
bool plc_os_wipe_on_fork(void *pages, size_t size);

/* Has handler run in the child of every fork(). May allocate: call it from a constructor only. */
void plc_os_at_fork_child(void (*handler)(void));

/* ---- Threads */

/* Has handler(argument) run when the calling thread ends, among the destructors of its thread-specific data; false if that
   cannot be arranged. May allocate. One registration per thread at a time. */
bool plc_os_at_thread_exit(void (*handler)(void *argument), void *argument);

/* A number that debuggers and logs show for the calling thread. */
uint64_t plc_os_thread_id(void);

/* The process in which the caller runs, as debuggers and logs name it. */
uint32_t plc_os_process_id(void);

/* Writes all of it, if that is possible. */
void plc_os_write(int fd, const char *text, size_t length);

/* ---- The end */

/* Writes "libplc: TYPE ADDRESS: thread N: MISTAKE" to standard error and aborts. Neither allocates nor uses stdio. */
__attribute__((noreturn)) void plc_os_fatal(const char *type, const void *address, const char *mistake);

/* ---- Seams */

/* Around each section that holds a bucket lock, and around each wait in which a thread's node may be queued. Usually they cost
   a look at one word; guard.c says what they do in a process that has asked for it. */
enum {
    PLC_OS_GUARD_SIGNALS = 1u,      /* no handler runs in a section: signals are blocked */
    PLC_OS_GUARD_CANCELLATION = 2u, /* no asynchronous cancellation acts in a section or a wait */
    PLC_OS_GUARD_HANDLERS = 4u,     /* no handler runs in a section: those that there are put themselves off */
};

#if defined(PLC_MODEL)
static inline void plc_lot_enter(void) {}
static inline void plc_lot_leave(void) {}
static inline void plc_wait_enter(void) {}
static inline void plc_wait_leave(void) {}
static inline bool plc_wait_may_be_cancelled(void) {
    return false;
}
static inline void plc_os_defer_cancellation(void) {}
static inline unsigned plc_os_deferrals(void) {
    return 0;
}
static inline void plc_os_reset_deferrals(unsigned deferrals) {
    (void)deferrals;
}
static inline void plc_os_sleep_begins(void *unused) {
    (void)unused;
}
static inline void plc_os_sleep_ends(void *unused) {
    (void)unused;
}
#else
extern uint32_t plc_os_guards;
void plc_os_enter_section(uint32_t guards);
void plc_os_leave_section(uint32_t guards);
void plc_os_defer_cancellation(void);
void plc_os_admit_cancellation(void);

/* In a wait: would the thread, by the type that it came with, be cancelled while it sleeps? Then these go around its sleep. */
bool plc_os_is_asynchronous(void);
void plc_os_sleep_begins(void *unused);
void plc_os_sleep_ends(void *unused);

/* How many sections and waits, one inside the other, the thread is in; and back to so many, when it was torn out of them. */
unsigned plc_os_deferrals(void);
void plc_os_reset_deferrals(unsigned deferrals);

static inline void plc_lot_enter(void) {
    uint32_t guards = plc_load_relaxed(&plc_os_guards); /* relaxed, as the others: a switch without data */
    if (PLC_UNLIKELY(guards != 0))
        plc_os_enter_section(guards);
}
static inline void plc_lot_leave(void) {
    uint32_t guards = plc_load_relaxed(&plc_os_guards);
    if (PLC_UNLIKELY(guards != 0))
        plc_os_leave_section(guards);
}
static inline void plc_wait_enter(void) {
    if (PLC_UNLIKELY(plc_load_relaxed(&plc_os_guards) & PLC_OS_GUARD_CANCELLATION))
        plc_os_defer_cancellation();
}
static inline bool plc_wait_may_be_cancelled(void) {
    return PLC_UNLIKELY(plc_load_relaxed(&plc_os_guards) & PLC_OS_GUARD_CANCELLATION) && plc_os_is_asynchronous();
}
static inline void plc_wait_leave(void) {
    if (PLC_UNLIKELY(plc_load_relaxed(&plc_os_guards) & PLC_OS_GUARD_CANCELLATION))
        plc_os_admit_cancellation();
}
#endif

/* A thread of this process may be cancelled asynchronously: switches that guard on. plc_signals_may_lock, in
   plc/parking_lot.h, switches the other on. Exported for libplc_pthread.so, not API. */
PLC_API void plc_signals_may_cancel_(void);

/* Says to the model checker that an object is dead, so that any later touch is reported. */
#if defined(PLC_MODEL)
void plc_lifetime_end_(const void *object, size_t size);
#else
#define plc_lifetime_end_(object, size) ((void)0)
#endif

PLC_END_DECLS

#endif
