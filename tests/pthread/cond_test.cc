/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_cond_*: waking, times and clocks, with every kind of mutex that libplc serves, and with several at once. */
#include "dropin.h"

#include <atomic>
#include <memory>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

constexpr int kTypes[] = {PTHREAD_MUTEX_TIMED_NP, PTHREAD_MUTEX_RECURSIVE_NP, PTHREAD_MUTEX_ERRORCHECK_NP,
                          PTHREAD_MUTEX_ADAPTIVE_NP};

struct Fixture {
    pthread_mutex_t mutex;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    int value = 0;
    int waiting = 0;
    explicit Fixture(int type = PTHREAD_MUTEX_TIMED_NP) {
        MutexAttributes attributes(type);
        EXPECT_EQ(pthread_mutex_init(&mutex, &attributes.value), 0);
    }
    Fixture(const Fixture &) = delete;
    Fixture &operator=(const Fixture &) = delete;
    ~Fixture() {
        EXPECT_EQ(pthread_cond_destroy(&cond), 0);
        EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
    }
    void lock() {
        ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
    }
    void unlock() {
        ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
    }
    /* With the mutex held by nobody: returns with it held, when so many threads are inside wait. */
    void lock_when_waiting(int count) {
        for (;;) {
            lock();
            if (waiting == count)
                return;
            unlock();
            std::this_thread::yield();
        }
    }
    bool is_mine() const {
        return mutex.__data.__lock != 0 && mutex.__data.__owner == tid();
    }
};

pthread_cond_t make_cond(clockid_t clock) {
    pthread_cond_t cond;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, clock);
    EXPECT_EQ(pthread_cond_init(&cond, &attributes), 0);
    pthread_condattr_destroy(&attributes);
    return cond;
}

class EveryType : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Cond, EveryType, testing::ValuesIn(kTypes));

TEST_P(EveryType, TwoThreadsTakeTurns) {
    constexpr int kRounds = 3000;
    Fixture shared(GetParam());
    auto play = [&](int turn) {
        for (int round = 0; round < kRounds; ++round) {
            shared.lock();
            while (shared.value % 2 != turn)
                ASSERT_EQ(pthread_cond_wait(&shared.cond, &shared.mutex), 0);
            EXPECT_TRUE(shared.is_mine());
            ++shared.value;
            ASSERT_EQ(pthread_cond_signal(&shared.cond), 0);
            shared.unlock();
        }
    };
    std::thread other(play, 1);
    play(0);
    other.join();
    EXPECT_EQ(shared.value, 2 * kRounds);
}

TEST_P(EveryType, AQueueDeliversEverything) {
    constexpr int kItems = 20000;
    constexpr int kCapacity = 3;
    Fixture shared(GetParam());
    pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
    std::atomic<long> sum{0};
    int taken = 0;
    int produced = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            for (;;) {
                shared.lock();
                while (shared.value == 0 && taken < kItems)
                    ASSERT_EQ(pthread_cond_wait(&shared.cond, &shared.mutex), 0);
                if (taken == kItems) {
                    ASSERT_EQ(pthread_cond_broadcast(&shared.cond), 0);
                    shared.unlock();
                    return;
                }
                --shared.value;
                sum += ++taken;
                ASSERT_EQ(pthread_cond_signal(&not_full), 0);
                shared.unlock();
            }
        });
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            for (;;) {
                shared.lock();
                while (shared.value == kCapacity)
                    ASSERT_EQ(pthread_cond_wait(&not_full, &shared.mutex), 0);
                if (produced == kItems) {
                    shared.unlock();
                    return;
                }
                ++produced;
                ++shared.value;
                shared.unlock();
                ASSERT_EQ(pthread_cond_signal(&shared.cond), 0);
                ASSERT_EQ(pthread_cond_signal(&not_full), 0);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(sum, static_cast<long>(kItems) * (kItems + 1) / 2);
    EXPECT_EQ(pthread_cond_destroy(&not_full), 0);
}

TEST_P(EveryType, WakesAsManyAsAsked) {
    constexpr int kThreads = 6;
    Fixture shared(GetParam());
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&] {
            shared.lock();
            ++shared.waiting;
            while (shared.value == 0)
                ASSERT_EQ(pthread_cond_wait(&shared.cond, &shared.mutex), 0);
            EXPECT_TRUE(shared.is_mine());
            --shared.value;
            shared.unlock();
        });
    shared.lock_when_waiting(kThreads);
    for (int i = 0; i < 2; ++i) { /* one by one with the mutex held, */
        ++shared.value;
        ASSERT_EQ(pthread_cond_signal(&shared.cond), 0);
    }
    shared.unlock();
    shared.lock();
    ++shared.value; /* one without it, */
    shared.unlock();
    ASSERT_EQ(pthread_cond_signal(&shared.cond), 0);
    shared.lock();
    shared.value += kThreads - 3; /* and the rest at once. */
    ASSERT_EQ(pthread_cond_broadcast(&shared.cond), 0);
    shared.unlock();
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(shared.value, 0);
}

