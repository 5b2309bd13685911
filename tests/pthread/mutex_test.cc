/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_mutex_*: the return codes, fields and times of every kind that libplc serves. */
#include "dropin.h"

#include <atomic>
#include <memory>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

constexpr int kTypes[] = {PTHREAD_MUTEX_TIMED_NP, PTHREAD_MUTEX_RECURSIVE_NP, PTHREAD_MUTEX_ERRORCHECK_NP,
                          PTHREAD_MUTEX_ADAPTIVE_NP};

struct Mutex {
    pthread_mutex_t value;
    explicit Mutex(int type) {
        MutexAttributes attributes(type);
        EXPECT_EQ(pthread_mutex_init(&value, &attributes.value), 0);
    }
};

class EveryType : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Mutex, EveryType, testing::ValuesIn(kTypes));

TEST_P(EveryType, LocksTriesAndUnlocks) {
    Mutex mutex(GetParam());
    EXPECT_EQ(pthread_mutex_lock(&mutex.value), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex.value); }), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_trylock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_destroy(&mutex.value), 0);
}

TEST_P(EveryType, DestroyOfALockedOneIsRefused) {
    Mutex mutex(GetParam());
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_destroy(&mutex.value), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_destroy(&mutex.value), 0);
}

TEST_P(EveryType, ADestroyedOneIsInvalid) {
    Mutex mutex(GetParam());
    timespec past = at(1, 0);
    ASSERT_EQ(pthread_mutex_destroy(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex.value), EINVAL);
    EXPECT_EQ(pthread_mutex_trylock(&mutex.value), EINVAL);
    EXPECT_EQ(pthread_mutex_timedlock(&mutex.value, &past), EINVAL);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), EINVAL);
}

TEST_P(EveryType, ShowsItsOwnerToDebuggers) {
    Mutex mutex(GetParam());
    const int kind = mutex.value.__data.__kind;
    EXPECT_EQ(mutex.value.__data.__lock, 0);
    for (int round = 0; round < 2; ++round) {
        ASSERT_EQ(round == 0 ? pthread_mutex_lock(&mutex.value) : pthread_mutex_trylock(&mutex.value), 0);
        EXPECT_NE(mutex.value.__data.__lock, 0);
        EXPECT_EQ(mutex.value.__data.__owner, tid());
        EXPECT_EQ(mutex.value.__data.__kind, kind);
        ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
        EXPECT_EQ(mutex.value.__data.__lock, 0);
        EXPECT_EQ(mutex.value.__data.__owner, 0);
        EXPECT_EQ(mutex.value.__data.__kind, kind);
    }
}

TEST_P(EveryType, MayBeMovedWhileUnlocked) {
    Mutex mutex(GetParam());
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    pthread_mutex_t moved;
    std::memcpy(&moved, &mutex.value, sizeof moved);
    std::memset(&mutex.value, 0xee, sizeof mutex.value);
    EXPECT_EQ(pthread_mutex_lock(&moved), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&moved); }), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&moved), 0);
}

TEST_P(EveryType, TimesOutNotBeforeTheTime) {
    Mutex mutex(GetParam());
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
        const timespec until = after_ms(clock, 5);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_clocklock(&mutex.value, clock, &until); }), ETIMEDOUT);
        EXPECT_FALSE(is_before(now(clock), until));
    }
    const timespec until = after_ms(CLOCK_REALTIME, 5);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_timedlock(&mutex.value, &until); }), ETIMEDOUT);
    EXPECT_FALSE(is_before(now(CLOCK_REALTIME), until));
    ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
}

TEST_P(EveryType, LooksAtTheTimeOnlyWhenItMustWait) {
    Mutex mutex(GetParam());
    for (long ns : {-1L, 1000000000L, LONG_MAX, LONG_MIN}) {
        const timespec bad = at(1, ns);
        EXPECT_EQ(pthread_mutex_timedlock(&mutex.value, &bad), 0);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_timedlock(&mutex.value, &bad); }), EINVAL);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_clocklock(&mutex.value, CLOCK_MONOTONIC, &bad); }), EINVAL);
        EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
        EXPECT_EQ(pthread_mutex_clocklock(&mutex.value, CLOCK_REALTIME, &bad), 0);
        EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    }
}

