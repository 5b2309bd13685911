/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc.hpp: the classes fit the standard library's guards, and deadlines from std::chrono saturate. */
#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <mutex>
#include <plc/plc.hpp>
#include <ratio>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "support/stress.h"

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

/* ---- What a type must offer, as the standard words it */

struct offers {
    template <typename T>
    static auto timed_lockable(T &lock)
        -> decltype(lock.lock(), lock.unlock(), bool{lock.try_lock()}, bool{lock.try_lock_for(1ms)},
                    bool{lock.try_lock_until(steady_clock::time_point())}, std::true_type{});
    static std::false_type timed_lockable(...);

    template <typename T>
    static auto shared_timed_lockable(T &lock)
        -> decltype(lock.lock_shared(), lock.unlock_shared(), bool{lock.try_lock_shared()},
                    bool{lock.try_lock_shared_for(1ms)}, bool{lock.try_lock_shared_until(system_clock::time_point())},
                    std::true_type{});
    static std::false_type shared_timed_lockable(...);
};
template <typename T>
constexpr bool is_timed_lockable_v = decltype(offers::timed_lockable(std::declval<T &>()))::value;
template <typename T>
constexpr bool is_shared_timed_lockable_v = decltype(offers::shared_timed_lockable(std::declval<T &>()))::value;

static_assert(!is_timed_lockable_v<std::mutex>, "the question can be answered with no");
static_assert(is_timed_lockable_v<plc::mutex>);
static_assert(!is_shared_timed_lockable_v<plc::mutex>);
static_assert(is_timed_lockable_v<plc::shared_mutex>);
static_assert(is_shared_timed_lockable_v<plc::shared_mutex>);
static_assert(is_timed_lockable_v<plc::scalable_shared_mutex>);
static_assert(is_shared_timed_lockable_v<plc::scalable_shared_mutex>);
static_assert(is_timed_lockable_v<plc::upgrade_mutex>);
static_assert(is_shared_timed_lockable_v<plc::upgrade_mutex>);

template <typename T, typename Raw>
constexpr bool is_as_plain_as_c_v =
    sizeof(T) == sizeof(Raw) &&
    std::is_standard_layout_v<T> &&std::is_trivially_destructible_v<T> &&std::is_nothrow_default_constructible_v<T> &&
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(is_as_plain_as_c_v<plc::mutex, plc_mutex_t>);
static_assert(is_as_plain_as_c_v<plc::shared_mutex, plc_rwlock_t>);
static_assert(is_as_plain_as_c_v<plc::upgrade_mutex, plc_rwlock_t>);
static_assert(is_as_plain_as_c_v<plc::scalable_shared_mutex, plc_rwlock_scalable_t>);
static_assert(is_as_plain_as_c_v<plc::condition_variable, plc_condvar_t>);
static_assert(is_as_plain_as_c_v<plc::once_flag, plc_once_t>);

/* Constant initialisation: usable by other translation units' constructors. */
[[maybe_unused]] constexpr plc::mutex constant_mutex;
[[maybe_unused]] constexpr plc::upgrade_mutex constant_upgrade_mutex;
[[maybe_unused]] constexpr plc::condition_variable constant_condvar;
[[maybe_unused]] constexpr plc::once_flag constant_once;

/* ---- Chrono */

constexpr int64_t most = std::numeric_limits<int64_t>::max();
constexpr int64_t least = std::numeric_limits<int64_t>::min();
using picoseconds = std::chrono::duration<int64_t, std::pico>;
using thirds = std::chrono::duration<int64_t, std::ratio<1, 3>>;
using years32 = std::chrono::duration<int32_t, std::ratio<31556952>>;
using float_seconds = std::chrono::duration<double>;

