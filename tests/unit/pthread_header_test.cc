/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc/pthread.h: pthread's names with libplc's types, in a file that was only recompiled. */
#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

#include <plc/pthread.h>

namespace {

/* The C library's types keep their size, whatever the names mean now. */
static_assert(std::is_same_v<pthread_mutex_t, plc_pthread_mutex_t>);
static_assert(std::is_same_v<pthread_cond_t, plc_pthread_cond_t>);
static_assert(std::is_same_v<pthread_rwlock_t, plc_pthread_rwlock_t>);
static_assert(std::is_same_v<pthread_once_t, plc_once_t>);
static_assert(sizeof(void *) != 8 || (sizeof(pthread_mutex_t) == 16 && sizeof(pthread_cond_t) == 16 &&
                                      sizeof(pthread_rwlock_t) == 16 && sizeof(pthread_once_t) == 1));

timespec at(time_t seconds, long ns) {
    timespec time{};
    time.tv_sec = seconds;
    time.tv_nsec = ns;
    return time;
}

timespec soon(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    time.tv_nsec += 3000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

bool has_come(clockid_t clock, const timespec &time) {
    timespec now{};
    clock_gettime(clock, &now);
    return now.tv_sec != time.tv_sec ? now.tv_sec > time.tv_sec : now.tv_nsec >= time.tv_nsec;
}

template <typename Body>
int elsewhere(Body body) {
    int result = -1;
    std::thread([&] { result = body(); }).join();
    return result;
}

template <typename Body>
void in_threads(int count, Body body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i)
        threads.emplace_back([&body, i] { body(i); });
    for (std::thread &thread : threads)
        thread.join();
}

void init_mutex(pthread_mutex_t *mutex, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    ASSERT_EQ(pthread_mutex_init(mutex, &attributes), 0);
    pthread_mutexattr_destroy(&attributes);
}

class EveryType : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(PthreadHeader, EveryType,
                         testing::Values(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK));

TEST_P(EveryType, LocksAndUnlocks) {
    pthread_mutex_t mutex;
    init_mutex(&mutex, GetParam());
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex); }), EBUSY);
    EXPECT_EQ(pthread_mutex_destroy(&mutex), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
}

TEST_P(EveryType, Excludes) {
    pthread_mutex_t mutex;
    long count = 0;
    init_mutex(&mutex, GetParam());
    in_threads(4, [&](int) {
        for (int i = 0; i < 5000; ++i) {
            ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
            ++count;
            ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
        }
    });
    EXPECT_EQ(count, 20000);
}

TEST_P(EveryType, TimesOut) {
    pthread_mutex_t mutex;
    init_mutex(&mutex, GetParam());
    ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
        const timespec until = soon(clock);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_clocklock(&mutex, clock, &until); }), ETIMEDOUT);
        EXPECT_TRUE(has_come(clock, until));
    }
    const timespec past = at(-1, 0);
    const timespec bad = at(1, 1000000000);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_timedlock(&mutex, &past); }), ETIMEDOUT);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_timedlock(&mutex, &bad); }), EINVAL);
    EXPECT_EQ(pthread_mutex_clocklock(&mutex, CLOCK_PROCESS_CPUTIME_ID, &past), EINVAL);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
}

TEST_P(EveryType, ThreadsTakeTurnsWithACond) {
    constexpr int kRounds = 1000;
    pthread_mutex_t mutex;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    int turn = 0;
    init_mutex(&mutex, GetParam());
    in_threads(2, [&](int index) {
        for (int i = 0; i < kRounds; ++i) {
            ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
            while (turn % 2 != index)
                ASSERT_EQ(pthread_cond_wait(&cond, &mutex), 0);
            ++turn;
            ASSERT_EQ(i % 2 == 0 ? pthread_cond_signal(&cond) : pthread_cond_broadcast(&cond), 0);
            ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
        }
    });
    EXPECT_EQ(turn, 2 * kRounds);
    EXPECT_EQ(pthread_cond_destroy(&cond), 0);
}