TEST_P(EveryType, PastTimesAreOver) {
    Mutex mutex(GetParam());
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    for (time_t seconds : {static_cast<time_t>(0), static_cast<time_t>(-1), static_cast<time_t>(INT32_MIN)}) {
        const timespec past = at(seconds, 0);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_timedlock(&mutex.value, &past); }), ETIMEDOUT);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_clocklock(&mutex.value, CLOCK_MONOTONIC, &past); }), ETIMEDOUT);
    }
    ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
}

TEST_P(EveryType, AbsurdlyLateTimesNeverCome) {
    for (int round = 0; round < 20; ++round) {
        Mutex mutex(GetParam());
        std::atomic<bool> is_started{false};
        const timespec until = never();
        ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
        int code = -1;
        std::thread waiter([&] {
            is_started = true;
            code = round % 2 == 0 ? pthread_mutex_timedlock(&mutex.value, &until)
                                  : pthread_mutex_clocklock(&mutex.value, CLOCK_MONOTONIC, &until);
            if (code == 0)
                pthread_mutex_unlock(&mutex.value);
        });
        while (!is_started)
            std::this_thread::yield();
        ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
        waiter.join();
        EXPECT_EQ(code, 0);
    }
}

TEST_P(EveryType, UnknownClocksAreInvalid) {
    Mutex mutex(GetParam());
    const timespec until = never();
    for (clockid_t clock :
         {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_BOOTTIME, clockid_t{-1}, clockid_t{99}})
        EXPECT_EQ(pthread_mutex_clocklock(&mutex.value, clock, &until), EINVAL);
    EXPECT_EQ(pthread_mutex_trylock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
}

TEST_P(EveryType, ExcludesUnderContention) {
    constexpr int kThreads = 4;
    constexpr long kRounds = 30000;
    Mutex mutex(GetParam());
    long counter = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&, i] {
            const timespec until = never();
            for (long round = 0; round < kRounds; ++round) {
                if (i == 0 && round % 8 == 0)
                    ASSERT_EQ(pthread_mutex_timedlock(&mutex.value, &until), 0);
                else
                    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
                ++counter;
                ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(counter, kThreads * kRounds);
    EXPECT_EQ(mutex.value.__data.__lock, 0);
    EXPECT_EQ(pthread_mutex_destroy(&mutex.value), 0);
}

TEST_P(EveryType, LeavesErrnoAlone) {
    Mutex mutex(GetParam());
    const timespec past = at(1, 0);
    const timespec soon = after_ms(CLOCK_MONOTONIC, 2);
    errno = 4711;
    pthread_mutex_lock(&mutex.value);
    EXPECT_EQ(errno, 4711);
    EXPECT_EQ(elsewhere([&] {
                  errno = 4711;
                  pthread_mutex_trylock(&mutex.value);
                  pthread_mutex_timedlock(&mutex.value, &past);
                  pthread_mutex_clocklock(&mutex.value, CLOCK_MONOTONIC, &soon);
                  return errno;
              }),
              4711);
    pthread_mutex_destroy(&mutex.value);
    pthread_mutex_unlock(&mutex.value);
    pthread_mutex_destroy(&mutex.value);
    pthread_mutex_lock(&mutex.value);
    EXPECT_EQ(errno, 4711);
}

TEST_P(EveryType, HasNoCeilingAndNoConsistency) {
    Mutex mutex(GetParam());
    int ceiling = 0;
    EXPECT_EQ(pthread_mutex_getprioceiling(&mutex.value, &ceiling), EINVAL);
    EXPECT_EQ(pthread_mutex_setprioceiling(&mutex.value, 1, &ceiling), EINVAL);
    EXPECT_EQ(pthread_mutex_consistent(&mutex.value), EINVAL);
}

TEST(Errorcheck, ReportsMistakes) {
    Mutex mutex(PTHREAD_MUTEX_ERRORCHECK_NP);
    const timespec until = never();
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), EPERM);
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex.value), EDEADLK);
    EXPECT_EQ(pthread_mutex_timedlock(&mutex.value, &until), EDEADLK);
    EXPECT_EQ(pthread_mutex_clocklock(&mutex.value, CLOCK_MONOTONIC, &until), EDEADLK);
    EXPECT_EQ(pthread_mutex_trylock(&mutex.value), EBUSY);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_unlock(&mutex.value); }), EPERM);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), EPERM);
}

