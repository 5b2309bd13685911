/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is left to glibc, and every mix with what is ours: process-shared, robust, priority-inheriting, -protecting. */
#include "dropin.h"

#include <atomic>
#include <new>
#include <sys/mman.h>
#include <sys/wait.h>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

constexpr int kSharedMutex = 1;
constexpr int kRobustMutex = 2;
constexpr int kInheritMutex = 3;
constexpr int kNormalMutex = 4;
constexpr int kRecursiveMutex = 5;
constexpr int kErrorcheckMutex = 6;

void init_mutex(pthread_mutex_t *mutex, int kind) {
    MutexAttributes attributes;
    switch (kind) {
    case kSharedMutex:
        pthread_mutexattr_setpshared(&attributes.value, PTHREAD_PROCESS_SHARED);
        break;
    case kRobustMutex:
        pthread_mutexattr_setrobust(&attributes.value, PTHREAD_MUTEX_ROBUST);
        break;
    case kInheritMutex:
        pthread_mutexattr_setprotocol(&attributes.value, PTHREAD_PRIO_INHERIT);
        break;
    case kRecursiveMutex:
        pthread_mutexattr_settype(&attributes.value, PTHREAD_MUTEX_RECURSIVE);
        break;
    case kErrorcheckMutex:
        pthread_mutexattr_settype(&attributes.value, PTHREAD_MUTEX_ERRORCHECK);
        break;
    default:
        break;
    }
    ASSERT_EQ(pthread_mutex_init(mutex, &attributes.value), 0);
}

void init_cond(pthread_cond_t *cond, bool is_shared, clockid_t clock = CLOCK_REALTIME) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setpshared(&attributes, is_shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
    pthread_condattr_setclock(&attributes, clock);
    ASSERT_EQ(pthread_cond_init(cond, &attributes), 0);
    pthread_condattr_destroy(&attributes);
}

/* Memory that a child of a fork shares. */
template <typename T>
struct SharedMemory {
    T *object;
    SharedMemory()
        : object(new (mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) T()) {}
    SharedMemory(const SharedMemory &) = delete;
    SharedMemory &operator=(const SharedMemory &) = delete;
    ~SharedMemory() {
        munmap(object, sizeof(T));
    }
    T *operator->() const {
        return object;
    }
};

