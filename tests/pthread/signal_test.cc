/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Signal handlers and asynchronous cancellation that hit a thread in the middle of a lock's slow path. */
#include "dropin.h"

#include <atomic>
#include <csignal>
#include <semaphore.h>
#include <sys/wait.h>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

/* A mutex that stays locked, which threads try to lock for a time that is over: all of it in slow paths of that mutex. */
struct Busy {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    Busy() {
        EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
        EXPECT_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    }
    Busy(const Busy &) = delete;
    Busy &operator=(const Busy &) = delete;
    ~Busy() {
        EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
        EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
        EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
        EXPECT_EQ(pthread_rwlock_destroy(&rwlock), 0);
    }
    bool try_in_vain() {
        const timespec past = at(1, 0);
        return pthread_mutex_timedlock(&mutex, &past) == ETIMEDOUT &&
               pthread_rwlock_timedrdlock(&rwlock, &past) == ETIMEDOUT;
    }
};

struct InHandler {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    sem_t handled;      /* glibc's own, and safe in handlers */
    unsigned count = 0; /* guarded by mutex */
    InHandler() {
        sem_init(&handled, 0, 0);
    }
} in_handler;

void lock_another(int) {
    pthread_mutex_lock(&in_handler.mutex);
    __atomic_fetch_add(&in_handler.count, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&in_handler.mutex);
    sem_post(&in_handler.handled);
}

void await(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        continue;
}

using Install = void (*)(void (*handler)(int));

void by_sigaction(void (*handler)(int)) {
    struct sigaction action = {};
    action.sa_handler = handler;
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
}

void by_signal(void (*handler)(int)) {
    ASSERT_NE(std::signal(SIGUSR1, handler), SIG_ERR);
}

/* One thread is interrupted in slow_path; the handler wants a mutex whose holder is in touch. */
template <typename SlowPath, typename Touch>
void interrupt(unsigned signals, Install install, SlowPath slow_path, Touch touch) {
    std::atomic<bool> is_over{false};
    bool interrupted_was_good = true;
    bool holder_was_good = true;
    install(lock_another);
    in_handler.count = 0;
    std::thread interrupted([&] {
        while (!is_over)
            interrupted_was_good &= slow_path();
    });
    std::thread holder([&] {
        while (!is_over) {
            holder_was_good &= pthread_mutex_lock(&in_handler.mutex) == 0;
            for (int i = 0; i < 10; ++i)
                holder_was_good &= touch();
            const unsigned before = in_handler.count;
            holder_was_good &= pthread_mutex_unlock(&in_handler.mutex) == 0;
            for (int i = 0; i < 10 && before == __atomic_load_n(&in_handler.count, __ATOMIC_RELAXED); ++i)
                std::this_thread::yield(); /* glibc's mutex lets its holder take it again and again */
        }
    });
    for (unsigned i = 0; i < signals; ++i) {
        ASSERT_EQ(pthread_kill(interrupted.native_handle(), SIGUSR1), 0);
        await(&in_handler.handled);
    }
    is_over = true;
    interrupted.join();
    holder.join();
    std::signal(SIGUSR1, SIG_DFL);
    EXPECT_TRUE(interrupted_was_good);
    EXPECT_TRUE(holder_was_good);
    EXPECT_EQ(in_handler.count, signals);
}

class EveryWay : public testing::TestWithParam<Install> {};
INSTANTIATE_TEST_SUITE_P(Signal, EveryWay, testing::Values(by_sigaction, by_signal));

TEST_P(EveryWay, AHandlerMayLockAnotherMutex) {
    Busy busy;
    interrupt(
        300, GetParam(), [&] { return busy.try_in_vain(); }, [&] { return busy.try_in_vain(); });
}

/* The same with a cond, where nearly all of a wait whose time is over happens with a bucket locked. glibc's cond has a lock
   inside, which a handler may interrupt, too. */
