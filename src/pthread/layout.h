/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where our words live inside glibc's own mutex, cond, rwlock and once, and how to read what glibc's headers put there. */
#ifndef PLC_DROPIN_LAYOUT_H
#define PLC_DROPIN_LAYOUT_H

#include "sync/mutex_quiet.h"

#include <pthread.h>

/* The objects stay exactly as glibc lays them out, because programs were compiled with its static initialisers, its
   sizes and its header's idea of the fields, and because debuggers read them. Within them we use:

     pthread_mutex_t   __lock    byte 0 is a plc_mutex_t; 0 exactly while the mutex is free and nobody waits
                       __count   how often a recursive mutex is held
                       __owner   the tid of the holder, 0 while free
                       __kind    as glibc writes it; never changed by us but in init and destroy
                       __spins   byte 0: has anybody had to queue for it? (sync/mutex_quiet.h); 0 in every initialiser. glibc's code
                                 keeps a number here that grows while it spins for an adaptive mutex, and never is 0 again
     pthread_cond_t    byte 0    a plc_condvar_t
                       __wrefs   bit 0 process-shared, bit 1 CLOCK_MONOTONIC, as glibc writes them; never changed
     pthread_rwlock_t  byte 0    a plc_rwlock_t
                       __cur_writer, __shared, __flags as in glibc
     pthread_once_t    the word  0 never begun, 1 | generation running, 2 done, as in glibc

   Zeroed memory is valid for each of them. */

/* ---- Mutex */

/* __kind
     bits 0-3   type: 0 normal, 1 recursive, 2 errorcheck, 3 adaptive
     bit  4     robust                        \
     bit  5     priority inheritance           } glibc's own code serves these
     bit  6     priority protection            }
     bit  7     process-shared                /
     bits 8-9   lock elision forced on or off: an explicit settype(NORMAL) sets bit 9
   A destroyed mutex has -1. */
enum {
    DROPIN_KIND_FOREIGN = 0xf0,
    DROPIN_KIND_ELISION = 0x300,
    DROPIN_KIND_NO_ELISION = 0x200,
    DROPIN_KIND_DESTROYED = -1,
};

/* The word of a pthread_mutexattr_t: the type in the low bits, and flags. Any of the flags means glibc's own code. */
#define DROPIN_MUTEXATTR_FOREIGN 0xf0000000u /* process-shared, robust, and two bits of protocol */
#define DROPIN_MUTEXATTR_FLAGS 0xfffff000u   /* the same and the priority ceiling */

PLC_STATIC_ASSERT(offsetof(pthread_mutex_t, __data.__lock) == 0, "the lock word comes first");
PLC_STATIC_ASSERT(offsetof(pthread_mutex_t, __data.__count) == 4, "the count follows it");
PLC_STATIC_ASSERT(offsetof(pthread_mutex_t, __data.__owner) == 8, "the owner follows the count");
#if defined(__LP64__)
PLC_STATIC_ASSERT(offsetof(pthread_mutex_t, __data.__kind) == 16, "the kind's place on 64-bit machines");
PLC_STATIC_ASSERT(offsetof(pthread_mutex_t, __data.__spins) == 20, "the quiet byte follows it");
#elif defined(__i386__)
PLC_STATIC_ASSERT(offsetof(pthread_mutex_t, __data.__kind) == 12, "the kind's place on i386");
#endif
#if defined(__x86_64__) && defined(__LP64__)
PLC_STATIC_ASSERT(sizeof(pthread_mutex_t) == 40, "the size of a mutex");
#elif defined(__aarch64__)
PLC_STATIC_ASSERT(sizeof(pthread_mutex_t) == 48, "the size of a mutex");
#elif defined(__i386__)
PLC_STATIC_ASSERT(sizeof(pthread_mutex_t) == 24, "the size of a mutex");
#endif

/* The type with its delegation bits; negative if the mutex was destroyed. A plain read: the kind changes only in init
   and destroy, which may not race with a use. */
static inline int dropin_mutex_kind(const pthread_mutex_t *mutex) {
    return mutex->__data.__kind & ~DROPIN_KIND_ELISION;
}

static inline plc_mutex_t *dropin_mutex_word(pthread_mutex_t *mutex) {
    return (plc_mutex_t *)(void *)&mutex->__data.__lock;
}

