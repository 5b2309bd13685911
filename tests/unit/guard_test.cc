/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guards: in a section no signal but a fault's comes, and afterwards the thread's own mask is back. */
#include <plc/parking_lot.h>

#include <csignal>
#include <gtest/gtest.h>
#include <pthread.h>

#include "support/internal.h"

namespace {

sigset_t current_mask() {
    sigset_t mask;
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &mask), 0);
    return mask;
}

struct Seen {
    sigset_t in_section;
    sigset_t before_sleep;
};

/* A park whose time is over: one section to queue up, one to leave. */
Seen park() {
    static const int key = 0;
    Seen seen{};
    plc_park_ops ops = {};
    ops.validate = [](void *context) {
        static_cast<Seen *>(context)->in_section = current_mask();
        return true;
    };
    ops.before_sleep = [](void *context) { static_cast<Seen *>(context)->before_sleep = current_mask(); };
    EXPECT_EQ(plc_park(&key, &ops, &seen, 0, plc_deadline_at(PLC_CLOCK_MONOTONIC, 0, 1)).status, PLC_PARK_TIMED_OUT);
    return seen;
}

TEST(Guard, SignalsAreBlockedInSectionsOnlyAndOnRequest) {
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR2);
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &mine, nullptr), 0);
    const Seen unguarded = park();
    EXPECT_EQ(sigismember(&unguarded.in_section, SIGUSR1), 0) << "nobody has asked for it";
    plc_signals_may_lock();
    for (int i = 0; i < 2; ++i) {
        const Seen seen = park();
        for (int number : {SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCHLD, SIGPROF, SIGRTMIN, SIGRTMAX})
            EXPECT_EQ(sigismember(&seen.in_section, number), 1) << number;
        for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT})
            EXPECT_EQ(sigismember(&seen.in_section, number), 0) << number;
        for (const sigset_t &mask : {seen.before_sleep, current_mask()}) {
            EXPECT_EQ(sigismember(&mask, SIGUSR1), 0);
            EXPECT_EQ(sigismember(&mask, SIGUSR2), 1);
        }
    }
}

TEST(Guard, ASectionLeavesItsSignalsToItsEnd) {
    static volatile std::sig_atomic_t handled = 0;
    static volatile std::sig_atomic_t handled_in_section = 0;
    static const int key = 0;
    plc_signals_may_lock();
    std::signal(SIGUSR1, [](int) { handled = handled + 1; });
    plc_unpark_one(
        &key,
        [](void *, plc_unpark_result) {
            EXPECT_EQ(raise(SIGUSR1), 0);
            handled_in_section = handled;
            return uintptr_t{0};
        },
        nullptr);
    EXPECT_EQ(handled_in_section, 0);
    EXPECT_EQ(handled, 1);
    std::signal(SIGUSR1, SIG_DFL);
}

} // namespace
