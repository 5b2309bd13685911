/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Locks before any constructor, in early constructors, and in exit handlers and destructors of static objects. */
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <pthread.h>
#include <unistd.h>

#include "support/lot_probe.h"

namespace {

/* Plain C throughout: nothing that a constructor of C++ would have to prepare. */
struct Contention {
    plc_mutex_t mutex;
    int visits; /* guarded by mutex */
    int passed; /* the whole sequence went well */
};

void *visit(void *argument) {
    auto *contention = static_cast<Contention *>(argument);
    plc_mutex_lock(&contention->mutex);
    ++contention->visits;
    plc_mutex_unlock(&contention->mutex);
    return nullptr;
}

/* Makes a thread wait for a mutex and wakes it: park, unpark and hand-over. */
void contend(Contention *contention) {
    pthread_t thread;
    plc_mutex_lock(&contention->mutex);
    if (pthread_create(&thread, nullptr, visit, contention) != 0)
        return;
    plc_test::wait_until_parked(&contention->mutex, 1, PLC_WAITER_MUTEX);
    plc_mutex_bump(&contention->mutex);
    const bool visited = contention->visits == 1;
    plc_mutex_unlock(&contention->mutex);
    pthread_join(thread, nullptr);
    contention->passed = visited && !plc_mutex_is_locked(&contention->mutex);
}

/* ---- Start: zeroed memory is an unlocked mutex, and the first table is static */

Contention in_preinit;
Contention in_first_constructor;
Contention in_static_object;

/* Before all constructors, those of libplc and of shared objects included. */
void before_constructors(int, char **, char **) {
    /* Sanitizers' runtimes may start threads only when they have started themselves. */
    if (!plc_test::with_tsan && !plc_test::with_asan)
        contend(&in_preinit);
}
__attribute__((section(".preinit_array"), used)) void (*const preinit_entry)(int, char **,
                                                                             char **) = before_constructors;

__attribute__((constructor(101))) void first_constructor() {
    contend(&in_first_constructor);
}

struct StaticObject {
    StaticObject() {
        contend(&in_static_object);
    }
} static_object;

TEST(Start, LocksBeforeAnyConstructor) {
    if (plc_test::with_tsan || plc_test::with_asan)
        GTEST_SKIP() << "the sanitizer has not started by then";
    EXPECT_TRUE(in_preinit.passed);
}

TEST(Start, LocksInTheFirstConstructor) {
    EXPECT_TRUE(in_first_constructor.passed);
}

TEST(Start, LocksInConstructorsOfStaticObjects) {
    EXPECT_TRUE(in_static_object.passed);
}

/* ---- End */

void say(bool passed, const char *where) {
    std::fprintf(stderr, "%s %s\n", where, passed ? "passed" : "FAILED");
}

void exit_handler() {
    static Contention contention;
    contend(&contention);
    say(contention.passed, "exit handler");
}

struct LocksAtTheEnd {
    ~LocksAtTheEnd() {
        static Contention contention;
        contend(&contention);
        say(contention.passed, "static destructor");
    }
};

__attribute__((destructor(101))) void last_destructor() {
    if (std::getenv("PLC_TEST_LAST_DESTRUCTOR")) {
        static Contention contention;
        contend(&contention);
        say(contention.passed, "last destructor");
    }
}

TEST(EndDeathTest, LocksInExitHandlersAndDestructors) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            setenv("PLC_TEST_LAST_DESTRUCTOR", "1", 1);
            std::atexit(exit_handler);
            static LocksAtTheEnd at_the_end;
            std::exit(0);
        },
        testing::ExitedWithCode(0),
        "static destructor passed\n(.*\n)*exit handler passed\n(.*\n)*last destructor passed");
}

} // namespace