TEST(Recursive, CountsItsLevels) {
    Mutex mutex(PTHREAD_MUTEX_RECURSIVE_NP);
    const timespec past = at(1, 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), EPERM);
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_trylock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_timedlock(&mutex.value, &past), 0);
    EXPECT_EQ(pthread_mutex_clocklock(&mutex.value, CLOCK_MONOTONIC, &past), 0);
    EXPECT_EQ(mutex.value.__data.__count, 5u);
    for (unsigned levels = 5; levels > 0; --levels) {
        EXPECT_EQ(mutex.value.__data.__count, levels);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex.value); }), EBUSY);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_unlock(&mutex.value); }), EPERM);
        EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    }
    EXPECT_EQ(mutex.value.__data.__count, 0u);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), EPERM);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex.value) + pthread_mutex_unlock(&mutex.value); }), 0);
}

TEST(Recursive, RefusesALevelTooMany) {
    Mutex mutex(PTHREAD_MUTEX_RECURSIVE_NP);
    const timespec past = at(1, 0);
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    mutex.value.__data.__count = UINT_MAX;
    EXPECT_EQ(pthread_mutex_lock(&mutex.value), EAGAIN);
    EXPECT_EQ(pthread_mutex_trylock(&mutex.value), EAGAIN);
    EXPECT_EQ(pthread_mutex_timedlock(&mutex.value, &past), EAGAIN);
    EXPECT_EQ(mutex.value.__data.__count, UINT_MAX);
    mutex.value.__data.__count = 1;
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
}

TEST(Normal, LocksUpOnItselfUntilItsTime) {
    for (int type : {PTHREAD_MUTEX_TIMED_NP, PTHREAD_MUTEX_ADAPTIVE_NP}) {
        Mutex mutex(type);
        const timespec until = after_ms(CLOCK_MONOTONIC, 2);
        ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
        EXPECT_EQ(pthread_mutex_clocklock(&mutex.value, CLOCK_MONOTONIC, &until), ETIMEDOUT);
        EXPECT_EQ(pthread_mutex_trylock(&mutex.value), EBUSY);
        EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    }
}

TEST(Normal, AStrangersUnlockIsNotComplainedAbout) {
    Mutex mutex(PTHREAD_MUTEX_TIMED_NP);
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_unlock(&mutex.value); }), 0);
    EXPECT_EQ(pthread_mutex_trylock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
}

TEST(Libplc, UnlockOfAFreeNormalMutexIsHarmless) {
    for (int type : {PTHREAD_MUTEX_TIMED_NP, PTHREAD_MUTEX_ADAPTIVE_NP}) {
        Mutex mutex(type);
        EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
        EXPECT_EQ(pthread_mutex_trylock(&mutex.value), 0);
        EXPECT_EQ(pthread_mutex_trylock(&mutex.value), EBUSY);
        EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    }
}

/* settype(NORMAL) switches lock elision off in the kind; that must not make the mutex a stranger's. */
TEST(Normal, AnExplicitTypeIsTheSameType) {
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_NORMAL);
    ASSERT_EQ(pthread_mutex_init(&mutex, &attributes), 0);
    EXPECT_EQ(mutex.__data.__kind, 0x200);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex); }), EBUSY);
    EXPECT_EQ(mutex.__data.__owner, tid());
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
    mutex.__data.__kind = 0x100; /* elision switched on by a tunable */
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex); }), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
}