TEST(PthreadHeader, ErrorcheckReportsMistakes) {
    pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    EXPECT_EQ(pthread_mutex_unlock(&mutex), EPERM);
    EXPECT_EQ(pthread_cond_wait(&cond, &mutex), EPERM);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex), EDEADLK);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_unlock(&mutex); }), EPERM);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
}

TEST(PthreadHeader, RecursiveCountsAndIsReleasedEntirelyByAWait) {
    pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    bool is_ready = false;
    EXPECT_EQ(pthread_mutex_unlock(&mutex), EPERM);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    std::thread other([&] {
        ASSERT_EQ(pthread_mutex_lock(&mutex), 0); /* only possible while the first thread waits */
        is_ready = true;
        ASSERT_EQ(pthread_cond_signal(&cond), 0);
        ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
    });
    while (!is_ready)
        EXPECT_EQ(pthread_cond_wait(&cond, &mutex), 0);
    other.join();
    for (int level = 0; level < 3; ++level) {
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex); }), EBUSY);
        EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    }
    EXPECT_EQ(pthread_mutex_unlock(&mutex), EPERM);
    mutex.count = 0;
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    mutex.count = UINT32_MAX;
    EXPECT_EQ(pthread_mutex_lock(&mutex), EAGAIN);
    mutex.count = 1;
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
}

TEST(PthreadHeader, CondTimesOutOnItsClock) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
        pthread_cond_t cond;
        pthread_condattr_setclock(&attributes, clock);
        ASSERT_EQ(pthread_cond_init(&cond, &attributes), 0);
        timespec until = soon(clock);
        EXPECT_EQ(pthread_cond_timedwait(&cond, &mutex, &until), ETIMEDOUT);
        EXPECT_TRUE(has_come(clock, until));
        until = at(1, -1);
        EXPECT_EQ(pthread_cond_timedwait(&cond, &mutex, &until), EINVAL);
        EXPECT_EQ(pthread_cond_clockwait(&cond, &mutex, CLOCK_THREAD_CPUTIME_ID, &until), EINVAL);
    }
    pthread_condattr_destroy(&attributes);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
}

TEST(PthreadHeader, RwlockAnswersAsPthreads) {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    const timespec past = at(1, 0);
    const timespec bad = at(1, -1);
    ASSERT_EQ(pthread_rwlock_wrlock(&lock), 0);
    EXPECT_EQ(pthread_rwlock_wrlock(&lock), EDEADLK);
    EXPECT_EQ(pthread_rwlock_rdlock(&lock), EDEADLK);
    EXPECT_EQ(pthread_rwlock_trywrlock(&lock), EBUSY);
    EXPECT_EQ(pthread_rwlock_tryrdlock(&lock), EBUSY);
    EXPECT_EQ(elsewhere([&] { return pthread_rwlock_timedrdlock(&lock, &past); }), ETIMEDOUT);
    EXPECT_EQ(elsewhere([&] { return pthread_rwlock_timedwrlock(&lock, &past); }), ETIMEDOUT);
    EXPECT_EQ(pthread_rwlock_timedrdlock(&lock, &bad), EINVAL);
    EXPECT_EQ(pthread_rwlock_clockwrlock(&lock, CLOCK_THREAD_CPUTIME_ID, &past), EINVAL);
    EXPECT_EQ(pthread_rwlock_destroy(&lock), EBUSY);
    EXPECT_EQ(pthread_rwlock_unlock(&lock), 0);
    ASSERT_EQ(pthread_rwlock_rdlock(&lock), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_rwlock_tryrdlock(&lock) + pthread_rwlock_unlock(&lock); }), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_rwlock_trywrlock(&lock); }), EBUSY);
    EXPECT_EQ(pthread_rwlock_unlock(&lock), 0);
    EXPECT_EQ(pthread_rwlock_destroy(&lock), 0);
}