int status_of(pid_t child) {
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

struct Game {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int value = 0;
    int waiting = 0;
    /* Two players take turns; returns whether every call succeeded. */
    bool play(int turn, int rounds) {
        bool good = true;
        for (int round = 0; round < rounds; ++round) {
            good &= pthread_mutex_lock(&mutex) == 0;
            while (value % 2 != turn) {
                const timespec late = never();
                good &= (round % 2 == 0 ? pthread_cond_wait(&cond, &mutex)
                                        : pthread_cond_timedwait(&cond, &mutex, &late)) == 0;
            }
            ++value;
            good &= (round % 3 == 0 ? pthread_cond_broadcast(&cond) : pthread_cond_signal(&cond)) == 0;
            good &= pthread_mutex_unlock(&mutex) == 0;
        }
        return good;
    }
};

struct Mix {
    int mutex;
    bool is_cond_shared;
};
class EveryMix : public testing::TestWithParam<Mix> {};
INSTANTIATE_TEST_SUITE_P(Shared, EveryMix,
                         testing::Values(Mix{kSharedMutex, true}, Mix{kSharedMutex, false}, Mix{kRobustMutex, true},
                                         Mix{kRobustMutex, false}, Mix{kInheritMutex, true}, Mix{kInheritMutex, false},
                                         Mix{kNormalMutex, true}, Mix{kNormalMutex, false}, Mix{kRecursiveMutex, true},
                                         Mix{kRecursiveMutex, false}, Mix{kErrorcheckMutex, true},
                                         Mix{kErrorcheckMutex, false}));

TEST_P(EveryMix, TwoThreadsTakeTurns) {
    constexpr int kRounds = 2000;
    Game game;
    init_mutex(&game.mutex, GetParam().mutex);
    init_cond(&game.cond, GetParam().is_cond_shared);
    bool other_was_good = false;
    std::thread other([&] { other_was_good = game.play(1, kRounds); });
    EXPECT_TRUE(game.play(0, kRounds));
    other.join();
    EXPECT_TRUE(other_was_good);
    EXPECT_EQ(game.value, 2 * kRounds);
    EXPECT_EQ(pthread_cond_destroy(&game.cond), 0);
    EXPECT_EQ(pthread_mutex_destroy(&game.mutex), 0);
}

TEST_P(EveryMix, TimesAreKept) {
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
        Game game;
        init_mutex(&game.mutex, GetParam().mutex);
        init_cond(&game.cond, GetParam().is_cond_shared, clock);
        const timespec past = at(1, 0);
        const timespec bad = at(1, -1);
        ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
        timespec until = after_ms(clock, 5);
        EXPECT_EQ(pthread_cond_timedwait(&game.cond, &game.mutex, &until), ETIMEDOUT);
        EXPECT_FALSE(is_before(now(clock), until));
        until = after_ms(CLOCK_MONOTONIC, 5);
        EXPECT_EQ(pthread_cond_clockwait(&game.cond, &game.mutex, CLOCK_MONOTONIC, &until), ETIMEDOUT);
        EXPECT_FALSE(is_before(now(CLOCK_MONOTONIC), until));
        EXPECT_EQ(pthread_cond_timedwait(&game.cond, &game.mutex, &past), ETIMEDOUT);
        EXPECT_EQ(pthread_cond_timedwait(&game.cond, &game.mutex, &bad), EINVAL);
        EXPECT_EQ(pthread_cond_clockwait(&game.cond, &game.mutex, clockid_t{99}, &past), EINVAL);
        EXPECT_EQ(elsewhere([&] { return pthread_mutex_trylock(&game.mutex); }), EBUSY);
        EXPECT_EQ(pthread_mutex_unlock(&game.mutex), 0);
        EXPECT_EQ(pthread_cond_destroy(&game.cond), 0);
        EXPECT_EQ(pthread_mutex_destroy(&game.mutex), 0);
    }
}

TEST_P(EveryMix, ABroadcastWakesAll) {
    constexpr int kThreads = 5;
    for (int round = 0; round < 50; ++round) {
        Game game;
        init_mutex(&game.mutex, GetParam().mutex);
        init_cond(&game.cond, GetParam().is_cond_shared);
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i)
            threads.emplace_back([&] {
                ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
                ++game.waiting;
                while (game.value == 0)
                    ASSERT_EQ(pthread_cond_wait(&game.cond, &game.mutex), 0);
                ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
            });
        for (;;) {
            ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
            if (game.waiting == kThreads)
                break;
            ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
            std::this_thread::yield();
        }
        game.value = 1;
        ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
        ASSERT_EQ(pthread_cond_broadcast(&game.cond), 0);
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(pthread_cond_destroy(&game.cond), 0);
        EXPECT_EQ(pthread_mutex_destroy(&game.mutex), 0);
    }
}

/* The signaller comes the moment the mutex is free, which is before the waiter sleeps. */
TEST_P(EveryMix, ASignalRightAfterTheUnlockIsNotLost) {
    Game game;
    init_mutex(&game.mutex, GetParam().mutex);
    init_cond(&game.cond, GetParam().is_cond_shared);
    std::atomic<int> round_of_waiter{0};
    constexpr int kRounds = 3000;
    std::thread waiter([&] {
        for (int round = 1; round <= kRounds; ++round) {
            ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
            round_of_waiter = round;
            while (game.value != round)
                ASSERT_EQ(pthread_cond_wait(&game.cond, &game.mutex), 0);
            ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
        }
    });
    for (int round = 1; round <= kRounds; ++round) {
        for (unsigned looks = 0; round_of_waiter != round; ++looks)
            if (looks % 1024 == 1023)
                std::this_thread::yield();
        while (pthread_mutex_trylock(&game.mutex) != 0)
            continue;
        game.value = round;
        ASSERT_EQ(pthread_cond_signal(&game.cond), 0);
        ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
    }
    waiter.join();
    EXPECT_EQ(pthread_cond_destroy(&game.cond), 0);
    EXPECT_EQ(pthread_mutex_destroy(&game.mutex), 0);
}

