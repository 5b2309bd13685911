/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads that die in the wait for a lock, asynchronously cancelled or by pthread_exit in a handler; and all ways out of a wait at
   once, again and again, while others work. */
#include "jumps.h"

#include <random>
#include <semaphore.h>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

/* One of each, held by the test while others wait. */
struct Locks {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    bool had_mutex = false;
};

void *lock_mutex(void *given) {
    pthread_mutex_lock(&static_cast<Locks *>(given)->mutex);
    return nullptr;
}

void *lock_mutex_for_an_hour(void *given) {
    const timespec later = after_ms(CLOCK_REALTIME, 3600 * 1000);
    pthread_mutex_timedlock(&static_cast<Locks *>(given)->mutex, &later);
    return nullptr;
}

void *read_rwlock(void *given) {
    pthread_rwlock_rdlock(&static_cast<Locks *>(given)->rwlock);
    return nullptr;
}

void *write_rwlock(void *given) {
    pthread_rwlock_wrlock(&static_cast<Locks *>(given)->rwlock);
    return nullptr;
}

pthread_once_t never_done = PTHREAD_ONCE_INIT;
sem_t once_runs;
sem_t once_may_end;

void run_until_told() {
    sem_post(&once_runs);
    while (sem_wait(&once_may_end) != 0)
        continue;
}

void *call_once_now(void *) {
    pthread_once(&never_done, run_until_told);
    return nullptr;
}

/* Begins a thread whose type is the asynchronous one, and returns when it sleeps in `blocked`. */
struct Doomed {
    pthread_t thread{};
    Locks *locks = nullptr;
    void *(*blocked)(void *) = nullptr;
    std::atomic<int> tid{0};
    bool is_asynchronous = true;

    static void *run(void *given) {
        auto *self = static_cast<Doomed *>(given);
        if (self->is_asynchronous)
            pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
        self->tid = dropin::tid();
        return self->blocked(self->locks);
    }
    void begin() {
        ASSERT_EQ(pthread_create(&thread, nullptr, run, this), 0);
        while (tid == 0 || !is_asleep(tid))
            std::this_thread::yield();
    }
    void *end() {
        void *result = nullptr;
        EXPECT_EQ(pthread_join(thread, &result), 0);
        return result;
    }
};

extern "C" void note_and_unlock(void *given) {
    auto *locks = static_cast<Locks *>(given);
    locks->had_mutex = locks->mutex.__data.__owner == tid();
    pthread_mutex_unlock(&locks->mutex);
}

/* ---- First of all, while nothing else has told of cancellations: a cond's wait may be cancelled at any instruction while it sleeps; but not a handler that interrupts the sleep and is in the
   slow path of another lock. */

Locks busy;
std::atomic<unsigned> handled{0};

bool try_in_vain() {
    const timespec past = at(1, 0);
    return pthread_mutex_timedlock(&busy.mutex, &past) == ETIMEDOUT;
}

void try_again_and_again(int, siginfo_t *, void *) {
    ++handled;
    for (int i = 0; i < 50; ++i)
        try_in_vain();
}

void *wait_for_good(void *given) {
    auto *locks = static_cast<Locks *>(given);
    pthread_mutex_lock(&locks->mutex);
    pthread_cleanup_push(note_and_unlock, locks);
    for (;;)
        pthread_cond_wait(&locks->cond, &locks->mutex);
    pthread_cleanup_pop(0);
    return nullptr;
}

TEST(Handler, MayLockWhileItsThreadIsCancelledInACond) {
    install(SIGUSR2, try_again_and_again, 0);
    ASSERT_EQ(pthread_mutex_lock(&busy.mutex), 0);
    for (int round = 0; round < 100; ++round) {
        Locks locks;
        Doomed doomed;
        doomed.is_asynchronous = false;
        doomed.blocked = wait_for_good;
        doomed.locks = &locks;
        doomed.begin();
        const unsigned before = handled;
        ASSERT_EQ(pthread_kill(doomed.thread, SIGUSR2), 0);
        while (handled == before)
            std::this_thread::yield();
        ASSERT_EQ(pthread_cancel(doomed.thread), 0);
        ASSERT_EQ(doomed.end(), PTHREAD_CANCELED);
        EXPECT_TRUE(locks.had_mutex);
        ASSERT_TRUE(elsewhere(try_in_vain)); /* for ever, if its bucket was left locked */
    }
    EXPECT_EQ(pthread_mutex_unlock(&busy.mutex), 0);
}

