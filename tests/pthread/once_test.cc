/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_once: once, stampedes, exceptions, cancellation, and a child of fork() that finds it half done. */
#include "dropin.h"

#include <atomic>
#include <mutex>
#include <sys/wait.h>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

std::atomic<int> runs{0};
int written_by_routine;

void count_run() {
    ++written_by_routine;
    ++runs;
}

TEST(Once, RunsOnceAndSaysDoneAsGlibcDoes) {
    pthread_once_t control = PTHREAD_ONCE_INIT;
    runs = 0;
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(pthread_once(&control, count_run), 0);
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(control, 2);
}

TEST(Once, AStampedeSeesWhatTheRoutineWrote) {
    for (int round = 0; round < 200; ++round) {
        pthread_once_t control = PTHREAD_ONCE_INIT;
        runs = 0;
        written_by_routine = 0;
        std::vector<std::thread> threads;
        std::atomic<int> missing{4};
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                --missing;
                while (missing != 0)
                    std::this_thread::yield();
                EXPECT_EQ(pthread_once(&control, count_run), 0);
                EXPECT_EQ(written_by_routine, 1);
            });
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(runs, 1);
    }
}

std::atomic<bool> is_inside{false};
std::atomic<bool> may_throw{false};
std::atomic<int> attempts{0};

void throw_at_first() {
    if (attempts++ == 0) {
        is_inside = true;
        while (!may_throw)
            std::this_thread::yield();
        throw 42;
    }
}

TEST(Once, AnExceptionResetsItAndWakesTheWaiters) {
    for (int round = 0; round < 50; ++round) {
        pthread_once_t control = PTHREAD_ONCE_INIT;
        is_inside = false;
        may_throw = false;
        attempts = 0;
        bool caught = false;
        std::thread first([&] {
            try {
                pthread_once(&control, throw_at_first);
            } catch (int) {
                caught = true;
            }
        });
        while (!is_inside)
            std::this_thread::yield();
        std::thread second([&] { EXPECT_EQ(pthread_once(&control, throw_at_first), 0); });
        may_throw = true;
        first.join();
        second.join();
        EXPECT_TRUE(caught);
        EXPECT_EQ(attempts, 2);
        EXPECT_EQ(control, 2);
    }
}

void wait_for_cancellation() {
    if (attempts++ == 0) {
        is_inside = true;
        for (;;)
            pause();
    }
}

TEST(Once, ACancellationResetsIt) {
    static pthread_once_t control = PTHREAD_ONCE_INIT;
    is_inside = false;
    attempts = 0;
    pthread_t first;
    ASSERT_EQ(pthread_create(
                  &first, nullptr,
                  [](void *) -> void * {
                      pthread_once(&control, wait_for_cancellation);
                      return nullptr;
                  },
                  nullptr),
              0);
    while (!is_inside)
        std::this_thread::yield();
    std::thread second([&] { EXPECT_EQ(pthread_once(&control, wait_for_cancellation), 0); });
    ASSERT_EQ(pthread_cancel(first), 0);
    void *result = nullptr;
    pthread_join(first, &result);
    EXPECT_EQ(result, PTHREAD_CANCELED);
    second.join();
    EXPECT_EQ(attempts, 2);
    EXPECT_EQ(control, 2);
}

TEST(Once, StdCallOnceRetriesAfterAnException) {
    std::once_flag flag;
    int tries = 0;
    for (int i = 0; i < 3; ++i) {
        try {
            std::call_once(flag, [&] {
                if (tries++ < 2)
                    throw i;
            });
        } catch (int thrown) {
            EXPECT_EQ(thrown, i);
        }
    }
    std::call_once(flag, [&] { ++tries; });
    EXPECT_EQ(tries, 3);
}

pthread_once_t forked_control = PTHREAD_ONCE_INIT;
std::atomic<bool> may_finish{false};

void run_in_parent() {
    if (attempts++ == 0) {
        is_inside = true;
        while (!may_finish)
            std::this_thread::yield();
    }
}

/* The child has no thread that could finish what a thread of the parent began. */
TEST(Once, TheChildOfAForkStartsAHalfDoneOneAnew) {
    is_inside = false;
    may_finish = false;
    attempts = 0;
    std::thread runner([] { pthread_once(&forked_control, run_in_parent); });
    while (!is_inside)
        std::this_thread::yield();
    const pid_t child = fork();
    if (child == 0) {
        pthread_once(&forked_control, run_in_parent);
        _exit(attempts == 2 && forked_control == 2 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    may_finish = true;
    runner.join();
    EXPECT_EQ(forked_control, 2);
}

TEST(Once, LeavesErrnoAlone) {
    pthread_once_t control = PTHREAD_ONCE_INIT;
    errno = 4711;
    pthread_once(&control, [] {});
    pthread_once(&control, [] {});
    EXPECT_EQ(errno, 4711);
}

} // namespace