/* Waiters with mutexes of both sides on one cond. */
TEST(PrivateCond, TakesMutexesOfBothSidesAtOnce) {
    for (int round = 0; round < 60; ++round) {
        Game ours;
        Game glibcs;
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
        init_mutex(&ours.mutex, kNormalMutex);
        init_mutex(&glibcs.mutex, kSharedMutex);
        auto wait = [&cond](Game &game) {
            ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
            ++game.waiting;
            while (game.value == 0)
                ASSERT_EQ(pthread_cond_wait(&cond, &game.mutex), 0);
            ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
        };
        std::vector<std::thread> threads;
        for (Game *game : {round % 2 == 0 ? &ours : &glibcs, round % 2 == 0 ? &glibcs : &ours}) {
            for (int i = 0; i < 2; ++i)
                threads.emplace_back([&wait, game] { wait(*game); });
            for (;;) {
                ASSERT_EQ(pthread_mutex_lock(&game->mutex), 0);
                if (game->waiting == 2)
                    break;
                ASSERT_EQ(pthread_mutex_unlock(&game->mutex), 0);
                std::this_thread::yield();
            }
            ASSERT_EQ(pthread_mutex_unlock(&game->mutex), 0);
        }
        for (Game *game : {&ours, &glibcs}) {
            ASSERT_EQ(pthread_mutex_lock(&game->mutex), 0);
            game->value = 1;
            ASSERT_EQ(pthread_mutex_unlock(&game->mutex), 0);
        }
        for (int i = 0; i < 4; ++i)
            ASSERT_EQ(round % 4 < 2 ? pthread_cond_signal(&cond) : pthread_cond_broadcast(&cond), 0);
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(pthread_cond_destroy(&cond), 0);
    }
}

/* glibc's wait is a cancellation point, and the mutex is held again when the handlers run, ours included. */
TEST(SharedCond, ACancelledWaiterHasItsMutexBack) {
    struct State {
        Game game;
        bool was_held = false;
    } state;
    init_mutex(&state.game.mutex, kErrorcheckMutex);
    init_cond(&state.game.cond, true);
    pthread_t waiter;
    ASSERT_EQ(pthread_create(
                  &waiter, nullptr,
                  [](void *argument) -> void * {
                      State *self = static_cast<State *>(argument);
                      pthread_mutex_lock(&self->game.mutex);
                      ++self->game.waiting;
                      pthread_cleanup_push(
                          [](void *inner) {
                              State *cleaned = static_cast<State *>(inner);
                              cleaned->was_held = pthread_mutex_unlock(&cleaned->game.mutex) == 0;
                          },
                          self);
                      for (;;)
                          pthread_cond_wait(&self->game.cond, &self->game.mutex);
                      pthread_cleanup_pop(1);
                      return nullptr;
                  },
                  &state),
              0);
    for (;;) {
        ASSERT_EQ(pthread_mutex_lock(&state.game.mutex), 0);
        const bool is_waiting = state.game.waiting == 1;
        ASSERT_EQ(pthread_mutex_unlock(&state.game.mutex), 0);
        if (is_waiting)
            break;
        std::this_thread::yield();
    }
    ASSERT_EQ(pthread_cancel(waiter), 0);
    void *result = nullptr;
    pthread_join(waiter, &result);
    EXPECT_EQ(result, PTHREAD_CANCELED);
    EXPECT_TRUE(state.was_held);
    EXPECT_EQ(pthread_mutex_lock(&state.game.mutex), 0);
    EXPECT_EQ(pthread_cond_signal(&state.game.cond), 0); /* the hidden mutex was given back, too */
    EXPECT_EQ(pthread_mutex_unlock(&state.game.mutex), 0);
}