/* ---- Cancelled in the wait for a lock */

void cancel_while_it_waits(void *(*blocked)(void *), Locks *locks) {
    for (int round = 0; round < 20; ++round) {
        Doomed doomed;
        doomed.blocked = blocked;
        doomed.locks = locks;
        doomed.begin();
        ASSERT_EQ(pthread_cancel(doomed.thread), 0);
        ASSERT_EQ(doomed.end(), PTHREAD_CANCELED); /* while the lock is still held */
    }
}

TEST(Cancel, AsynchronouslyOutOfAMutexAtOnce) {
    Locks locks;
    ASSERT_EQ(pthread_mutex_lock(&locks.mutex), 0);
    cancel_while_it_waits(lock_mutex, &locks);
    cancel_while_it_waits(lock_mutex_for_an_hour, &locks);
    ASSERT_EQ(pthread_mutex_unlock(&locks.mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&locks.mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(&locks.mutex), 0);
    EXPECT_EQ(pthread_mutex_destroy(&locks.mutex), 0);
}

TEST(Cancel, AsynchronouslyOutOfTheWaitForAOnceAtOnce) {
    sem_init(&once_runs, 0, 0);
    sem_init(&once_may_end, 0, 0);
    std::thread runner([] { pthread_once(&never_done, run_until_told); });
    while (sem_wait(&once_runs) != 0)
        continue;
    cancel_while_it_waits(call_once_now, nullptr);
    sem_post(&once_may_end);
    runner.join();
    EXPECT_EQ(pthread_once(&never_done, run_until_told), 0);
}

/* glibc leaves the reader or writer that is gone counted in the rwlock. */
TEST(Libplc, AsynchronouslyOutOfARwlockAtOnce) {
    Locks locks;
    ASSERT_EQ(pthread_rwlock_wrlock(&locks.rwlock), 0);
    cancel_while_it_waits(read_rwlock, &locks);
    cancel_while_it_waits(write_rwlock, &locks);
    ASSERT_EQ(pthread_rwlock_unlock(&locks.rwlock), 0);
    ASSERT_EQ(pthread_rwlock_rdlock(&locks.rwlock), 0);
    cancel_while_it_waits(write_rwlock, &locks); /* it has the lock but for the readers that are inside */
    EXPECT_EQ(elsewhere([&] { return pthread_rwlock_rdlock(&locks.rwlock) || pthread_rwlock_unlock(&locks.rwlock); }),
              0);
    ASSERT_EQ(pthread_rwlock_unlock(&locks.rwlock), 0);
    EXPECT_EQ(pthread_rwlock_trywrlock(&locks.rwlock), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&locks.rwlock), 0);
}

/* In the middle of a notification, which holds a bucket. glibc's has a lock inside. */
TEST(Libplc, AsynchronouslyInANotificationLeavesNothingBehind) {
    static Locks locks;
    std::atomic<bool> is_over{false};
    std::thread waiter([&] {
        pthread_mutex_lock(&locks.mutex);
        while (!is_over)
            pthread_cond_wait(&locks.cond, &locks.mutex);
        pthread_mutex_unlock(&locks.mutex);
    });
    for (int round = 0; round < 60; ++round) {
        static std::atomic<int> signals;
        signals = 0;
        pthread_t victim;
        ASSERT_EQ(pthread_create(
                      &victim, nullptr,
                      [](void *) -> void * {
                          pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
                          for (;;) {
                              pthread_cond_signal(&locks.cond);
                              ++signals;
                          }
                      },
                      nullptr),
                  0);
        while (signals < round)
            std::this_thread::yield();
        ASSERT_EQ(pthread_cancel(victim), 0);
        ASSERT_EQ(pthread_join(victim, nullptr), 0);
    }
    is_over = true;
    pthread_mutex_lock(&locks.mutex);
    pthread_cond_broadcast(&locks.cond);
    pthread_mutex_unlock(&locks.mutex);
    waiter.join();
}

/* The deferred type waits on, and dies with the lock at its next cancellation point. */
TEST(Cancel, DeferredDoesNotLeaveTheWait) {
    Locks locks;
    ASSERT_EQ(pthread_mutex_lock(&locks.mutex), 0);
    Doomed waiter;
    waiter.is_asynchronous = false;
    waiter.blocked = lock_mutex;
    waiter.locks = &locks;
    waiter.begin();
    ASSERT_EQ(pthread_cancel(waiter.thread), 0);
    while (!is_asleep(waiter.tid))
        std::this_thread::yield();
    ASSERT_EQ(pthread_mutex_unlock(&locks.mutex), 0);
    EXPECT_EQ(waiter.end(), nullptr); /* it came out of the lock, and has no cancellation point after that */
    EXPECT_EQ(pthread_mutex_trylock(&locks.mutex), EBUSY);
}