TEST(StaticInitialiser, GivesEachType) {
    static pthread_mutex_t normal = PTHREAD_MUTEX_INITIALIZER;
    static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    static pthread_mutex_t errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    static pthread_mutex_t adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
    for (pthread_mutex_t *mutex : {&normal, &recursive, &errorcheck, &adaptive})
        ASSERT_EQ(pthread_mutex_lock(mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&normal), EBUSY);
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_lock(&errorcheck), EDEADLK);
    EXPECT_EQ(pthread_mutex_trylock(&adaptive), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    for (pthread_mutex_t *mutex : {&normal, &recursive, &errorcheck, &adaptive})
        EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
}

TEST(ZeroedMemory, IsANormalMutex) {
    std::unique_ptr<void, void (*)(void *)> memory(std::calloc(1, sizeof(pthread_mutex_t)), std::free);
    pthread_mutex_t *mutex = static_cast<pthread_mutex_t *>(memory.get());
    EXPECT_EQ(pthread_mutex_lock(mutex), 0);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(mutex); }), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
    EXPECT_EQ(pthread_mutex_destroy(mutex), 0);
}

/* What the thread that comes second has to say about whom it waited for. */
TEST(Libplc, TheWordIsOneByteOfGlibcs) {
    Mutex mutex(PTHREAD_MUTEX_TIMED_NP);
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    EXPECT_EQ(mutex.value.__data.__lock, 1);
    EXPECT_EQ(mutex.value.__data.__nusers, 0u) << "glibc's code was here";
    ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
}

/* Whether anybody has had to queue for it: sync/mutex_quiet.h. */
int quiet_of(const pthread_mutex_t &mutex) {
    return *reinterpret_cast<const volatile unsigned char *>(&mutex.__data.__spins);
}

TEST(Libplc, AMutexIsQuietUntilSomebodyHasToQueue) {
    for (int type : kTypes) {
        Mutex mutex(type);
        ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex.value); }), EBUSY);
        ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
        EXPECT_EQ(quiet_of(mutex.value), 0);
        ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
        const timespec until = after_ms(CLOCK_REALTIME, 5);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_timedlock(&mutex.value, &until); }), ETIMEDOUT);
        EXPECT_EQ(quiet_of(mutex.value), 1) << "asked for";
        EXPECT_EQ(mutex.value.__data.__lock, 1);
        ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
        EXPECT_EQ(quiet_of(mutex.value), 2) << "over";
        EXPECT_EQ(mutex.value.__data.__lock, 0);
        EXPECT_EQ(mutex.value.__data.__owner, 0);
    }
}

TEST(Libplc, AWaitOnACondEndsTheQuietOfItsMutex) {
    for (int type : kTypes) {
        Mutex mutex(type);
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
        const timespec past = at(1, 0);
        ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
        EXPECT_EQ(pthread_cond_timedwait(&cond, &mutex.value, &past), ETIMEDOUT);
        EXPECT_EQ(quiet_of(mutex.value), 2);
        ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    }
}

