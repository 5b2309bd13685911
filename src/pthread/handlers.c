/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stand-ins for the program's signal handlers, which put themselves off while their thread is in a section. */
#include "handlers.h"

#include <plc/detail/atomic.h>
#include <plc/parking_lot.h>

#include "platform/guard.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Blocking signals in every section takes two system calls, and hardly ever does one come. So what is installed is a stand-in: it calls the
   program's handler with the same arguments, unless its thread is in a section. Then it sends the signal to its thread once more, with all that
   came with it, and returns into the section with signals blocked; the section's end unblocks them (platform/guard.c, G1 to G4).

   There is one stand-in for each handler, and not for each signal. So the kernel alone knows which signal has which
   handler, with which flags and mask: nothing here can disagree with it, however many threads change handlers at once, and
   the child of a vfork, which shares our memory but not its handlers, can do nothing to its parent's. A stand-in is never
   given up: the table is as large as the handlers that a program has in its life, and few have ten.

   A handler of one shot (SA_RESETHAND) is forgotten by the kernel before it runs, so put off it is installed again, as if the signal had been
   blocked: "Handlers of one shot" below.

   Not put off, but kept out by blocking signals in each section, as plc_signals_may_lock() does, are

     handlers of real-time signals   they are queued, and one that is sent again would come after those that came after it
     handlers of SIGCONT, SIGTSTP,   sending one of them takes back others of them
       SIGTTIN and SIGTTOU
     those for which no stand-in is left
     handlers without SA_SIGINFO     where the kernel does not tell them what they have interrupted: all but x86-64

   Sending a standard signal once more cannot fail, but in a sandbox that forbids it. Then its handler runs at once, this one time, and from then
   on signals are blocked.

   Memory order
     [D3] a handler's place is taken: CAS-release -> load-acquire, by who looks for it and by its stand-in. (The stand-in could
          do without: it was installed by a system call after that.) */

#if defined(__x86_64__)
#define CONTEXT_IS_ALWAYS_GIVEN true
#else
#define CONTEXT_IS_ALWAYS_GIVEN false
#endif

/* The first half is for handlers of one argument, to which the kernel does not say who has sent the signal. */
enum { HANDLERS = 64, FIRST_WITH_INFORMATION = HANDLERS / 2 };

static dropin_handler handlers[HANDLERS]; /* null: not taken. Taken in order, and for ever */

/* ---- Handlers of one shot
 *
 * By the time that the stand-in runs the kernel has put SIG_DFL in its place, and kept the flags. If it is to run later it goes back there, unless
 * the program has installed something else meanwhile: then the signal is that one's, as one that was blocked would be. Another thread may
 * install a handler at any moment, and reading and writing are two calls; but each writing tells what it has replaced. What was
 * somebody else's is put back, until what comes out is what was put in last: so whatever was installed last stays, and nothing is lost.
 * What another thread finds installed meanwhile, SIG_DFL too, is what it might have found a moment before or after. */

static dropin_handler installable(size_t place);

static bool is_spent(const struct sigaction *action) {
    return action->sa_handler == SIG_DFL && ((unsigned)action->sa_flags & SA_RESETHAND) != 0;
}

static bool is_same(const struct sigaction *one, const struct sigaction *other) {
    return one->sa_handler == other->sa_handler && one->sa_flags == other->sa_flags;
}

/* All signals but faults' are blocked, and this one is pending for the thread. */
static void install_again(size_t place, int number) {
    struct sigaction expected;
    if (dropin_real()->sigaction(number, NULL, &expected) != 0 || !is_spent(&expected))
        return;
    struct sigaction in = expected;
    struct sigaction out;
    in.sa_handler = installable(place);
    while (dropin_real()->sigaction(number, &in, &out) == 0 && !is_spent(&out) && !is_same(&out, &expected)) {
        expected = in;
        in = out;
    }
}

/* ---- What a stand-in does */

/* The kernel's part of a signal mask. In the frame of a handler there is no more. */
enum { MASK_BYTES = (NSIG - 1) / 8 };

static bool send_again(bool has_information, int number, siginfo_t *information) {
    pid_t process = getpid();
    long thread = syscall(SYS_gettid);
    if (has_information)
        return syscall(SYS_rt_tgsigqueueinfo, process, thread, number, information) == 0;
    return syscall(SYS_tgkill, process, thread, number) == 0;
}

/* Returns whether it was. */
static __attribute__((noinline)) bool put_off(size_t place, int number, siginfo_t *information,
                                              ucontext_t *interrupted) {
    int saved_errno = errno;
    sigset_t mask;
    (void)sigemptyset(&mask);
    memcpy(&mask, &interrupted->uc_sigmask, MASK_BYTES);
    plc_signals_put_off_(&mask);
    memcpy(&interrupted->uc_sigmask, &mask, MASK_BYTES);
    bool is_sent = send_again(place >= FIRST_WITH_INFORMATION, number, information);
    if (is_sent)
        install_again(place, number);
    else
        plc_signals_may_lock();
    errno = saved_errno;
    return is_sent;
}