/* Does glibc's own code serve this kind? */
static inline bool dropin_kind_is_foreign(int kind) {
    return kind > 0 && (kind & DROPIN_KIND_FOREIGN) != 0;
}

/* The byte beside the mutex's own that sync/mutex_quiet.h asks for. */
static inline uint8_t *dropin_mutex_quiet(pthread_mutex_t *mutex) {
    return (uint8_t *)&mutex->__data.__spins;
}

/* Is it of the normal kind, and has nobody had to queue for it yet? One look, where the two lie side by side. relaxed: as
   plc_mutex_unlock_quiet says. */
static inline bool dropin_mutex_is_normal_and_quiet(pthread_mutex_t *mutex) {
#if defined(__LP64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (plc_load_relaxed((const uint64_t *)(const void *)&mutex->__data.__kind) & ~(uint64_t)DROPIN_KIND_ELISION) ==
           0;
#else
    return dropin_mutex_kind(mutex) == PTHREAD_MUTEX_TIMED_NP &&
           plc_load_relaxed(dropin_mutex_quiet(mutex)) == PLC_QUIET_LASTS;
#endif
}

/* ---- Cond */

enum {
    DROPIN_COND_SHARED = 1u,    /* in __wrefs */
    DROPIN_COND_MONOTONIC = 2u, /* in __wrefs */
};

/* The word of a pthread_condattr_t: bit 0 process-shared, the clock's number above it. */
enum { DROPIN_CONDATTR_SHARED = 1 };

PLC_STATIC_ASSERT(offsetof(pthread_cond_t, __data.__wrefs) == 36, "the flags of a cond");
PLC_STATIC_ASSERT(sizeof(pthread_cond_t) == 48, "the size of a cond");

static inline unsigned dropin_cond_flags(const pthread_cond_t *cond) {
    /* relaxed: glibc keeps a count in the upper bits of a shared cond, the flags themselves do not change */
    return plc_load_relaxed(&cond->__data.__wrefs);
}

/* ---- Rwlock */

/* The words of a pthread_rwlockattr_t. */
struct dropin_rwlockattr {
    int kind;   /* goes to __flags */
    int shared; /* goes to __shared */
};

#if defined(__x86_64__) || defined(__aarch64__)
PLC_STATIC_ASSERT(offsetof(pthread_rwlock_t, __data.__cur_writer) == 24, "the writer of a rwlock");
PLC_STATIC_ASSERT(offsetof(pthread_rwlock_t, __data.__shared) == 28, "the sharing of a rwlock");
PLC_STATIC_ASSERT(offsetof(pthread_rwlock_t, __data.__flags) == 48, "the kind of a rwlock");
PLC_STATIC_ASSERT(sizeof(pthread_rwlock_t) == 56, "the size of a rwlock");
#elif defined(__i386__)
PLC_STATIC_ASSERT(offsetof(pthread_rwlock_t, __data.__cur_writer) == 28, "the writer of a rwlock");
PLC_STATIC_ASSERT(offsetof(pthread_rwlock_t, __data.__shared) == 25, "the sharing of a rwlock");
PLC_STATIC_ASSERT(offsetof(pthread_rwlock_t, __data.__flags) == 24, "the kind of a rwlock");
PLC_STATIC_ASSERT(sizeof(pthread_rwlock_t) == 32, "the size of a rwlock");
#endif

/* ---- Exports */

/* Exports an internal function under a name of pthread's. Our own code calls the internal name, which needs no detour
   through the linkage table and cannot be interposed. In libplc_pthread_debug.so (observe/) the function hides behind an
   observed one of that name. */
#ifdef DROPIN_RENAMED
#define DROPIN_EXPORT(name, function)                                                                                  \
    extern __typeof__(function)(dropin_plain_##name) __attribute__((alias(#function), visibility("hidden")))
#else
#define DROPIN_EXPORT(name, function)                                                                                  \
    extern __typeof__(function)(name) __attribute__((alias(#function), visibility("default")))
#endif

/* The same for names that only the rest of a static glibc calls. */
#ifdef DROPIN_STATIC
#define DROPIN_EXPORT_STATIC(name, function) DROPIN_EXPORT(name, function)
#else
#define DROPIN_EXPORT_STATIC(name, function) PLC_STATIC_ASSERT(1, "takes the semicolon")
#endif

#endif