static_assert(plc::detail::saturated_ns(1s) == 1000000000);
static_assert(plc::detail::saturated_ns(-2h) == -7200000000000);
static_assert(plc::detail::saturated_ns(nanoseconds::max()) == most);
static_assert(plc::detail::saturated_ns(nanoseconds(most - 1)) == most - 1);
static_assert(plc::detail::saturated_ns(nanoseconds::min()) == least);
static_assert(plc::detail::saturated_ns(std::chrono::hours::max()) == most);
static_assert(plc::detail::saturated_ns(std::chrono::hours::min()) == least);
static_assert(plc::detail::saturated_ns(years32(300)) == most);
static_assert(plc::detail::saturated_ns(years32(-300)) == least);
static_assert(plc::detail::saturated_ns(picoseconds(1)) == 1, "rounded up");
static_assert(plc::detail::saturated_ns(picoseconds(-1)) == 0, "rounded up");
static_assert(plc::detail::saturated_ns(picoseconds(2000)) == 2);
static_assert(plc::detail::saturated_ns(thirds(1)) == 333333334, "rounded up");
static_assert(plc::detail::saturated_ns(thirds::max()) == most);
static_assert(plc::detail::saturated_ns(float_seconds(0.5)) == 500000000);
static_assert(plc::detail::saturated_ns(float_seconds(1e300)) == most);
static_assert(plc::detail::saturated_ns(float_seconds(-1e300)) == least);
static_assert(plc::detail::saturated_ns(float_seconds(std::numeric_limits<double>::infinity())) == most);
static_assert(plc::detail::ns_until(5, 5) == 0);
static_assert(plc::detail::ns_until(5, least) == 0);
static_assert(plc::detail::ns_until(least, most) == most);
static_assert(plc::detail::ns_until(-5, 5) == 10);

TEST(CppDeadline, EndsOfTheClocksMeanNeverAndNow) {
    EXPECT_TRUE(plc_deadline_is_never(plc::deadline_at(steady_clock::time_point::max())));
    EXPECT_TRUE(plc_deadline_is_never(plc::deadline_at(system_clock::time_point::max())));
    EXPECT_TRUE(plc_deadline_is_never(plc::deadline_after(std::chrono::hours::max())));
    EXPECT_TRUE(plc_deadline_has_passed(plc::deadline_at(steady_clock::time_point::min())));
    EXPECT_TRUE(plc_deadline_has_passed(plc::deadline_at(system_clock::time_point::min())));
    EXPECT_TRUE(plc_deadline_has_passed(plc::deadline_after(std::chrono::hours::min())));
    EXPECT_FALSE(plc_deadline_has_passed(plc::deadline_after(1h)));
    EXPECT_FALSE(plc_deadline_has_passed(plc::deadline_at(system_clock::now() + 1h)));
    EXPECT_FALSE(plc_deadline_has_passed(plc::deadline_at(steady_clock::now() + 1h)));
}

TEST(CppDeadline, TheSystemClockIsTheRealtimeOne) {
    const plc_deadline_t deadline = plc::deadline_at(system_clock::time_point(42s));
    EXPECT_EQ(deadline.clock, PLC_CLOCK_REALTIME);
    EXPECT_EQ(deadline.ns, 42000000000);
}

/* A clock of which libplc knows nothing; it passes only when it is told to. */
struct manual_clock {
    using duration = std::chrono::milliseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<manual_clock>;
    [[maybe_unused]] static constexpr bool is_steady = true;
    static inline std::atomic<int> readings{0};
    /* A millisecond passes with each look at the clock, so that a wait ends after a known number of looks. */
    static time_point now() {
        return time_point(duration(readings.fetch_add(1)));
    }
};

/* ---- Locks */

/* What a thread that is not the owner finds. */
template <typename Function>
auto in_another_thread(Function function) {
    decltype(function()) result{};
    std::thread([&] { result = function(); }).join();
    return result;
}

template <typename T>
class CppExclusive : public testing::Test {};
using ExclusiveTypes = testing::Types<plc::mutex, plc::shared_mutex, plc::upgrade_mutex, plc::scalable_shared_mutex>;
TYPED_TEST_SUITE(CppExclusive, ExclusiveTypes, );

/* The scalable one has neither the fair forms nor the recursive mode. */
template <typename T>
constexpr bool is_scalable_v = std::is_same_v<T, plc::scalable_shared_mutex>;

