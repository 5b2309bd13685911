/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Finds glibc's own functions behind the names that the drop-in takes over. */
#include "real.h"

#include <plc/detail/atomic.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory order
     [D2] the table is complete: store-release of `found` -> its load-acquire. */

/* dlsym(RTLD_NEXT) takes the oldest version of a symbol, and glibc's oldest pthread_cond_* are another, smaller object.
   So the versions are asked for by name: newest layout first, then each architecture's base, and at last whatever there
   is. Every name is found at the first or second attempt, because a failed search leaves a message for the program's
   next dlerror(). */
#if defined(__x86_64__)
#define BASE "GLIBC_2.2.5"
#elif defined(__i386__)
#define BASE "GLIBC_2.0"
#elif defined(__aarch64__)
#define BASE "GLIBC_2.17"
#elif defined(__riscv)
#define BASE "GLIBC_2.27"
#else
#define BASE "GLIBC_2.4"
#endif

#if defined(__x86_64__) || defined(__i386__)
#define COND "GLIBC_2.3.2" /* the present, larger cond */
#define PRIORITY "GLIBC_2.4"
#define ROBUST "GLIBC_2.12"
#else
#define COND BASE
#define PRIORITY BASE
#define ROBUST BASE
#endif
#if defined(__i386__)
#define RWLOCK "GLIBC_2.1"
#define TIMED "GLIBC_2.2"
#else
#define RWLOCK BASE
#define TIMED BASE
#endif
#if defined(__i386__)
#define SIGSET "GLIBC_2.1"
#else
#define SIGSET BASE
#endif
#if defined(__x86_64__) || defined(__i386__) || defined(__arm__)
#define FORTIFY "GLIBC_2.11"
#else
#define FORTIFY BASE
#endif
#define CLOCK "GLIBC_2.30"
#define YOUNGEST "GLIBC_2.34" /* the one that may be missing */

struct entry {
    size_t offset; /* in struct dropin_real */
    const char *name;
    const char *version;
};

#define ENTRY(member, version)                                                                                         \
    { offsetof(struct dropin_real, member), "pthread_" #member, version }

#define OTHER(member, name, version)                                                                                   \
    { offsetof(struct dropin_real, member), name, version }

static const struct entry entries[] = {
    ENTRY(mutex_init, BASE),
    ENTRY(mutex_destroy, BASE),
    ENTRY(mutex_lock, BASE),
    ENTRY(mutex_trylock, BASE),
    ENTRY(mutex_timedlock, TIMED),
    ENTRY(mutex_clocklock, CLOCK),
    ENTRY(mutex_unlock, BASE),
    ENTRY(mutex_consistent, ROBUST),
    ENTRY(mutex_getprioceiling, PRIORITY),
    ENTRY(mutex_setprioceiling, PRIORITY),
    ENTRY(cond_init, COND),
    ENTRY(cond_destroy, COND),
    ENTRY(cond_wait, COND),
    ENTRY(cond_timedwait, COND),
    ENTRY(cond_clockwait, CLOCK),
    ENTRY(cond_signal, COND),
    ENTRY(cond_broadcast, COND),
    ENTRY(rwlock_init, RWLOCK),
    ENTRY(rwlock_destroy, RWLOCK),
    ENTRY(rwlock_rdlock, RWLOCK),
    ENTRY(rwlock_wrlock, RWLOCK),
    ENTRY(rwlock_tryrdlock, RWLOCK),
    ENTRY(rwlock_trywrlock, RWLOCK),
    ENTRY(rwlock_timedrdlock, TIMED),
    ENTRY(rwlock_timedwrlock, TIMED),
    ENTRY(rwlock_clockrdlock, CLOCK),
    ENTRY(rwlock_clockwrlock, CLOCK),
    ENTRY(rwlock_unlock, RWLOCK),
    ENTRY(setcanceltype, BASE),
    ENTRY(cancel, BASE),
    OTHER(longjmp, "longjmp", BASE),
    OTHER(longjmp_chk, "__longjmp_chk", FORTIFY),
    OTHER(sigaction, "sigaction", BASE),
    OTHER(signal, "signal", BASE),
    OTHER(sysv_signal, "__sysv_signal", BASE),
    OTHER(sigset, "sigset", SIGSET),
    OTHER(fork_alone, "_Fork", YOUNGEST),
};

enum { ENTRIES = sizeof entries / sizeof entries[0] };
PLC_STATIC_ASSERT(ENTRIES == sizeof(struct dropin_real) / sizeof(void *), "every function has its entry");

static struct dropin_real table;
static uint32_t found; /* 1 when the table is complete */

_Noreturn static void die_without(const char *name) {
    static const char before[] = "libplc: pthread: cannot find glibc's ";
    /* Whether it can be written is of no interest: there is nobody left to tell. */
    (void)!write(STDERR_FILENO, before, sizeof before - 1);
    (void)!write(STDERR_FILENO, name, strlen(name));
    (void)!write(STDERR_FILENO, "\n", 1);
    abort();
}

static void *look_up(const struct entry *entry) {
    void *symbol = dlvsym(RTLD_NEXT, entry->name, entry->version);
    if (symbol == NULL) {
        /* Somebody loaded us behind libc, or with dlopen: then "next" does not lead there. */
        void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
        if (libc != NULL) {
            symbol = dlvsym(libc, entry->name, entry->version);
            (void)dlclose(libc);
        }
    }
    if (symbol == NULL)
        symbol = dlsym(RTLD_NEXT, entry->name);
    return symbol;
}

/* Threads that come at once find the same pointers and store them twice, which does no harm. */
static void find_all(void) {
    int saved_errno = errno;
    for (size_t i = 0; i < ENTRIES; i++) {
        void **slot = (void **)(void *)((char *)&table + entries[i].offset);
        void *symbol = look_up(&entries[i]);
        if (symbol == NULL && strcmp(entries[i].version, YOUNGEST) != 0)
            die_without(entries[i].name);
        plc_store_relaxed(slot, symbol); /* relaxed: published by `found` */
    }
    plc_store_release(&found, 1); /* release [D2] */
    errno = saved_errno;
}

const struct dropin_real *dropin_real(void) {
    if (PLC_UNLIKELY(plc_load_acquire(&found) == 0)) /* acquire [D2] */
        find_all();
    return &table;
}