TEST(Libplc, AHandlerMayLockWhileItsThreadWaitsOnACond) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    interrupt(
        5000, by_sigaction,
        [] {
            const timespec past = at(1, 0);
            pthread_mutex_lock(&mutex);
            const int code = pthread_cond_timedwait(&cond, &mutex, &past);
            return pthread_mutex_unlock(&mutex) == 0 && (code == 0 || code == ETIMEDOUT);
        },
        [] { return pthread_cond_signal(&cond) == 0; });
}

/* The child of a fork from a handler goes back to where its thread was interrupted. */
struct Forking {
    sem_t forked;
    std::atomic<bool> is_child{false};
    std::atomic<int> bad{0};
    Forking() {
        sem_init(&forked, 0, 0);
    }
} forking;

void fork_here(int) {
    const int saved_errno = errno;
    const pid_t child = _Fork();
    if (child == 0) {
        forking.is_child = true;
    } else {
        int status = -1;
        while (waitpid(child, &status, 0) == -1 && errno == EINTR)
            continue;
        forking.bad += status != 0;
        sem_post(&forking.forked);
    }
    errno = saved_errno;
}

TEST(Signal, AChildOfAHandlerGoesOn) {
    constexpr int kForks = 1000;
    std::atomic<bool> is_over{false};
    struct sigaction action = {};
    action.sa_handler = fork_here;
    ASSERT_EQ(sigaction(SIGUSR2, &action, nullptr), 0);
    std::thread interrupted([&] {
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
        const timespec past = at(1, 0);
        auto wait = [&] {
            return pthread_mutex_lock(&mutex) == 0 && pthread_cond_timedwait(&cond, &mutex, &past) == ETIMEDOUT &&
                   pthread_mutex_unlock(&mutex) == 0;
        };
        while (!is_over) {
            bool good = wait();
            if (forking.is_child) {
                for (int i = 0; i < 3; ++i)
                    good &= wait();
                _exit(good ? 0 : 1);
            }
        }
    });
    for (int i = 0; i < kForks; ++i) {
        ASSERT_EQ(pthread_kill(interrupted.native_handle(), SIGUSR2), 0);
        await(&forking.forked);
    }
    is_over = true;
    interrupted.join();
    std::signal(SIGUSR2, SIG_DFL);
    EXPECT_EQ(forking.bad, 0);
}

/* The thread dies wherever it is in a lock that it never gets. Everybody else's locks work on. */
TEST(Cancel, AsynchronouslyInASlowPathLeavesNothingBehind) {
    for (int round = 0; round < 20; ++round) {
        Busy busy;
        std::atomic<bool> go{false};
        std::vector<std::thread> others; /* before the victim, whose memory they would take over */
        int count = 0;
        for (int i = 0; i < 2; ++i)
            others.emplace_back([&] {
                while (!go)
                    std::this_thread::yield();
                for (int k = 0; k < 10000; ++k) {
                    pthread_mutex_lock(&busy.mutex);
                    ++count;
                    if (k % 64 == 0)
                        std::this_thread::yield();
                    pthread_mutex_unlock(&busy.mutex);
                }
            });
        pthread_t victim;
        ASSERT_EQ(pthread_create(
                      &victim, nullptr,
                      [](void *given) -> void * {
                          auto *self = static_cast<Busy *>(given);
                          pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
                          for (;;) {
                              const timespec soon = after_ms(CLOCK_REALTIME, 20);
                              pthread_mutex_timedlock(&self->mutex, &soon);
                          }
                      },
                      &busy),
                  0);
        while (!is_waited_for(busy.mutex))
            std::this_thread::yield();
        ASSERT_EQ(pthread_cancel(victim), 0);
        void *result = nullptr;
        pthread_join(victim, &result);
        EXPECT_EQ(result, PTHREAD_CANCELED);
        pthread_mutex_unlock(&busy.mutex);
        go = true;
        for (std::thread &other : others)
            other.join();
        EXPECT_EQ(count, 20000);
        pthread_mutex_lock(&busy.mutex);
    }
}

} // namespace