TEST(Processes, TakeTurnsWithACond) {
    constexpr int kRounds = 1000;
    SharedMemory<Game> game;
    init_mutex(&game->mutex, kSharedMutex);
    init_cond(&game->cond, true);
    const pid_t child = fork();
    if (child == 0)
        _exit(game->play(1, kRounds) ? 0 : 1);
    EXPECT_TRUE(game->play(0, kRounds));
    EXPECT_EQ(status_of(child), 0);
    EXPECT_EQ(game->value, 2 * kRounds);
}

TEST(Processes, ShareARwlock) {
    constexpr int kRounds = 5000;
    struct Shared {
        pthread_rwlock_t lock;
        long a = 0;
        long b = 0;
    };
    SharedMemory<Shared> shared;
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ASSERT_EQ(pthread_rwlock_init(&shared->lock, &attributes), 0);
    auto work = [&] {
        bool good = true;
        const timespec late = never();
        for (int round = 0; round < kRounds; ++round) {
            good &= (round % 2 == 0 ? pthread_rwlock_wrlock(&shared->lock)
                                    : pthread_rwlock_timedwrlock(&shared->lock, &late)) == 0;
            ++shared->a;
            ++shared->b;
            good &= pthread_rwlock_unlock(&shared->lock) == 0;
            good &= (round % 2 == 0 ? pthread_rwlock_rdlock(&shared->lock)
                                    : pthread_rwlock_clockrdlock(&shared->lock, CLOCK_MONOTONIC, &late)) == 0;
            good &= shared->a == shared->b;
            good &= pthread_rwlock_unlock(&shared->lock) == 0;
        }
        return good;
    };
    const pid_t child = fork();
    if (child == 0)
        _exit(work() ? 0 : 1);
    EXPECT_TRUE(work());
    EXPECT_EQ(status_of(child), 0);
    EXPECT_EQ(shared->a, 2 * kRounds);
    EXPECT_EQ(pthread_rwlock_tryrdlock(&shared->lock), 0);
    EXPECT_EQ(pthread_rwlock_trywrlock(&shared->lock), EBUSY);
    EXPECT_EQ(pthread_rwlock_unlock(&shared->lock), 0);
    EXPECT_EQ(pthread_rwlock_destroy(&shared->lock), 0);
}

TEST(Processes, LearnOfADeadOwner) {
    SharedMemory<pthread_mutex_t> mutex;
    MutexAttributes attributes;
    pthread_mutexattr_setpshared(&attributes.value, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes.value, PTHREAD_MUTEX_ROBUST);
    ASSERT_EQ(pthread_mutex_init(mutex.object, &attributes.value), 0);
    const pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(mutex.object);
        _exit(0);
    }
    EXPECT_EQ(status_of(child), 0);
    EXPECT_EQ(pthread_mutex_lock(mutex.object), EOWNERDEAD);
    EXPECT_EQ(pthread_mutex_consistent(mutex.object), 0);
    EXPECT_EQ(pthread_mutex_unlock(mutex.object), 0);
    EXPECT_EQ(pthread_mutex_lock(mutex.object), 0);
    EXPECT_EQ(pthread_mutex_unlock(mutex.object), 0);
    EXPECT_EQ(pthread_mutex_destroy(mutex.object), 0);
}

/* The private cond is ours, the mutex glibc's; its news of a dead owner must reach the waiter. */
TEST(Robust, ADeadOwnerIsReportedByTheWait) {
    for (bool is_cond_shared : {false, true}) {
        Game game;
        init_mutex(&game.mutex, kRobustMutex);
        init_cond(&game.cond, is_cond_shared);
        int code = -1;
        std::thread waiter([&] {
            ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
            game.waiting = 1;
            code = 0;
            while (game.value == 0 && code == 0)
                code = pthread_cond_wait(&game.cond, &game.mutex);
            EXPECT_EQ(pthread_mutex_consistent(&game.mutex), 0);
            EXPECT_EQ(pthread_mutex_unlock(&game.mutex), 0);
        });
        std::thread dying([&] {
            for (;;) {
                ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
                if (game.waiting == 1)
                    break;
                ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
                std::this_thread::yield();
            }
            game.value = 1;
            ASSERT_EQ(pthread_cond_signal(&game.cond), 0);
        }); /* ends with the mutex */
        dying.join();
        waiter.join();
        EXPECT_EQ(code, EOWNERDEAD);
        EXPECT_EQ(pthread_mutex_destroy(&game.mutex), 0);
    }
}