TYPED_TEST(CppExclusive, GuardsExclude) {
    TypeParam lock;
    {
        std::unique_lock<TypeParam> guard(lock);
        EXPECT_TRUE(lock.is_locked());
        EXPECT_FALSE(in_another_thread([&] { return lock.try_lock(); }));
        guard.unlock();
        EXPECT_FALSE(lock.is_locked());
        EXPECT_TRUE(guard.try_lock());
    }
    EXPECT_FALSE(lock.is_locked());
    {
        std::lock_guard<TypeParam> guard(lock);
        EXPECT_TRUE(lock.is_locked());
        if constexpr (!is_scalable_v<TypeParam>)
            lock.bump();
        EXPECT_TRUE(lock.is_locked());
    }
    lock.lock();
    if constexpr (is_scalable_v<TypeParam>)
        lock.unlock();
    else
        lock.unlock_fair();
    EXPECT_FALSE(lock.is_locked());
}

TYPED_TEST(CppExclusive, TimedTriesEndOnEveryClock) {
    TypeParam lock;
    std::unique_lock<TypeParam> guard(lock, 1h);
    ASSERT_TRUE(guard.owns_lock()) << "a free lock is taken at once";
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_for(-1s); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_for(std::chrono::hours::min()); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_for(float_seconds(0.001)); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_until(steady_clock::now() + 1ms); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_until(system_clock::now() + 1ms); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_until(steady_clock::time_point::min()); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_until(system_clock::time_point::min()); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_until(manual_clock::now() + 10ms); }));
    guard.unlock();
    EXPECT_TRUE(lock.try_lock_until(steady_clock::time_point::min())) << "a free lock is taken even if late";
    lock.unlock();
}

TYPED_TEST(CppExclusive, WaitsThatNeverEndByTimeEndByUnlock) {
    TypeParam lock;
    lock.lock();
    std::thread for_ever([&] {
        if (lock.try_lock_for(std::chrono::hours::max()))
            lock.unlock();
        else
            ADD_FAILURE() << "the longest duration passed";
    });
    std::thread until_the_end([&] {
        if (lock.try_lock_until(steady_clock::time_point::max()))
            lock.unlock();
        else
            ADD_FAILURE() << "the end of time was reached";
    });
    lock.unlock();
    for_ever.join();
    until_the_end.join();
    EXPECT_FALSE(lock.is_locked());
}

TYPED_TEST(CppExclusive, StdLockTakesSeveralInAnyOrder) {
    TypeParam a, b, c;
    size_t value = 0;
    const size_t rounds = plc_test::scaled(100000);
    plc_test::run_threads(3, [&](size_t index) {
        for (size_t i = 0; i < rounds; ++i) {
            if (index == 0) {
                std::scoped_lock guard(a, b, c);
                ++value;
            } else if (index == 1) {
                std::scoped_lock guard(c, b, a);
                ++value;
            } else {
                std::lock(b, a, c);
                std::unique_lock<TypeParam> first(a, std::adopt_lock), second(b, std::adopt_lock),
                    third(c, std::adopt_lock);
                ++value;
            }
        }
    });
    EXPECT_EQ(value, 3 * rounds);
}

template <typename T>
class CppShared : public testing::Test {};
using SharedTypes = testing::Types<plc::shared_mutex, plc::upgrade_mutex, plc::scalable_shared_mutex>;
TYPED_TEST_SUITE(CppShared, SharedTypes, );

TYPED_TEST(CppShared, ReadersShareAndKeepWritersOut) {
    TypeParam lock;
    std::shared_lock<TypeParam> guard(lock);
    EXPECT_TRUE(in_another_thread([&] { return std::shared_lock<TypeParam>(lock, std::try_to_lock).owns_lock(); }));
    EXPECT_TRUE(in_another_thread([&] { return std::shared_lock<TypeParam>(lock, 1h).owns_lock(); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock(); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_for(1ms); }));
    if constexpr (!is_scalable_v<TypeParam>) {
        lock.lock_shared_recursive();
        lock.unlock_shared();
    }
    guard.unlock();

    lock.lock();
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_shared(); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_shared_for(1ms); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_shared_until(system_clock::now() + 1ms); }));
    lock.unlock_and_lock_shared();
    EXPECT_TRUE(in_another_thread([&] { return std::shared_lock<TypeParam>(lock, std::try_to_lock).owns_lock(); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock(); }));
    lock.unlock_shared();
    EXPECT_FALSE(lock.is_locked());
}

