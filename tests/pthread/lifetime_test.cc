/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Locks that vanish as soon as they may, and threads that lock where little else works. */
#include "dropin.h"

#include <atomic>
#include <cstddef>
#include <sys/mman.h>
#include <sys/wait.h>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

/* An object in pages of its own, so that any touch after unmap() is a fault. */
template <typename T>
T *map() {
    void *memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<T *>(memory);
}

template <typename T>
void unmap(T *object) {
    ASSERT_EQ(munmap(object, sizeof(T)), 0);
}

/* Two threads meet at the start of every round. */
class Rounds {
  public:
    explicit Rounds(int count) : count_(count) {}
    template <typename Prepare, typename Body>
    void run(Prepare prepare, Body body) {
        auto loop = [&](bool is_first) {
            for (int round = 0; round < count_; ++round) {
                if (is_first)
                    prepare();
                meet(2 * round + 1);
                body(is_first);
                meet(2 * round + 2);
            }
        };
        std::thread other(loop, false);
        loop(true);
        other.join();
    }

  private:
    void meet(int phase) {
        ++arrivals_;
        while (arrivals_ < 2 * phase)
            std::this_thread::yield();
    }
    int count_;
    std::atomic<int> arrivals_{0};
};

struct CountedMutex {
    pthread_mutex_t mutex;
    int users;
};

/* Each user gives up its share under the mutex; the last one unmaps it. The other may still be inside its unlock. */
TEST(Unlock, DoesNotTouchAMutexThatTheNextOwnerUnmaps) {
    for (int type :
         {PTHREAD_MUTEX_TIMED_NP, PTHREAD_MUTEX_RECURSIVE_NP, PTHREAD_MUTEX_ERRORCHECK_NP, PTHREAD_MUTEX_ADAPTIVE_NP}) {
        CountedMutex *object = nullptr;
        MutexAttributes attributes(type);
        Rounds(3000).run(
            [&] {
                object = map<CountedMutex>();
                ASSERT_EQ(pthread_mutex_init(&object->mutex, &attributes.value), 0);
                object->users = 2;
            },
            [&](bool) {
                ASSERT_EQ(pthread_mutex_lock(&object->mutex), 0);
                const bool is_last = --object->users == 0;
                ASSERT_EQ(pthread_mutex_unlock(&object->mutex), 0);
                if (is_last)
                    unmap(object);
            });
    }
}

struct CountedRwlock {
    pthread_rwlock_t lock;
    std::atomic<int> users;
};

TEST(Unlock, DoesNotTouchARwlockThatTheNextWriterUnmaps) {
    CountedRwlock *object = nullptr;
    Rounds(3000).run(
        [&] {
            object = map<CountedRwlock>();
            object->users = 2;
        },
        [&](bool reads) {
            ASSERT_EQ(reads ? pthread_rwlock_rdlock(&object->lock) : pthread_rwlock_wrlock(&object->lock), 0);
            const bool is_last = object->users.fetch_sub(1) == 1;
            ASSERT_EQ(pthread_rwlock_unlock(&object->lock), 0);
            if (is_last) {
                ASSERT_EQ(pthread_rwlock_wrlock(&object->lock), 0);
                ASSERT_EQ(pthread_rwlock_unlock(&object->lock), 0);
                unmap(object);
            }
        });
}

/* POSIX: a cond may be destroyed as soon as all its waiters have been woken, before they have resumed. */
TEST(Broadcast, LetsTheCondBeUnmappedAtOnce) {
    constexpr int kWaiters = 4;
    constexpr int kRounds = 300;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t *cond = nullptr;
    int round_of_cond = -1;
    int waiting = 0;
    int woken = -1;
    std::vector<std::thread> threads;
    for (int i = 0; i < kWaiters; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < kRounds; ++round) {
                ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
                while (round_of_cond != round) {
                    ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
                    std::this_thread::yield();
                    ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
                }
                ++waiting;
                /* Broadcast once and then gone: a spurious wake-up would find no cond to wait on, and there is none in
                   either implementation while nobody sends signals. */
                ASSERT_EQ(pthread_cond_wait(cond, &mutex), 0);
                EXPECT_EQ(woken, round);
                --waiting;
                ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
            }
        });
    auto lock_when_waiting = [&](int count) {
        for (;;) {
            ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
            if (waiting == count)
                return;
            ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
            std::this_thread::yield();
        }
    };
    for (int round = 0; round < kRounds; ++round) {
        lock_when_waiting(0);
        cond = map<pthread_cond_t>();
        round_of_cond = round;
        ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
        lock_when_waiting(kWaiters);
        woken = round;
        const bool under_the_mutex = round % 2 == 0;
        if (!under_the_mutex) {
            ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
        }
        ASSERT_EQ(pthread_cond_broadcast(cond), 0);
        if (under_the_mutex) {
            ASSERT_EQ(pthread_mutex_unlock(&mutex), 0);
        }
        ASSERT_EQ(pthread_cond_destroy(cond), 0);
        unmap(cond);
    }
    for (std::thread &thread : threads)
        thread.join();
}