TEST(Robust, RefusesWhatWasNotMadeConsistent) {
    Game game;
    init_mutex(&game.mutex, kRobustMutex);
    std::thread([&] { ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0); }).join();
    EXPECT_EQ(pthread_mutex_trylock(&game.mutex), EOWNERDEAD);
    EXPECT_EQ(pthread_mutex_unlock(&game.mutex), 0);
    EXPECT_EQ(pthread_mutex_lock(&game.mutex), ENOTRECOVERABLE);
}

TEST(Robust, AWaitWithoutTheMutexIsRefused) {
    MutexAttributes attributes(PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutexattr_setrobust(&attributes.value, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_t mutex;
    ASSERT_EQ(pthread_mutex_init(&mutex, &attributes.value), 0);
    for (bool is_cond_shared : {false, true}) {
        pthread_cond_t cond;
        init_cond(&cond, is_cond_shared);
        EXPECT_EQ(pthread_cond_wait(&cond, &mutex), EPERM);
        EXPECT_EQ(pthread_cond_destroy(&cond), 0);
    }
    EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
}

TEST(PriorityProtection, KeepsItsCeiling) {
    MutexAttributes attributes;
    pthread_mutexattr_setprotocol(&attributes.value, PTHREAD_PRIO_PROTECT);
    pthread_mutexattr_setprioceiling(&attributes.value, 7);
    pthread_mutex_t mutex;
    int ceiling = 0;
    ASSERT_EQ(pthread_mutex_init(&mutex, &attributes.value), 0);
    EXPECT_EQ(pthread_mutex_getprioceiling(&mutex, &ceiling), 0);
    EXPECT_EQ(ceiling, 7);
    EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
}

TEST(SharedMutex, AnswersAsGlibcDoes) {
    pthread_mutex_t mutex;
    init_mutex(&mutex, kSharedMutex);
    const timespec past = at(1, 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    EXPECT_EQ(pthread_mutex_timedlock(&mutex, &past), ETIMEDOUT);
    EXPECT_EQ(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &past), ETIMEDOUT);
    EXPECT_EQ(pthread_mutex_destroy(&mutex), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex), EINVAL);
}

/* The child of a fork holds what the forking thread held, and all else is usable. */
TEST(Fork, TheChildKeepsTheForkersLocksAndCanWorkOn) {
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_t read = PTHREAD_RWLOCK_INITIALIZER;
    ASSERT_EQ(pthread_mutex_lock(&held), 0);
    ASSERT_EQ(pthread_rwlock_wrlock(&written), 0);
    ASSERT_EQ(pthread_rwlock_rdlock(&read), 0);
    const pid_t child = fork();
    if (child == 0) {
        bool good = pthread_mutex_trylock(&held) == EBUSY;
        good &= pthread_rwlock_tryrdlock(&written) == EBUSY;
        good &= pthread_rwlock_trywrlock(&read) == EBUSY;
        good &= pthread_mutex_unlock(&held) == 0;
        good &= pthread_rwlock_unlock(&read) == 0;
        good &= pthread_mutex_trylock(&held) == 0 && held.__data.__owner == tid();
        good &= pthread_mutex_unlock(&held) == 0;
        good &= pthread_rwlock_trywrlock(&read) == 0;
        good &= pthread_rwlock_unlock(&read) == 0;
        Game game;
        init_mutex(&game.mutex, kErrorcheckMutex);
        init_cond(&game.cond, false);
        std::thread other([&] { good &= game.play(1, 200); });
        const bool mine = game.play(0, 200);
        other.join();
        _exit(good && mine ? 0 : 1);
    }
    EXPECT_EQ(status_of(child), 0);
    EXPECT_EQ(pthread_mutex_unlock(&held), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&written), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&read), 0);
}