/* What glibc's own code leaves in that byte when it spins for an adaptive mutex. */
TEST(Libplc, AnotherValueInTheByteIsNoQuiet) {
    Mutex mutex(PTHREAD_MUTEX_ADAPTIVE_NP);
    mutex.value.__data.__spins = 26;
    ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
    const timespec until = after_ms(CLOCK_REALTIME, 5);
    EXPECT_EQ(elsewhere([&] { return pthread_mutex_timedlock(&mutex.value, &until); }), ETIMEDOUT);
    ASSERT_EQ(pthread_mutex_unlock(&mutex.value), 0);
    EXPECT_EQ(quiet_of(mutex.value), 2);
    EXPECT_EQ(pthread_mutex_trylock(&mutex.value), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
}

/* POSIX does not allow it, and programs do it: the one who locked passes the right to unlock on. */
TEST(Normal, MayBeUnlockedOrWaitedWithByAnotherThreadThanTheLocker) {
    for (int type : {PTHREAD_MUTEX_TIMED_NP, PTHREAD_MUTEX_ADAPTIVE_NP}) {
        Mutex mutex(type);
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
        int sections = 0;
        for (int round = 0; round < 100; ++round) {
            ASSERT_EQ(pthread_mutex_lock(&mutex.value), 0);
            std::thread waiter([&] {
                EXPECT_EQ(pthread_mutex_lock(&mutex.value), 0);
                ++sections;
                EXPECT_EQ(pthread_mutex_unlock(&mutex.value), 0);
            });
            const timespec past = at(1, 0);
            if (round % 2 == 0) {
                EXPECT_EQ(elsewhere([&] { return pthread_cond_timedwait(&cond, &mutex.value, &past); }), ETIMEDOUT);
            }
            EXPECT_EQ(elsewhere([&] { return pthread_mutex_unlock(&mutex.value); }), 0);
            waiter.join();
            if (round % 10 == 9) { /* as good as new */
                ASSERT_EQ(pthread_mutex_destroy(&mutex.value), 0);
                ASSERT_EQ(pthread_mutex_init(&mutex.value, nullptr), 0);
            }
        }
        EXPECT_EQ(sections, 100);
        EXPECT_EQ(pthread_mutex_destroy(&mutex.value), 0);
    }
}

/* Threads that all come at once to mutexes which nobody has used before. */
TEST(FirstContention, ExcludesAndForgetsNobody) {
    constexpr int kThreads = 3;
    struct Young {
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        int sections = 0;
        std::atomic<int> users{0};
    };
    std::vector<Young> mutexes(2000);
    std::vector<std::thread> threads;
    for (int self = 0; self < kThreads; ++self)
        threads.emplace_back([&] {
            for (Young &young : mutexes) {
                young.users++;
                while (young.users < kThreads)
                    std::this_thread::yield();
                for (int i = 0; i < 3; ++i) {
                    ASSERT_EQ(pthread_mutex_lock(&young.mutex), 0);
                    const int before = young.sections;
                    if (before % 3 == 1)
                        std::this_thread::yield();
                    young.sections = before + 1;
                    ASSERT_EQ(pthread_mutex_unlock(&young.mutex), 0);
                }
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    for (Young &young : mutexes)
        ASSERT_EQ(young.sections, 3 * kThreads);
}

/* A plugin that was loaded with RTLD_DEEPBIND, or a function that was looked up in libc itself, is glibc's; the rest of the program
   has ours. As long as nobody waits they may share a mutex. */
TEST(Mixed, UncontendedUseFromBothSidesSurvives) {
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    ASSERT_NE(libc, nullptr);
    auto lock = reinterpret_cast<int (*)(pthread_mutex_t *)>(dlsym(libc, "pthread_mutex_lock"));
    auto unlock = reinterpret_cast<int (*)(pthread_mutex_t *)>(dlsym(libc, "pthread_mutex_unlock"));
    for (int type : {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK}) {
        MutexAttributes attributes(type);
        static pthread_mutex_t
            mutexes[4]; /* an observer does not hear of glibc's unlock, and may look at them for ever */
        pthread_mutex_t &mutex = mutexes[type];
        ASSERT_EQ(pthread_mutex_init(&mutex, &attributes.value), 0);
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(lock(&mutex), 0);
            EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex); }), EBUSY);
            EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
            EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
            EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&mutex); }), EBUSY);
            EXPECT_EQ(unlock(&mutex), 0);
        }
        EXPECT_EQ(mutex.__data.__lock, 0);
        EXPECT_EQ(mutex.__data.__owner, 0);
    }
    dlclose(libc);
}

} // namespace