/* ---- Threads that end, or are small */

struct Everything {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_once_t once = PTHREAD_ONCE_INIT;
    long count = 0;
    std::atomic<int> failures{0};

    void use() {
        const timespec soon = after_ms(CLOCK_REALTIME, 0);
        int code = pthread_mutex_lock(&mutex);
        ++count;
        const int timed = pthread_cond_timedwait(&cond, &mutex, &soon);
        code |= timed == ETIMEDOUT ? 0 : timed; /* others broadcast */
        code |= pthread_cond_broadcast(&cond);
        code |= pthread_mutex_unlock(&mutex);
        code |= pthread_mutex_lock(&recursive);
        code |= pthread_mutex_lock(&recursive);
        code |= pthread_mutex_unlock(&recursive);
        code |= pthread_mutex_unlock(&recursive);
        code |= pthread_rwlock_rdlock(&rwlock);
        code |= pthread_rwlock_unlock(&rwlock);
        code |= pthread_rwlock_wrlock(&rwlock);
        code |= pthread_rwlock_unlock(&rwlock);
        code |= pthread_once(&once, [] {});
        failures += code != 0;
    }
};

Everything at_thread_end;
pthread_key_t key;
constexpr int kIterations = 3;

/* Runs after the thread's function and its thread_local objects, several times. */
void end_of_thread(void *left) {
    at_thread_end.use();
    const intptr_t more = reinterpret_cast<intptr_t>(left) - 1;
    if (more > 0)
        pthread_setspecific(key, reinterpret_cast<void *>(more));
}

TEST(ThreadEnd, DestructorsOfThreadSpecificDataMayLock) {
    constexpr int kThreads = 8;
    ASSERT_EQ(pthread_key_create(&key, end_of_thread), 0);
    for (int round = 0; round < 10; ++round) {
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i)
            threads.emplace_back([] {
                static thread_local struct AtEnd {
                    ~AtEnd() {
                        at_thread_end.use();
                    }
                    int used = 0;
                } at_end;
                at_end.used = 1;
                pthread_setspecific(key, reinterpret_cast<void *>(intptr_t{kIterations}));
            });
        for (std::thread &thread : threads)
            thread.join();
    }
    EXPECT_EQ(at_thread_end.failures, 0);
    EXPECT_EQ(at_thread_end.count, 10 * kThreads * (kIterations + 1));
    EXPECT_EQ(pthread_key_delete(key), 0);
}

TEST(SmallStacks, AreEnough) {
    constexpr int kThreads = 6;
    static Everything shared;
    pthread_attr_t attributes;
    pthread_t threads[kThreads];
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, static_cast<size_t>(PTHREAD_STACK_MIN)), 0);
    ASSERT_EQ(pthread_mutex_lock(&shared.mutex), 0);
    for (pthread_t &thread : threads)
        ASSERT_EQ(pthread_create(
                      &thread, &attributes,
                      [](void *) -> void * {
                          for (int i = 0; i < 100; ++i)
                              shared.use();
                          return nullptr;
                      },
                      nullptr),
                  0);
    while (!is_waited_for(shared.mutex)) /* the way to sleep is the deepest */
        std::this_thread::yield();
    ASSERT_EQ(pthread_mutex_unlock(&shared.mutex), 0);
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    EXPECT_EQ(shared.failures, 0);
    EXPECT_EQ(shared.count, kThreads * 100);
}

Everything at_process_end;

/* Other threads are still at it while the process ends. */
TEST(ProcessEnd, ExitHandlersMayLock) {
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 2; ++i)
            std::thread([] {
                for (;;)
                    at_process_end.use();
            }).detach();
        std::atexit([] {
            for (int i = 0; i < 100; ++i)
                at_process_end.use();
            _exit(at_process_end.failures == 0 ? 23 : 1);
        });
        std::exit(1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 23);
}

} // namespace