/* ---- pthread_exit in a handler */

char died;

void die(int, siginfo_t *, void *) {
    pthread_exit(&died);
}

TEST(Exit, InAHandlerOutOfAMutex) {
    install(SIGUSR1, die, 0);
    Locks locks;
    ASSERT_EQ(pthread_mutex_lock(&locks.mutex), 0);
    for (int round = 0; round < 20; ++round) {
        Doomed doomed;
        doomed.is_asynchronous = false;
        doomed.blocked = lock_mutex;
        doomed.locks = &locks;
        doomed.begin();
        ASSERT_EQ(pthread_kill(doomed.thread, SIGUSR1), 0);
        ASSERT_EQ(doomed.end(), &died);
    }
    ASSERT_EQ(pthread_mutex_unlock(&locks.mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&locks.mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(&locks.mutex), 0);
}

TEST(Exit, InAHandlerOutOfACondHasTheMutexForCleaningUp) {
    install(SIGUSR1, die, 0);
    Locks locks;
    Doomed doomed;
    doomed.is_asynchronous = false;
    doomed.blocked = wait_for_good;
    doomed.locks = &locks;
    doomed.begin();
    ASSERT_EQ(pthread_kill(doomed.thread, SIGUSR1), 0);
    EXPECT_EQ(doomed.end(), &died);
    EXPECT_TRUE(locks.had_mutex);
    EXPECT_EQ(pthread_mutex_trylock(&locks.mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(&locks.mutex), 0);
    EXPECT_EQ(pthread_cond_signal(&locks.cond), 0);
    EXPECT_EQ(pthread_cond_destroy(&locks.cond), 0);
}

/* ---- Stress: threads are torn out of everything at any moment at which they are certain not to have the lock, which is while
   they are in a system call. Others use the same locks in earnest: nothing that was done is lost, and nobody sleeps for ever. */

bool was_in_a_system_call(const ucontext_t *context) {
#if defined(__x86_64__)
    const auto *at = reinterpret_cast<const unsigned char *>(context->uc_mcontext.gregs[REG_RIP]);
    return at[-2] == 0x0f && at[-1] == 0x05;
#elif defined(__aarch64__)
    return reinterpret_cast<const uint32_t *>(context->uc_mcontext.pc)[-1] == 0xd4000001;
#else
    (void)context;
    return false;
#endif
}

thread_local volatile sig_atomic_t may_jump = 0;
std::atomic<unsigned> jumps{0};

void jump_if_it_waits(int, siginfo_t *, void *context) {
    if (may_jump != 0 && was_in_a_system_call(static_cast<const ucontext_t *>(context))) {
        may_jump = 0;
        jumps.fetch_add(1, std::memory_order_relaxed);
        siglongjmp(*landing, 1);
    }
}

struct Arena {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    uint64_t in_mutex = 0;
    uint64_t in_rwlock = 0;
    uint64_t tickets = 0;          /* guarded by cond_mutex */
    std::atomic<uint64_t> used{0}; /* tickets that were taken */
    std::atomic<uint64_t> locked{0};
    std::atomic<uint64_t> written{0};
    std::atomic<bool> is_over{false};
};

void work(volatile int amount) {
    while (amount > 0)
        amount = amount - 1;
}

void use_mutex(Arena *arena) {
    may_jump = 1;
    pthread_mutex_lock(&arena->mutex);
    may_jump = 0;
    ++arena->in_mutex;
    ++arena->locked;
    work(200);
    may_jump = 1; /* when it comes to a system call it has let go of the mutex, and its wakes are done */
    pthread_mutex_unlock(&arena->mutex);
    may_jump = 0;
}

void use_rwlock(Arena *arena, bool write) {
    may_jump = 1;
    if (write)
        pthread_rwlock_wrlock(&arena->rwlock);
    else
        pthread_rwlock_rdlock(&arena->rwlock);
    may_jump = 0;
    if (write)
        ++arena->in_rwlock;
    work(200);
    pthread_rwlock_unlock(&arena->rwlock);
    arena->written += write;
}

/* Is told of tickets but takes none: what it is told it tells on. */
void wait_and_pass_on(Arena *arena) {
    may_jump = 1;
    pthread_mutex_lock(&arena->cond_mutex);
    pthread_cond_wait(&arena->cond, &arena->cond_mutex);
    may_jump = 0;
    pthread_mutex_unlock(&arena->cond_mutex);
    may_jump = 1; /* likewise */
    pthread_cond_signal(&arena->cond);
    may_jump = 0;
}

struct Torn {
    Arena *arena;
    unsigned seed;
    pthread_t thread;
};

void *be_torn(void *given) {
    auto *self = static_cast<Torn *>(given);
    Arena *arena = self->arena;
    sigjmp_buf here;
    volatile unsigned random = self->seed;
    (void)sigsetjmp(here, 1);
    landing = &here;
    while (!arena->is_over) {
        random = random * 1103515245u + 12345u;
        switch (random >> 16 & 3) {
        case 0:
            use_mutex(arena);
            break;
        case 1:
            use_rwlock(arena, true);
            break;
        case 2:
            use_rwlock(arena, false);
            break;
        default:
            wait_and_pass_on(arena);
        }
    }
    may_jump = 0;
    landing = nullptr;
    return nullptr;
}

constexpr unsigned kJumps = 400;

void use_all(Arena *arena) {
    for (int i = 0; jumps < kJumps; ++i) {
        use_mutex(arena);
        use_rwlock(arena, i % 4 == 0);
    }
}

void take_tickets(Arena *arena) {
    pthread_mutex_lock(&arena->cond_mutex);
    while (!arena->is_over) {
        if (arena->tickets == 0) {
            pthread_cond_wait(&arena->cond, &arena->cond_mutex);
        } else {
            --arena->tickets;
            ++arena->used;
        }
    }
    pthread_mutex_unlock(&arena->cond_mutex);
}

void issue_tickets(Arena *arena, uint64_t *issued) {
    for (uint64_t i = 0; jumps < kJumps; *issued = ++i) {
        pthread_mutex_lock(&arena->cond_mutex);
        ++arena->tickets;
        pthread_cond_signal(&arena->cond);
        pthread_mutex_unlock(&arena->cond_mutex);
        while (arena->used <= i) /* for ever, if the signal was swallowed */
            std::this_thread::yield();
    }
}

TEST(Libplc, NothingIsLostWhileThreadsAreTornOut) {
#if !defined(__x86_64__) && !defined(__aarch64__)
    GTEST_SKIP() << "this processor's system calls are not known here";
#endif
    const char *given = std::getenv("PLC_SEED");
    const unsigned seed =
        given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 0)) : std::random_device()();
    std::printf("PLC_SEED=%u\n", seed);
    install(SIGUSR1, jump_if_it_waits, 0);
    jumps = 0;
    Arena arena;
    std::vector<Torn> torn(3);
    for (Torn &one : torn) {
        one.arena = &arena;
        one.seed = seed + static_cast<unsigned>(&one - torn.data());
        ASSERT_EQ(pthread_create(&one.thread, nullptr, be_torn, &one), 0);
    }
    std::vector<std::thread> others;
    uint64_t issued = 0;
    others.emplace_back(use_all, &arena);
    others.emplace_back(use_all, &arena);
    others.emplace_back(issue_tickets, &arena, &issued);
    std::thread taker(take_tickets, &arena);
    std::atomic<bool> has_ended{false};
    std::thread disturber([&] {
        for (size_t i = 0; !has_ended; ++i) {
            pthread_kill(torn[i % torn.size()].thread, SIGUSR1);
            std::this_thread::yield();
        }
    });
    for (std::thread &other : others)
        other.join();
    has_ended = true;
    disturber.join();
    arena.is_over = true;
    for (Torn &one : torn) {
        while (pthread_tryjoin_np(one.thread, nullptr) == EBUSY) {
            pthread_cond_broadcast(&arena.cond);
            std::this_thread::yield();
        }
    }
    pthread_mutex_lock(&arena.cond_mutex);
    pthread_cond_broadcast(&arena.cond);
    pthread_mutex_unlock(&arena.cond_mutex);
    taker.join();
    EXPECT_EQ(arena.in_mutex, arena.locked);
    EXPECT_EQ(arena.in_rwlock, arena.written);
    EXPECT_EQ(arena.used, issued);
    EXPECT_EQ(pthread_mutex_destroy(&arena.mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&arena.cond_mutex), 0);
    EXPECT_EQ(pthread_rwlock_trywrlock(&arena.rwlock), 0);
}

} // namespace