TEST(PthreadHeader, ReadersMayRecurseWhileAWriterWaits) {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    for (int round = 0; round < 100; ++round) {
        std::atomic<bool> is_coming{false};
        std::atomic<bool> has_written{false};
        ASSERT_EQ(pthread_rwlock_rdlock(&lock), 0);
        std::thread writer([&] {
            is_coming = true;
            EXPECT_EQ(pthread_rwlock_wrlock(&lock), 0);
            has_written = true;
            EXPECT_EQ(pthread_rwlock_unlock(&lock), 0);
        });
        while (!is_coming)
            std::this_thread::yield();
        for (int level = 0; level < 20; ++level)
            EXPECT_EQ(pthread_rwlock_rdlock(&lock), 0);
        EXPECT_FALSE(has_written);
        for (int level = 0; level < 21; ++level)
            EXPECT_EQ(pthread_rwlock_unlock(&lock), 0);
        writer.join();
    }
}

std::atomic<int> runs{0};

TEST(PthreadHeader, OnceRunsOnceAndAfterAnException) {
    static pthread_once_t control = PTHREAD_ONCE_INIT;
    auto throw_at_first = [] {
        if (runs++ == 0)
            throw 42;
    };
    EXPECT_THROW(pthread_once(&control, throw_at_first), int);
    in_threads(4, [&](int) { EXPECT_EQ(pthread_once(&control, throw_at_first), 0); });
    EXPECT_EQ(runs, 2);
}

TEST(PthreadHeader, RefusesWhatItCannotDo) {
    pthread_mutexattr_t mutex_attributes;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&mutex_attributes);
    pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
    EXPECT_EQ(pthread_mutex_init(&mutex, &mutex_attributes), ENOTSUP);
    pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_PRIVATE);
    pthread_mutexattr_setrobust(&mutex_attributes, PTHREAD_MUTEX_ROBUST);
    EXPECT_EQ(pthread_mutex_init(&mutex, &mutex_attributes), ENOTSUP);
    pthread_mutexattr_setrobust(&mutex_attributes, PTHREAD_MUTEX_STALLED);
    pthread_mutexattr_setprotocol(&mutex_attributes, PTHREAD_PRIO_INHERIT);
    EXPECT_EQ(pthread_mutex_init(&mutex, &mutex_attributes), ENOTSUP);
    pthread_mutexattr_destroy(&mutex_attributes);

    pthread_condattr_t cond_attributes;
    pthread_cond_t cond;
    pthread_condattr_init(&cond_attributes);
    pthread_condattr_setpshared(&cond_attributes, PTHREAD_PROCESS_SHARED);
    EXPECT_EQ(pthread_cond_init(&cond, &cond_attributes), ENOTSUP);
    pthread_condattr_destroy(&cond_attributes);

    pthread_rwlockattr_t rwlock_attributes;
    pthread_rwlock_t rwlock;
    pthread_rwlockattr_init(&rwlock_attributes);
    pthread_rwlockattr_setpshared(&rwlock_attributes, PTHREAD_PROCESS_SHARED);
    EXPECT_EQ(pthread_rwlock_init(&rwlock, &rwlock_attributes), ENOTSUP);
    pthread_rwlockattr_destroy(&rwlock_attributes);
}

TEST(PthreadHeader, ZeroedMemoryIsValid) {
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        pthread_rwlock_t rwlock;
        pthread_once_t once;
    } all;
    std::memset(static_cast<void *>(&all), 0, sizeof all);
    const timespec past = at(1, 0);
    EXPECT_EQ(pthread_mutex_lock(&all.mutex), 0);
    EXPECT_EQ(pthread_cond_signal(&all.cond), 0);
    EXPECT_EQ(pthread_cond_timedwait(&all.cond, &all.mutex, &past), ETIMEDOUT);
    EXPECT_EQ(pthread_mutex_unlock(&all.mutex), 0);
    EXPECT_EQ(pthread_rwlock_rdlock(&all.rwlock), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&all.rwlock), 0);
    EXPECT_EQ(pthread_once(&all.once, [] {}), 0);
}

} // namespace