TEST(CppUpgrade, OneUpgraderAmongReadersBecomesTheWriter) {
    plc::upgrade_mutex lock;
    lock.lock_upgrade();
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_upgrade(); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_upgrade_for(1ms); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_upgrade_until(steady_clock::now() + 1ms); }));
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock(); }));

    lock.lock_shared(); /* a reader: the upgrade has to wait for it */
    EXPECT_FALSE(lock.try_unlock_upgrade_and_lock());
    EXPECT_FALSE(lock.try_unlock_upgrade_and_lock_for(1ms));
    EXPECT_FALSE(lock.try_unlock_upgrade_and_lock_until(system_clock::now() + 1ms));
    lock.unlock_shared();
    EXPECT_TRUE(lock.try_unlock_upgrade_and_lock());
    EXPECT_FALSE(in_another_thread([&] { return lock.try_lock_shared(); }));

    lock.unlock_and_lock_upgrade();
    EXPECT_TRUE(
        in_another_thread([&] { return std::shared_lock<plc::upgrade_mutex>(lock, std::try_to_lock).owns_lock(); }));
    lock.unlock_upgrade_and_lock();
    EXPECT_TRUE(plc_rwlock_is_write_locked(lock.native_handle()));
    lock.unlock_and_lock_upgrade();
    lock.unlock_upgrade_and_lock_shared();
    EXPECT_TRUE(in_another_thread([&] {
        const bool taken = lock.try_lock_upgrade_for(1h);
        lock.unlock_upgrade();
        return taken;
    }));
    lock.unlock_shared();
    EXPECT_FALSE(lock.is_locked());
}

/* ---- Condition variable */

/* Sends numbers through a slot of one, with whatever lock and guard the condition variable accepts. */
template <typename Lock, typename Guard>
void pass_numbers(size_t count) {
    Lock lock;
    plc::condition_variable changed;
    size_t slot = 0, sum = 0;
    std::thread receiver([&] {
        for (size_t i = 0; i < count; ++i) {
            Guard guard(lock);
            changed.wait(guard, [&] { return slot != 0; });
            sum += slot;
            slot = 0;
            changed.notify_one();
        }
    });
    for (size_t i = 1; i <= count; ++i) {
        Guard guard(lock);
        while (slot != 0)
            changed.wait(guard);
        slot = i;
        changed.notify_all();
    }
    receiver.join();
    EXPECT_EQ(sum, count * (count + 1) / 2);
}

TEST(CppCondvar, WaitsWithEveryLock) {
    const size_t count = plc_test::scaled(2000);
    pass_numbers<plc::mutex, std::unique_lock<plc::mutex>>(count);
    pass_numbers<plc::shared_mutex, std::unique_lock<plc::shared_mutex>>(count);
    pass_numbers<std::mutex, std::unique_lock<std::mutex>>(count);
}

TEST(CppCondvar, WaitsWithABareMutex) {
    plc::mutex mutex;
    plc::condition_variable changed;
    bool ready = false;
    std::thread other([&] {
        std::lock_guard<plc::mutex> guard(mutex);
        ready = true;
        changed.notify_one();
    });
    mutex.lock();
    changed.wait(mutex, [&] { return ready; });
    EXPECT_TRUE(mutex.is_locked());
    mutex.unlock();
    other.join();
}

