/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* fork: the child has an empty, working lot, whatever the parent's threads were doing. */
#include <atomic>
#include <functional>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/small_threads.h"
#include "support/waiter_thread.h"

namespace {

using plc_test::park_thread;
using plc_test::park_threads;
using plc_test::parked_count;

struct Way {
    const char *name;
    pid_t (*fork_now)();
};

/* fork, and the bare system call's wrapper that runs no handlers. */
std::vector<Way> ways() {
    std::vector<Way> all = {{"fork", fork}};
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    if (!plc_test::with_tsan && !plc_test::with_asan) /* their runtimes need their handlers */
        all.push_back({"_Fork", _Fork});
#endif
    return all;
}

/* The child runs the body, which returns 0 or the number of the expectation that failed; gtest stays out of it. */
void expect_in_child(const Way &way, const std::function<int()> &body) {
    SCOPED_TRACE(way.name);
    const pid_t child = way.fork_now();
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(60); /* a child that hangs fails */
        _exit(body());
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "which expectation failed";
}

/* ThreadSanitizer refuses new threads in the child of a process that had several. */
constexpr bool child_may_start_threads = !plc_test::with_tsan;

/* Threads that park and are woken, a mutex that is contended: 0 if all is well. */
int check_that_the_lot_works() {
    const char key = 0;
    const plc_park_ops ops = {};
    if (plc_park(&key, &ops, nullptr, 0, plc_test::soon()).status != PLC_PARK_TIMED_OUT)
        return 104;
    if (!child_may_start_threads)
        return 0;
    auto threads = park_threads(&key, 4, 1);
    if (parked_count(&key) != 4)
        return 101;
    if (plc_unpark_all(&key, 9) != 4)
        return 102;
    for (auto &thread : threads) {
        if (thread->join().token != 9)
            return 103;
    }
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    int value = 0;
    std::vector<std::thread> lockers;
    for (int i = 0; i < 4; ++i) {
        lockers.emplace_back([&] {
            for (int j = 0; j < 500; ++j) {
                plc_mutex_lock(&mutex);
                ++value;
                plc_mutex_unlock(&mutex);
            }
        });
    }
    for (std::thread &locker : lockers)
        locker.join();
    return value == 2000 ? 0 : 105;
}

class Fork : public testing::TestWithParam<Way> {};
INSTANTIATE_TEST_SUITE_P(Ways, Fork, testing::ValuesIn(ways()),
                         [](const testing::TestParamInfo<Way> &way) { return std::string(way.param.name); });

TEST_P(Fork, TheParentsWaitersAreNotInTheChild) {
    const char keys[2] = {};
    auto threads = park_threads(&keys[0], 3);
    auto other = park_thread(&keys[1]);
    expect_in_child(GetParam(), [&keys] {
        if (parked_count(&keys[0]) != 0 || parked_count(&keys[1]) != 0)
            return 1;
        if (plc_unpark_all(&keys[0], 0) != 0 || plc_unpark_one(&keys[1], nullptr, nullptr).unparked != 0)
            return 2;
        return check_that_the_lot_works();
    });
    EXPECT_EQ(parked_count(&keys[0]), 3u) << "the parent's are where they were";
    EXPECT_EQ(plc_unpark_all(&keys[0], 5), 3u);
    EXPECT_EQ(plc_unpark_all(&keys[1], 5), 1u);
    for (auto &thread : threads)
        EXPECT_EQ(thread->join().token, 5u);
}

TEST_P(Fork, TheChildOfAChildWorksToo) {
    if (!child_may_start_threads)
        GTEST_SKIP() << "the sanitizer's limit";
    const char key = 0;
    auto thread = park_thread(&key);
    const Way &way = GetParam();
    expect_in_child(way, [&] {
        const int failed = check_that_the_lot_works();
        if (failed)
            return failed;
        auto child_thread = park_thread(&key);
        const pid_t grandchild = way.fork_now();
        if (grandchild == 0)
            _exit(parked_count(&key) != 0 ? 11 : check_that_the_lot_works());
        int status = 0;
        waitpid(grandchild, &status, 0);
        if (plc_unpark_all(&key, 0) != 1)
            return 12;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 13;
    });
    EXPECT_EQ(plc_unpark_all(&key, 0), 1u);
}

/* A mutex that the forking thread holds is held in the child. That the parent's threads wait for it is remembered in the
   byte but true no more: the child's unlock finds nobody, and the mutex works on. */
TEST_P(Fork, AHeldMutexWithWaitersStaysHeldAndIsUnlocked) {
    for (bool fair : {false, true}) {
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        plc_mutex_lock(&mutex);
        std::vector<std::thread> waiters;
        for (size_t i = 0; i < 2; ++i) {
            waiters.emplace_back([&mutex] {
                plc_mutex_lock(&mutex);
                plc_mutex_unlock(&mutex);
            });
        }
        plc_test::wait_until_parked(&mutex, 2, PLC_WAITER_MUTEX);
        expect_in_child(GetParam(), [&mutex, fair] {
            if (!plc_mutex_is_locked(&mutex) || plc_mutex_try_lock(&mutex))
                return 1;
            if (fair)
                plc_mutex_unlock_fair(&mutex);
            else
                plc_mutex_unlock(&mutex);
            if (plc_mutex_is_locked(&mutex))
                return 2;
            for (int i = 0; i < (child_may_start_threads ? 3 : 0); ++i) {
                plc_mutex_lock(&mutex);
                bool visited = false;
                std::thread waiter([&] {
                    plc_mutex_lock(&mutex);
                    visited = true;
                    plc_mutex_unlock(&mutex);
                });
                plc_test::wait_until_parked(&mutex, 1, PLC_WAITER_MUTEX);
                plc_mutex_bump(&mutex);
                if (!visited)
                    return 3;
                plc_mutex_unlock(&mutex);
                waiter.join();
            }
            return plc_mutex_is_locked(&mutex) ? 4 : check_that_the_lot_works();
        });
        plc_mutex_unlock(&mutex);
        for (std::thread &waiter : waiters)
            waiter.join();
    }
}

/* Buckets are locked, queues half changed and waiters half awake in the moment of the fork. */
TEST_P(Fork, WhileOtherThreadsAreInsideTheLot) {
    const char keys[4] = {};
    std::atomic<bool> stop{false};
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    std::vector<std::thread> busy;
    for (size_t i = 0; i < 4; ++i) {
        busy.emplace_back([&, i] {
            const plc_park_ops ops = {};
            while (!stop.load()) {
                plc_park(&keys[i], &ops, nullptr, 0, plc_deadline_after_ns(1000));
                plc_unpark_all(&keys[(i + 1) % 4], 0);
                plc_unpark_requeue(
                    &keys[i], &keys[(i + 2) % 4], [](void *) { return PLC_REQUEUE_ALL; }, nullptr, nullptr);
                plc_mutex_lock(&mutex);
                plc_mutex_unlock(&mutex);
            }
        });
    }
    for (int round = 0; round < 30; ++round) {
        expect_in_child(GetParam(), [&keys] {
            for (const char &key : keys) {
                if (parked_count(&key) != 0)
                    return 1;
            }
            return check_that_the_lot_works();
        });
    }
    stop = true;
    for (std::thread &thread : busy)
        thread.join();
}

/* A callback forks while its own thread is queued: in the child it finds itself gone, and tolerates it. */
TEST_P(Fork, FromBeforeSleepOfAQueuedThread) {
    struct Call {
        const Way *way;
        pid_t child = -1;
        char key = 0;
    } call;
    call.way = &GetParam();
    plc_park_ops ops = {};
    ops.before_sleep = [](void *context) {
        auto *self = static_cast<Call *>(context);
        self->child = self->way->fork_now();
    };
    const plc_park_result result = plc_park(&call.key, &ops, &call, 0, plc_test::soon());
    if (call.child == 0) {
        alarm(60);
        _exit(result.status == PLC_PARK_TIMED_OUT && parked_count(&call.key) == 0 ? check_that_the_lot_works() : 1);
    }
    EXPECT_EQ(result.status, PLC_PARK_TIMED_OUT);
    int status = 0;
    ASSERT_EQ(waitpid(call.child, &status, 0), call.child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

/* The last: the table stays grown in the parent. In the child the first table is current again. */
TEST_P(Fork, AfterGrowth) {
    /* All in one bucket, so that looks walk past many, and more than half as many as the first table has buckets. */
    const auto keys = plc_test::keys_beside(plc_test::key_arena(0), 160);
    const size_t crowd = keys.size();
    const size_t size = plc_bucket_table_size();
    static size_t first_size = size;
    std::atomic<size_t> queued{0};
    plc_test::SmallThreads sleepers;
    sleepers.start(crowd, [&](size_t i) {
        plc_park_ops ops = {};
        ops.before_sleep = [](void *context) { ++*static_cast<std::atomic<size_t> *>(context); };
        plc_park(keys[i], &ops, &queued, 0, PLC_NO_DEADLINE);
    });
    while (queued.load() != crowd)
        std::this_thread::yield();
    /* Looks that walk past strangers wish for growth, and a thread that parks grants it: not for the first wish. */
    for (int attempt = 0; attempt < 200 && plc_bucket_table_size() == first_size; ++attempt) {
        for (const void *key : keys)
            EXPECT_EQ(parked_count(key), 1u);
        const plc_park_ops ops = {};
        plc_park(&queued, &ops, nullptr, 0, plc_deadline_t{0, PLC_CLOCK_MONOTONIC});
    }
    EXPECT_GT(plc_bucket_table_size(), first_size);
    expect_in_child(GetParam(), [&keys] {
        for (const void *key : keys) {
            if (parked_count(key) != 0)
                return 1;
        }
        return plc_bucket_table_size() == first_size ? check_that_the_lot_works() : 2;
    });
    for (const void *key : keys)
        EXPECT_EQ(plc_unpark_all(key, 0), 1u);
    sleepers.join();
}

} // namespace