/* Threads that wait in the parent do not exist in the child, but the words still speak of them. */
TEST(Fork, TheChildFindsNobodyWaiting) {
    for (int round = 0; round < 10; ++round) {
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
        Game game;
        init_mutex(&game.mutex, kNormalMutex);
        init_cond(&game.cond, false);
        ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
        ASSERT_EQ(pthread_rwlock_rdlock(&rwlock), 0);
        std::atomic<bool> writer_comes{false};
        std::thread locker([&] {
            EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
            EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
        });
        std::thread writer([&] {
            writer_comes = true;
            EXPECT_EQ(pthread_rwlock_wrlock(&rwlock), 0);
            EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
        });
        std::thread waiter([&] {
            ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
            ++game.waiting;
            while (game.value == 0)
                ASSERT_EQ(pthread_cond_wait(&game.cond, &game.mutex), 0);
            ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
        });
        while (!is_waited_for(mutex) || !writer_comes)
            std::this_thread::yield(); /* both implementations mark the word when a thread waits */
        for (;;) {
            ASSERT_EQ(pthread_mutex_lock(&game.mutex), 0);
            if (game.waiting == 1)
                break;
            ASSERT_EQ(pthread_mutex_unlock(&game.mutex), 0);
            std::this_thread::yield();
        }
        const pid_t child = fork();
        if (child == 0) {
            const timespec past = at(1, 0);
            bool good = pthread_cond_signal(&game.cond) == 0;
            good &= pthread_cond_broadcast(&game.cond) == 0;
            good &= pthread_cond_timedwait(&game.cond, &game.mutex, &past) == ETIMEDOUT;
            good &= pthread_mutex_unlock(&game.mutex) == 0;
            good &= pthread_mutex_unlock(&mutex) == 0;
            for (int i = 0; i < 3; ++i) {
                good &= pthread_mutex_lock(&mutex) == 0;
                good &= pthread_mutex_unlock(&mutex) == 0;
            }
            good &= pthread_rwlock_unlock(&rwlock) == 0;
            _exit(good ? 0 : 1);
        }
        EXPECT_EQ(status_of(child), 0);
        game.value = 1;
        EXPECT_EQ(pthread_cond_broadcast(&game.cond), 0);
        EXPECT_EQ(pthread_mutex_unlock(&game.mutex), 0);
        EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
        EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
        locker.join();
        writer.join();
        waiter.join();
    }
}

/* Another thread signals a shared cond all the time, and is inside when the child comes to be. */
TEST(Fork, TheChildCanUseSharedConds) {
    Game game;
    init_mutex(&game.mutex, kNormalMutex);
    init_cond(&game.cond, true);
    std::atomic<bool> is_over{false};
    std::atomic<bool> has_begun{false};
    std::thread signaller([&] {
        while (!is_over) {
            pthread_cond_signal(&game.cond);
            has_begun = true;
        }
    });
    while (!has_begun)
        std::this_thread::yield();
    for (int round = 0; round < 100; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            const timespec past = at(1, 0);
            init_cond(&game.cond, true); /* what the parent's thread left half done is glibc's own matter */
            bool good = pthread_cond_signal(&game.cond) == 0;
            good &= pthread_mutex_lock(&game.mutex) == 0;
            good &= pthread_cond_timedwait(&game.cond, &game.mutex, &past) == ETIMEDOUT;
            good &= pthread_mutex_unlock(&game.mutex) == 0;
            _exit(good ? 0 : 1);
        }
        ASSERT_EQ(status_of(child), 0);
    }
    is_over = true;
    signaller.join();
}

TEST(Libplc, TheChildMayGiveUpWhatTheForkerHadWritten) {
    pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
    ASSERT_EQ(pthread_rwlock_wrlock(&written), 0);
    const pid_t child = fork();
    if (child == 0)
        _exit(pthread_rwlock_unlock(&written) == 0 && pthread_rwlock_trywrlock(&written) == 0 ? 0 : 1);
    EXPECT_EQ(status_of(child), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&written), 0);
}

} // namespace