TEST(CppCondvar, TimedWaitsEndOnEveryClock) {
    plc::mutex mutex;
    plc::condition_variable condvar;
    std::unique_lock<plc::mutex> guard(mutex);
    EXPECT_EQ(condvar.wait_for(guard, 1ms), std::cv_status::timeout);
    EXPECT_EQ(condvar.wait_for(guard, std::chrono::hours::min()), std::cv_status::timeout);
    EXPECT_EQ(condvar.wait_until(guard, steady_clock::now() + 1ms), std::cv_status::timeout);
    EXPECT_EQ(condvar.wait_until(guard, system_clock::now() + 1ms), std::cv_status::timeout);
    EXPECT_EQ(condvar.wait_until(guard, system_clock::time_point::min()), std::cv_status::timeout);
    EXPECT_FALSE(condvar.wait_until(guard, manual_clock::now() + 5ms, [] { return false; }));
    EXPECT_FALSE(condvar.wait_for(guard, float_seconds(0.001), [] { return false; }));
    EXPECT_TRUE(condvar.wait_for(guard, 0s, [] { return true; }));
    EXPECT_TRUE(guard.owns_lock());
    EXPECT_TRUE(mutex.is_locked());
    EXPECT_FALSE(condvar.notify_one()) << "nobody waits any more";
    EXPECT_EQ(condvar.notify_all(), 0u);
}

TEST(CppCondvar, NotifiedBeforeADistantDeadline) {
    plc::mutex mutex;
    plc::condition_variable changed;
    int stage = 0;
    std::thread waiter([&] {
        std::unique_lock<plc::mutex> guard(mutex);
        EXPECT_TRUE(changed.wait_until(guard, system_clock::time_point::max(), [&] { return stage == 1; }));
        stage = 2;
        changed.notify_all();
        EXPECT_TRUE(changed.wait_for(guard, std::chrono::hours::max(), [&] { return stage == 3; }));
    });
    std::unique_lock<plc::mutex> guard(mutex);
    stage = 1;
    changed.notify_all();
    changed.wait(guard, [&] { return stage == 2; });
    stage = 3;
    changed.notify_one();
    guard.unlock();
    waiter.join();
}

/* ---- Once */

TEST(CppOnce, CallsOnceWithItsArguments) {
    plc::once_flag once;
    std::atomic<int> calls{0};
    std::string text;
    plc_test::run_threads(4, [&](size_t) {
        plc::call_once(
            once,
            [&](const std::string &head, std::unique_ptr<int> tail) {
                ++calls;
                text = head + std::to_string(*tail);
            },
            "seven ", std::make_unique<int>(7));
        EXPECT_EQ(text, "seven 7");
    });
    EXPECT_EQ(calls.load(), 1);
    EXPECT_TRUE(once.is_done());
}

TEST(CppOnce, AnExceptionLeavesAndTheNextCallTriesAgain) {
    plc::once_flag once;
    EXPECT_THROW(plc::call_once(once, [] { throw std::runtime_error("not yet"); }), std::runtime_error);
    EXPECT_FALSE(once.is_done());
    int calls = 0;
    plc::call_once(once, [&] { ++calls; });
    plc::call_once(once, [&] { ++calls; });
    EXPECT_EQ(calls, 1);
}

TEST(CppOnce, CallsMembers) {
    struct counter {
        int value = 0;
        void add(int n) {
            value += n;
        }
    } counted;
    plc::once_flag once;
    plc::call_once(once, &counter::add, &counted, 3);
    plc::call_once(once, &counter::add, &counted, 3);
    EXPECT_EQ(counted.value, 3);
}

/* ---- Stress */

TEST(CppWrapper, MixedModesKeepTwoCountersEqual) {
    plc::upgrade_mutex lock;
    size_t first = 0, second = 0;
    std::atomic<size_t> writes{0};
    const size_t rounds = plc_test::scaled(100000);
    plc_test::run_threads(4, [&](size_t, plc_test::Random &random) {
        for (size_t i = 0; i < rounds; ++i) {
            switch (random.below(4)) {
            case 0: {
                std::unique_lock<plc::upgrade_mutex> guard(lock);
                ++first, ++second, ++writes;
                break;
            }
            case 1: {
                lock.lock_upgrade();
                EXPECT_EQ(first, second);
                lock.unlock_upgrade_and_lock();
                ++first, ++second, ++writes;
                lock.unlock_and_lock_shared();
                EXPECT_EQ(first, second);
                lock.unlock_shared();
                break;
            }
            default: {
                std::shared_lock<plc::upgrade_mutex> guard(lock);
                EXPECT_EQ(first, second);
            }
            }
        }
    });
    EXPECT_EQ(first, writes.load());
    EXPECT_EQ(second, writes.load());
}

} // namespace