static void stand_in(size_t place, int number, siginfo_t *information, void *context) {
    union {
        dropin_handler one_argument;
        void (*handler)(int, siginfo_t *, void *);    /* the kernel passes these arguments to either kind */
    } program = {plc_load_acquire(&handlers[place])}; /* acquire [D3] */
    if (PLC_UNLIKELY(plc_signals_must_wait_()) && put_off(place, number, information, context))
        return;
    program.handler(number, information, context);
}

/* One function for each place, which is named in octal digits. */
#define STAND_IN(place)                                                                                                \
    static void stand_in_##place(int number, siginfo_t *information, void *context) {                                  \
        stand_in(place, number, information, context);                                                                 \
    }
#define EIGHT_STAND_INS(first)                                                                                         \
    STAND_IN(first##0)                                                                                                 \
    STAND_IN(first##1)                                                                                                 \
    STAND_IN(first##2)                                                                                                 \
    STAND_IN(first##3)                                                                                                 \
    STAND_IN(first##4)                                                                                                 \
    STAND_IN(first##5)                                                                                                 \
    STAND_IN(first##6)                                                                                                 \
    STAND_IN(first##7)

EIGHT_STAND_INS(00)
EIGHT_STAND_INS(01)
EIGHT_STAND_INS(02)
EIGHT_STAND_INS(03)
EIGHT_STAND_INS(04)
EIGHT_STAND_INS(05)
EIGHT_STAND_INS(06)
EIGHT_STAND_INS(07)

#define EIGHT_NAMES(first)                                                                                             \
    stand_in_##first##0, stand_in_##first##1, stand_in_##first##2, stand_in_##first##3, stand_in_##first##4,           \
        stand_in_##first##5, stand_in_##first##6, stand_in_##first##7

static void (*const stand_ins[HANDLERS])(int, siginfo_t *, void *) = {
    EIGHT_NAMES(00), EIGHT_NAMES(01), EIGHT_NAMES(02), EIGHT_NAMES(03),
    EIGHT_NAMES(04), EIGHT_NAMES(05), EIGHT_NAMES(06), EIGHT_NAMES(07),
};

/* As sigaction has it: one address, whichever its type. */
static dropin_handler installable(size_t place) {
    union {
        void (*stand_in)(int, siginfo_t *, void *);
        dropin_handler handler;
    } function = {stand_ins[place]};
    return function.handler;
}

/* ---- Which stand-in stands for whom */

static bool is_function(dropin_handler handler) {
    return handler != SIG_DFL && handler != SIG_IGN && handler != SIG_ERR && handler != SIG_HOLD;
}

/* The place of a handler, from `first` on, or `end` if all are taken. May be called by a handler, and by many threads. */
static size_t place_of(dropin_handler handler, size_t first, size_t end) {
    for (size_t i = first; i < end; i++) {
        dropin_handler taken = plc_load_acquire(&handlers[i]);                          /* acquire [D3] */
        if (taken == NULL && plc_cas_release_or_acquire(&handlers[i], &taken, handler)) /* release [D3], acquire [D3] */
            return i;
        if (taken == handler)
            return i;
    }
    return end;
}

dropin_handler dropin_stands_for(dropin_handler installed) {
    if (!is_function(installed))
        return installed;
    for (size_t i = 0; i < HANDLERS; i++) {
        if (installed == installable(i))
            return plc_load_acquire(&handlers[i]); /* acquire [D3] */
    }
    return installed;
}

static bool can_be_put_off(int number, int flags) {
    switch (number) {
    case SIGCONT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return false;
    default:
        break;
    }
    bool is_told = (flags & SA_SIGINFO) != 0 || CONTEXT_IS_ALWAYS_GIVEN;
    return number < __SIGRTMIN && is_told;
}

dropin_handler dropin_stand_in(int number, int flags, dropin_handler installed) {
    dropin_handler handler = dropin_stands_for(installed); /* a program may have read a stand-in by a raw system call */
    if (!is_function(handler) || plc_signal_is_fault(number)) /* programs that handle nothing but faults are many */
        return handler;
    if (can_be_put_off(number, flags)) {
        bool has_information = (flags & SA_SIGINFO) != 0;
        size_t end = has_information ? HANDLERS : FIRST_WITH_INFORMATION;
        size_t place = place_of(handler, has_information ? FIRST_WITH_INFORMATION : 0, end);
        if (place < end) {
            plc_signals_put_themselves_off_();
            return installable(place);
        }
    }
    plc_signals_may_lock();
    return handler;
}