TEST_P(EveryType, TimesOutNotBeforeTheTime) {
    Fixture shared(GetParam());
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
        pthread_cond_t cond = make_cond(clock);
        shared.lock();
        timespec until = after_ms(clock, 5);
        EXPECT_EQ(pthread_cond_timedwait(&cond, &shared.mutex, &until), ETIMEDOUT);
        EXPECT_FALSE(is_before(now(clock), until));
        for (clockid_t other : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
            until = after_ms(other, 5);
            EXPECT_EQ(pthread_cond_clockwait(&cond, &shared.mutex, other, &until), ETIMEDOUT);
            EXPECT_FALSE(is_before(now(other), until));
        }
        EXPECT_TRUE(shared.is_mine());
        shared.unlock();
        EXPECT_EQ(pthread_cond_destroy(&cond), 0);
    }
}

TEST_P(EveryType, PastTimesAreOver) {
    Fixture shared(GetParam());
    shared.lock();
    for (time_t seconds : {static_cast<time_t>(0), static_cast<time_t>(-1), static_cast<time_t>(INT32_MIN)}) {
        const timespec past = at(seconds, 0);
        EXPECT_EQ(pthread_cond_timedwait(&shared.cond, &shared.mutex, &past), ETIMEDOUT);
        EXPECT_EQ(pthread_cond_clockwait(&shared.cond, &shared.mutex, CLOCK_MONOTONIC, &past), ETIMEDOUT);
        EXPECT_TRUE(shared.is_mine());
    }
    shared.unlock();
}

TEST_P(EveryType, BadTimesAndClocksAreInvalidAndKeepTheMutex) {
    Fixture shared(GetParam());
    const timespec until = never();
    shared.lock();
    for (long ns : {-1L, 1000000000L, LONG_MAX, LONG_MIN}) {
        const timespec bad = at(1, ns);
        EXPECT_EQ(pthread_cond_timedwait(&shared.cond, &shared.mutex, &bad), EINVAL);
        EXPECT_EQ(pthread_cond_clockwait(&shared.cond, &shared.mutex, CLOCK_MONOTONIC, &bad), EINVAL);
    }
    for (clockid_t clock : {CLOCK_PROCESS_CPUTIME_ID, CLOCK_BOOTTIME, clockid_t{-1}})
        EXPECT_EQ(pthread_cond_clockwait(&shared.cond, &shared.mutex, clock, &until), EINVAL);
    EXPECT_TRUE(shared.is_mine());
    shared.unlock();
}

TEST_P(EveryType, AbsurdlyLateTimesNeverCome) {
    Fixture shared(GetParam());
    const timespec until = never();
    for (int round = 0; round < 20; ++round) {
        shared.value = 0;
        std::thread waiter([&] {
            shared.lock();
            ++shared.waiting;
            while (shared.value == 0)
                ASSERT_EQ(round % 2 == 0 ? pthread_cond_timedwait(&shared.cond, &shared.mutex, &until)
                                         : pthread_cond_clockwait(&shared.cond, &shared.mutex, CLOCK_MONOTONIC, &until),
                          0);
            --shared.waiting;
            shared.unlock();
        });
        shared.lock_when_waiting(1);
        shared.value = 1;
        ASSERT_EQ(pthread_cond_signal(&shared.cond), 0);
        shared.unlock();
        waiter.join();
    }
}

/* A signal that comes together with the time must not be lost: whoever was signalled takes the token. */
TEST_P(EveryType, TimeOutsDoNotSwallowSignals) {
    constexpr int kRounds = 400;
    Fixture shared(GetParam());
    int tokens = 0;
    for (int round = 0; round < kRounds; ++round) {
        int got = 0;
        int timed_out = 0;
        shared.waiting = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i)
            threads.emplace_back([&, i] {
                shared.lock();
                ++shared.waiting;
                int code = 0;
                const timespec until = i == 0 ? after_ms(CLOCK_REALTIME, 0) : never();
                while (tokens == 0 && code == 0)
                    code = pthread_cond_timedwait(&shared.cond, &shared.mutex, &until);
                if (tokens > 0) {
                    --tokens;
                    ++got;
                } else {
                    ++timed_out;
                }
                shared.unlock();
            });
        shared.lock_when_waiting(2);
        ++tokens;
        shared.unlock();
        ASSERT_EQ(pthread_cond_signal(&shared.cond), 0);
        shared.lock();
        while (got == 0 || got + timed_out < 2) { /* the one without a time limit needs a token of its own */
            if (got == 1 && tokens == 0 && timed_out == 0)
                ++tokens;
            ASSERT_EQ(pthread_cond_broadcast(&shared.cond), 0);
            shared.unlock();
            std::this_thread::yield();
            shared.lock();
        }
        shared.unlock();
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(got + timed_out, 2);
        tokens = 0;
    }
}

