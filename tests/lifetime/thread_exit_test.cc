/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Locks in the destructors of thread-specific data, and what thousands of short-lived threads leave behind. */
#include <climits>
#include <cstdio>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <pthread.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "support/lot_probe.h"

namespace {

/* Stops each thread that comes by until the test lets it pass: always a park, and a mutex that may be contended. */
struct Obstacle {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    int passed = 0; /* guarded by mutex */

    void pass() {
        const plc_park_ops ops = {};
        plc_mutex_lock(&mutex);
        ++passed;
        plc_mutex_unlock(&mutex);
        EXPECT_EQ(plc_park(this, &ops, nullptr, 0, PLC_NO_DEADLINE).status, PLC_PARK_UNPARKED);
    }
    /* The test's side. */
    void let_pass(int times) {
        for (int i = 0; i < times; ++i) {
            plc_test::wait_until_parked(this, 1);
            plc_mutex_lock(&mutex);
            EXPECT_EQ(passed, i + 1);
            EXPECT_EQ(plc_unpark_all(this, 0), 1u);
            plc_mutex_unlock(&mutex);
        }
        passed = 0;
    }
};

Obstacle obstacle;

/* ---- Thread-specific data */

pthread_key_t keys[2];
thread_local int iterations;

/* As many iterations as POSIX promises: later ones run after other destructors of the same thread. ThreadSanitizer takes
   its own data down in the last. */
constexpr int last_iteration = plc_test::with_tsan ? 2 : PTHREAD_DESTRUCTOR_ITERATIONS;

void pass_again(void *value) {
    obstacle.pass();
    if (++iterations < last_iteration)
        pthread_setspecific(keys[0], value);
}

void pass_once(void *) {
    obstacle.pass();
}

TEST(ThreadExit, LocksInDestructorsOfThreadSpecificData) {
    ASSERT_EQ(pthread_key_create(&keys[0], pass_again), 0);
    for (bool parked_before : {false, true}) {
        pthread_key_t later_key;
        ASSERT_EQ(pthread_key_create(&later_key, pass_once), 0);
        std::thread thread([&] {
            pthread_setspecific(keys[0], &obstacle);
            if (parked_before)
                obstacle.pass(); /* the thread's own waiter is made before the destructors run, or in one */
            pthread_setspecific(later_key, &obstacle);
        });
        obstacle.let_pass(last_iteration + 1 + (parked_before ? 1 : 0));
        thread.join();
        pthread_key_delete(later_key);
    }
    pthread_key_delete(keys[0]);
}

/* ---- C++ thread_local */

struct LocksWhenDestroyed {
    bool armed = false;
    ~LocksWhenDestroyed() {
        if (armed)
            obstacle.pass();
    }
};
thread_local LocksWhenDestroyed first_made; /* destroyed last */
thread_local LocksWhenDestroyed second_made;

TEST(ThreadExit, LocksInDestructorsOfThreadLocals) {
    std::thread thread([] {
        first_made.armed = true;
        second_made.armed = true;
    });
    obstacle.let_pass(2);
    thread.join();
}

/* A thread that was woken is gone before its waker has returned: the waker's last touch was before that. */
TEST(ThreadExit, AWokenThreadMayBeGoneAtOnce) {
    for (int round = 0; round < 1000; ++round) {
        char key = 0;
        std::thread thread([&key] {
            const plc_park_ops ops = {};
            plc_park(&key, &ops, nullptr, 0, PLC_NO_DEADLINE);
        });
        thread.detach();
        plc_test::wait_until_parked(&key, 1);
        EXPECT_EQ(plc_unpark_all(&key, 0), 1u);
    }
}

/* ---- Churn */

size_t resident_bytes() {
    size_t total = 0;
    size_t resident = 0;
    FILE *statm = std::fopen("/proc/self/statm", "r");
    if (!statm || std::fscanf(statm, "%zu %zu", &total, &resident) != 2)
        resident = 0;
    if (statm)
        std::fclose(statm);
    return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

/* Starts and ends threads that all park once, on a mutex and in the lot. */
void churn(size_t threads) {
    constexpr size_t at_once = 10;
    for (size_t done = 0; done < threads; done += at_once) {
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        char key = 0;
        plc_mutex_lock(&mutex);
        std::vector<std::thread> all;
        for (size_t i = 0; i < at_once; ++i) {
            all.emplace_back([&] {
                const plc_park_ops ops = {};
                plc_mutex_lock(&mutex);
                plc_mutex_unlock(&mutex);
                plc_park(&key, &ops, nullptr, 0, PLC_NO_DEADLINE);
            });
        }
        plc_mutex_unlock(&mutex);
        for (size_t woken = 0; woken < at_once; std::this_thread::yield())
            woken += plc_unpark_all(&key, 0);
        for (std::thread &thread : all)
            thread.join();
    }
}

TEST(ThreadExit, TenThousandThreadsLeaveNothingBehind) {
    if (plc_test::with_asan || plc_test::with_tsan)
        GTEST_SKIP() << "sanitizers keep memory of their own for threads that have ended";
    ASSERT_GT(resident_bytes(), 0u);
    churn(1000);
    const size_t before = resident_bytes();
    churn(9000);
    const size_t behind = resident_bytes();
    /* 28 bytes lost for each thread would be seen. */
    EXPECT_LT(behind, before + (size_t{256} << 10)) << "grew by " << behind - before << " bytes";
}

} // namespace
