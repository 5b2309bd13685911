/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The C++ standard library's locks, which are made of pthread's. */
#include "dropin.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

using std::chrono::milliseconds;

template <typename Body>
void in_threads(int count, Body body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i)
        threads.emplace_back([&body, i] { body(i); });
    for (std::thread &thread : threads)
        thread.join();
}

template <typename Mutex>
class Mutexes : public testing::Test {};
using MutexTypes = testing::Types<std::mutex, std::timed_mutex, std::recursive_mutex, std::recursive_timed_mutex,
                                  std::shared_mutex, std::shared_timed_mutex>;
TYPED_TEST_SUITE(Mutexes, MutexTypes, );

TYPED_TEST(Mutexes, Exclude) {
    TypeParam mutex;
    long count = 0;
    in_threads(4, [&](int) {
        for (int i = 0; i < 10000; ++i) {
            std::lock_guard<TypeParam> guard(mutex);
            ++count;
        }
    });
    EXPECT_EQ(count, 40000);
}

TYPED_TEST(Mutexes, AreGivenBackByExceptions) {
    TypeParam mutex;
    std::atomic<int> caught{0};
    in_threads(4, [&](int) {
        for (int i = 0; i < 200; ++i) {
            try {
                std::lock_guard<TypeParam> guard(mutex);
                throw std::runtime_error("inside");
            } catch (const std::runtime_error &) {
                ++caught;
            }
        }
    });
    EXPECT_EQ(caught, 800);
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
}

TEST(TimedMutex, TimesOut) {
    std::timed_mutex mutex;
    std::lock_guard<std::timed_mutex> guard(mutex);
    const auto until = std::chrono::steady_clock::now() + milliseconds(3);
    EXPECT_FALSE(elsewhere([&] { return mutex.try_lock_until(until); }));
    EXPECT_GE(std::chrono::steady_clock::now(), until);
    EXPECT_FALSE(elsewhere([&] { return mutex.try_lock_for(milliseconds(-1)); }));
}

TEST(SharedTimedMutex, SharesAndTimesOut) {
    std::shared_timed_mutex mutex;
    {
        std::shared_lock<std::shared_timed_mutex> guard(mutex);
        EXPECT_TRUE(
            elsewhere([&] { return std::shared_lock<std::shared_timed_mutex>(mutex, milliseconds(1)).owns_lock(); }));
        EXPECT_FALSE(elsewhere([&] { return mutex.try_lock_for(milliseconds(3)); }));
    }
    std::lock_guard<std::shared_timed_mutex> guard(mutex);
    EXPECT_FALSE(elsewhere([&] { return mutex.try_lock_shared_for(milliseconds(3)); }));
    EXPECT_FALSE(
        elsewhere([&] { return mutex.try_lock_shared_until(std::chrono::system_clock::now() + milliseconds(3)); }));
}

TEST(SharedMutex, KeepsReadersTogetherAndWritersApart) {
    std::shared_mutex mutex;
    long a = 0;
    long b = 0;
    in_threads(4, [&](int index) {
        for (int i = 0; i < 5000; ++i) {
            if ((i + index) % 4 == 0) {
                std::unique_lock<std::shared_mutex> guard(mutex);
                ++a;
                ++b;
            } else {
                std::shared_lock<std::shared_mutex> guard(mutex);
                EXPECT_EQ(a, b);
            }
        }
    });
    EXPECT_EQ(a, 5000);
}

TEST(ConditionVariable, HandsOver) {
    std::mutex mutex;
    std::condition_variable condition;
    int turn = 0;
    in_threads(2, [&](int index) {
        for (int i = 0; i < 3000; ++i) {
            std::unique_lock<std::mutex> lock(mutex);
            condition.wait(lock, [&] { return turn % 2 == index; });
            ++turn;
            lock.unlock();
            condition.notify_one();
        }
    });
    EXPECT_EQ(turn, 6000);
}

TEST(ConditionVariable, TimesOutOnEveryClock) {
    std::mutex mutex;
    std::condition_variable condition;
    std::unique_lock<std::mutex> lock(mutex);
    const auto steady = std::chrono::steady_clock::now() + milliseconds(3);
    EXPECT_FALSE(condition.wait_until(lock, steady, [] { return false; }));
    EXPECT_GE(std::chrono::steady_clock::now(), steady);
    const auto system = std::chrono::system_clock::now() + milliseconds(3);
    EXPECT_FALSE(condition.wait_until(lock, system, [] { return false; }));
    EXPECT_FALSE(condition.wait_for(lock, milliseconds(-5), [] { return false; }));
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(elsewhere([&] { return mutex.try_lock(); }));
}

TEST(ConditionVariableAny, WorksWithEachMutex) {
    std::shared_mutex mutex;
    std::condition_variable_any condition;
    bool is_ready = false;
    std::thread waiter([&] {
        std::shared_lock<std::shared_mutex> lock(mutex);
        condition.wait(lock, [&] { return is_ready; });
    });
    {
        std::unique_lock<std::shared_mutex> lock(mutex);
        is_ready = true;
    }
    condition.notify_all();
    waiter.join();
}

TEST(ConditionVariable, NotifiesAtThreadExit) {
    std::mutex mutex;
    std::condition_variable condition;
    bool is_over = false;
    std::thread ending([&] {
        std::unique_lock<std::mutex> lock(mutex);
        is_over = true;
        std::notify_all_at_thread_exit(condition, std::move(lock));
    });
    std::unique_lock<std::mutex> lock(mutex);
    condition.wait(lock, [&] { return is_over; });
    lock.unlock();
    ending.join();
}

TEST(CallOnce, SurvivesExceptionsUnderContention) {
    for (int round = 0; round < 100; ++round) {
        std::once_flag flag;
        std::atomic<int> tries{0};
        std::atomic<int> thrown{0};
        in_threads(4, [&](int) {
            try {
                std::call_once(flag, [&] {
                    if (tries++ < 2)
                        throw std::runtime_error("not yet");
                });
            } catch (const std::runtime_error &) {
                ++thrown;
            }
        });
        EXPECT_EQ(tries, 3);
        EXPECT_EQ(thrown, 2);
    }
}

TEST(Future, CarriesValuesAndExceptions) {
    for (int i = 0; i < 200; ++i) {
        std::future<int> value = std::async(std::launch::async, [i] {
            if (i % 2 == 1)
                throw i;
            return i;
        });
        try {
            EXPECT_EQ(value.get(), i);
        } catch (int exception) {
            EXPECT_EQ(exception, i);
            EXPECT_EQ(i % 2, 1);
        }
    }
}

int make_slowly() {
    static std::atomic<int> made{0};
    std::this_thread::yield();
    return ++made;
}

TEST(LocalStatic, IsMadeOnce) {
    in_threads(4, [](int) {
        static const int made = make_slowly();
        EXPECT_EQ(made, 1);
    });
}

} // namespace