TEST_P(EveryType, LeavesErrnoAlone) {
    Fixture shared(GetParam());
    const timespec past = at(1, 0);
    const timespec soon = after_ms(CLOCK_MONOTONIC, 2);
    shared.lock();
    errno = 4711;
    pthread_cond_timedwait(&shared.cond, &shared.mutex, &past);
    pthread_cond_clockwait(&shared.cond, &shared.mutex, CLOCK_MONOTONIC, &soon);
    pthread_cond_signal(&shared.cond);
    pthread_cond_broadcast(&shared.cond);
    EXPECT_EQ(errno, 4711);
    shared.unlock();
}

TEST(Cond, WaitNeedsTheMutexWhereTheMutexCanTell) {
    for (int type : {PTHREAD_MUTEX_RECURSIVE_NP, PTHREAD_MUTEX_ERRORCHECK_NP}) {
        Fixture shared(type);
        const timespec until = never();
        EXPECT_EQ(pthread_cond_wait(&shared.cond, &shared.mutex), EPERM);
        shared.lock();
        EXPECT_EQ(elsewhere([&] { return pthread_cond_timedwait(&shared.cond, &shared.mutex, &until); }), EPERM);
        EXPECT_TRUE(shared.is_mine());
        shared.unlock();
    }
}

TEST(Cond, WaitWithADestroyedMutexIsInvalid) {
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    ASSERT_EQ(pthread_mutex_destroy(&mutex), 0);
    EXPECT_EQ(pthread_cond_wait(&cond, &mutex), EINVAL);
}

TEST(Cond, ARecursiveMutexHeldTwiceLosesOneLevelForTheWait) {
    Fixture shared(PTHREAD_MUTEX_RECURSIVE_NP);
    const timespec past = at(1, 0);
    shared.lock();
    shared.lock();
    EXPECT_EQ(pthread_cond_timedwait(&shared.cond, &shared.mutex, &past), ETIMEDOUT);
    EXPECT_EQ(shared.mutex.__data.__count, 2u);
    EXPECT_TRUE(shared.is_mine());
    shared.unlock();
    EXPECT_EQ(pthread_cond_timedwait(&shared.cond, &shared.mutex, &past), ETIMEDOUT);
    EXPECT_EQ(shared.mutex.__data.__count, 1u);
    shared.unlock();
}

TEST(Cond, ZeroedMemoryIsOne) {
    Fixture shared;
    std::unique_ptr<void, void (*)(void *)> memory(std::calloc(1, sizeof(pthread_cond_t)), std::free);
    pthread_cond_t *cond = static_cast<pthread_cond_t *>(memory.get());
    const timespec past = at(1, 0);
    EXPECT_EQ(pthread_cond_signal(cond), 0);
    EXPECT_EQ(pthread_cond_broadcast(cond), 0);
    shared.lock();
    EXPECT_EQ(pthread_cond_timedwait(cond, &shared.mutex, &past), ETIMEDOUT);
    shared.unlock();
    EXPECT_EQ(pthread_cond_destroy(cond), 0);
}

TEST(Cond, KeepsItsClockWhereGlibcDoes) {
    pthread_cond_t cond = make_cond(CLOCK_MONOTONIC);
    EXPECT_EQ(cond.__data.__wrefs, 2u);
    EXPECT_EQ(pthread_cond_destroy(&cond), 0);
    cond = make_cond(CLOCK_REALTIME);
    EXPECT_EQ(cond.__data.__wrefs, 0u);
    EXPECT_EQ(pthread_cond_destroy(&cond), 0);
}

/* Undefined in POSIX while both wait, but glibc does not mind. */
TEST(Cond, WaitersMayUseDifferentMutexes) {
    for (int round = 0; round < 200; ++round) {
        Fixture first;
        Fixture second(round % 2 == 0 ? PTHREAD_MUTEX_TIMED_NP : PTHREAD_MUTEX_RECURSIVE_NP);
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
        auto wait = [&cond](Fixture &shared) {
            shared.lock();
            ++shared.waiting;
            while (shared.value == 0)
                ASSERT_EQ(pthread_cond_wait(&cond, &shared.mutex), 0);
            EXPECT_TRUE(shared.is_mine());
            shared.unlock();
        };
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i) {
            threads.emplace_back([&] { wait(first); });
            threads.emplace_back([&] { wait(second); });
        }
        for (Fixture *shared : {&first, &second}) {
            shared->lock_when_waiting(2);
            shared->value = 1;
            shared->unlock();
        }
        for (int i = 0; i < 4; ++i)
            ASSERT_EQ(round % 4 < 2 ? pthread_cond_signal(&cond) : pthread_cond_broadcast(&cond), 0);
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(pthread_cond_destroy(&cond), 0);
    }
}

TEST(Libplc, WaitersLeaveGlibcsCountersAlone) {
    Fixture shared;
    std::thread waiter([&] {
        shared.lock();
        ++shared.waiting;
        while (shared.value == 0)
            pthread_cond_wait(&shared.cond, &shared.mutex);
        shared.unlock();
    });
    shared.lock_when_waiting(1);
    EXPECT_EQ(shared.cond.__data.__wrefs, 0u) << "glibc's code was here";
    shared.value = 1;
    pthread_cond_broadcast(&shared.cond);
    shared.unlock();
    waiter.join();
}

} // namespace
