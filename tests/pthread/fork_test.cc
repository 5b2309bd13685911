/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every way to fork, while other threads are in the middle of every kind of lock, and what the child finds. */
#include "dropin.h"

#include <atomic>
#include <csignal>
#include <memory>
#include <sys/mman.h>
#include <sys/wait.h>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

pid_t by_system_call() {
    return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

pid_t by_fork() {
    return fork();
}

pid_t by_fork_alone() {
    return _Fork();
}

struct Way {
    const char *name;
    pid_t (*fork)();
    bool has_own_tid; /* a raw system call tells neither glibc nor us */
};

void PrintTo(const Way &way, std::ostream *stream) {
    *stream << way.name;
}

class EveryWay : public testing::TestWithParam<Way> {};
INSTANTIATE_TEST_SUITE_P(Fork, EveryWay,
                         testing::Values(Way{"fork", by_fork, true}, Way{"_Fork", by_fork_alone, true},
                                         Way{"clone", by_system_call, false}));

int status_of(pid_t child) {
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

/* One of each. */
struct Locks {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    /* A wait that is over at once: the shortest way into the lot and out. */
    bool wait() {
        const timespec past = at(1, 0);
        return pthread_mutex_lock(&mutex) == 0 && pthread_cond_timedwait(&cond, &mutex, &past) == ETIMEDOUT &&
               pthread_mutex_unlock(&mutex) == 0;
    }
    /* Uses all that nobody else uses, the slow paths included. */
    bool work(bool has_own_tid) {
        const timespec past = at(1, 0);
        bool good = pthread_mutex_lock(&mutex) == 0;
        good &= !has_own_tid || mutex.__data.__owner == tid();
        good &= pthread_mutex_timedlock(&mutex, &past) == ETIMEDOUT;
        good &= pthread_cond_timedwait(&cond, &mutex, &past) == ETIMEDOUT;
        good &= !has_own_tid || mutex.__data.__owner == tid();
        good &= pthread_mutex_unlock(&mutex) == 0;
        good &= pthread_rwlock_rdlock(&rwlock) == 0;
        good &= pthread_rwlock_timedwrlock(&rwlock, &past) == ETIMEDOUT;
        good &= pthread_rwlock_unlock(&rwlock) == 0;
        return good;
    }
};

/* Some threads are inside the lot at any time when the child comes to be, with buckets locked. The child finds them free. */
TEST_P(EveryWay, TheChildFindsAWorkingLot) {
    constexpr int kForks = 6;
    constexpr int kThreads = 2;
    constexpr int kAddresses = 500;
    static Locks busy[kThreads];
    std::atomic<bool> is_over{false};
    std::atomic<int> running{0};
    std::atomic<int> bad{0};
    std::vector<std::thread> threads;
    for (Locks &locks : busy)
        threads.emplace_back([&] {
            ++running;
            while (!is_over)
                bad += !locks.wait();
        });
    while (running != kThreads)
        std::this_thread::yield();
    /* Enough addresses to come by every bucket. */
    auto fresh = std::make_unique<Locks[]>(kAddresses);
    for (int i = 0; i < kForks; ++i) {
        const pid_t child = GetParam().fork();
        if (child == 0) {
            bool good = true;
            for (int k = 0; k < kAddresses; ++k)
                good &= fresh[static_cast<size_t>(k)].wait();
            good &= fresh[0].work(GetParam().has_own_tid);
            _exit(good ? 0 : 1);
        }
        ASSERT_EQ(status_of(child), 0);
    }
    is_over = true;
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(bad, 0);
}

/* The forking thread's locks stay held, with their waiters gone. */
TEST_P(EveryWay, TheChildKeepsTheForkersLocks) {
    for (int round = 0; round < 20; ++round) {
        Locks held;
        ASSERT_EQ(pthread_mutex_lock(&held.mutex), 0);
        ASSERT_EQ(pthread_rwlock_rdlock(&held.rwlock), 0);
        std::thread waiter([&] {
            EXPECT_EQ(pthread_mutex_lock(&held.mutex), 0);
            EXPECT_EQ(pthread_mutex_unlock(&held.mutex), 0);
        });
        while (!is_waited_for(held.mutex))
            std::this_thread::yield();
        const pid_t child = GetParam().fork();
        if (child == 0) {
            bool good = pthread_mutex_trylock(&held.mutex) == EBUSY;
            good &= pthread_rwlock_trywrlock(&held.rwlock) == EBUSY;
            good &= pthread_mutex_unlock(&held.mutex) == 0;
            good &= pthread_rwlock_unlock(&held.rwlock) == 0;
            for (int i = 0; i < 3; ++i)
                good &= held.work(GetParam().has_own_tid);
            _exit(good ? 0 : 1);
        }
        EXPECT_EQ(status_of(child), 0);
        EXPECT_EQ(pthread_mutex_unlock(&held.mutex), 0);
        EXPECT_EQ(pthread_rwlock_unlock(&held.rwlock), 0);
        waiter.join();
    }
}

/* What the owner of a recursive or an errorcheck mutex may do depends on who it is. */
TEST_P(EveryWay, TheChildOwnsWhatItLocks) {
    for (int type : {PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK}) {
        MutexAttributes attributes(type);
        pthread_mutex_t mutex;
        ASSERT_EQ(pthread_mutex_init(&mutex, &attributes.value), 0);
        EXPECT_EQ(pthread_mutex_lock(&mutex), 0); /* the parent's tid is known by now */
        EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
        const int again = type == PTHREAD_MUTEX_RECURSIVE ? 0 : EDEADLK;
        const pid_t child = GetParam().fork();
        if (child == 0) {
            bool good = pthread_mutex_lock(&mutex) == 0;
            good &= !GetParam().has_own_tid || mutex.__data.__owner == tid();
            good &= pthread_mutex_lock(&mutex) == again;
            good &= again != 0 || pthread_mutex_unlock(&mutex) == 0;
            good &= pthread_mutex_unlock(&mutex) == 0;
            good &= pthread_mutex_unlock(&mutex) == EPERM;
            _exit(good ? 0 : 1);
        }
        EXPECT_EQ(status_of(child), 0);
        EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
    }
}

/* Nobody waits in the child, so the waiters' mutex may be gone there. The cond's word still speaks of both. */
TEST_P(EveryWay, TheChildSignalsACondWhoseMutexIsGone) {
    struct Shared {
        pthread_mutex_t *mutex;
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
        bool is_waiting = false;
        bool go = false;
    } shared;
    void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    shared.mutex = static_cast<pthread_mutex_t *>(page);
    ASSERT_EQ(pthread_mutex_init(shared.mutex, nullptr), 0);
    std::thread waiter([&] {
        pthread_mutex_lock(shared.mutex);
        shared.is_waiting = true;
        while (!shared.go)
            pthread_cond_wait(&shared.cond, shared.mutex);
        pthread_mutex_unlock(shared.mutex);
    });
    for (bool is_waiting = false; !is_waiting; std::this_thread::yield()) {
        pthread_mutex_lock(shared.mutex);
        is_waiting = shared.is_waiting;
        pthread_mutex_unlock(shared.mutex);
    }
    const pid_t child = GetParam().fork();
    if (child == 0) {
        munmap(page, 4096);
        _exit(pthread_cond_signal(&shared.cond) == 0 ? 0 : 1);
    }
    EXPECT_EQ(status_of(child), 0);
    pthread_mutex_lock(shared.mutex);
    shared.go = true;
    pthread_cond_signal(&shared.cond);
    pthread_mutex_unlock(shared.mutex);
    waiter.join();
    munmap(page, 4096);
}

} // namespace
