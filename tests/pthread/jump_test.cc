/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Handlers that jump out of a lock for which their thread waits: the thread is simply no longer there. */
#include "jumps.h"

#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

/* Out of a wait for a mutex, of any kind. */

struct Contested {
    pthread_mutex_t mutex;
    std::atomic<int> taken{0};
    explicit Contested(int type) {
        MutexAttributes attributes(type);
        EXPECT_EQ(pthread_mutex_init(&mutex, &attributes.value), 0);
    }
};

bool lock_once(void *given) {
    auto *self = static_cast<Contested *>(given);
    if (pthread_mutex_lock(&self->mutex) == 0) {
        ++self->taken;
        pthread_mutex_unlock(&self->mutex);
    }
    return false;
}

bool lock_once_for_an_hour(void *given) {
    auto *self = static_cast<Contested *>(given);
    const timespec later = after_ms(CLOCK_REALTIME, 3600 * 1000);
    if (pthread_mutex_timedlock(&self->mutex, &later) == 0) {
        ++self->taken;
        pthread_mutex_unlock(&self->mutex);
    }
    return false;
}

class Kinds : public testing::TestWithParam<std::tuple<int, Victim::Blocked>> {
  protected:
    Kinds() {
        install(SIGUSR1, jump_away, 0);
    }
    Contested contested_{std::get<0>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Jump, Kinds,
                         testing::Combine(testing::Values(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                                          PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP),
                                          testing::Values(lock_once, lock_once_for_an_hour)));

TEST_P(Kinds, TheMutexIsFreeForOthers) {
    for (int round = 0; round < 20; ++round) {
        ASSERT_EQ(pthread_mutex_lock(&contested_.mutex), 0);
        {
            Victim victim(std::get<1>(GetParam()), &contested_);
            victim.stay_away = true;
            victim.tear_out();
        } /* its stack is gone */
        ASSERT_EQ(pthread_mutex_unlock(&contested_.mutex), 0);
        ASSERT_EQ(contested_.taken, 0);
        ASSERT_EQ(elsewhere([&] {
                      return pthread_mutex_trylock(&contested_.mutex) || pthread_mutex_unlock(&contested_.mutex);
                  }),
                  0);
    }
    EXPECT_EQ(pthread_mutex_destroy(&contested_.mutex), 0);
}

TEST_P(Kinds, TheMutexMayBeLockedAgain) {
    ASSERT_EQ(pthread_mutex_lock(&contested_.mutex), 0);
    Victim victim(std::get<1>(GetParam()), &contested_);
    for (int i = 0; i < 20; ++i)
        victim.tear_out();
    ASSERT_EQ(pthread_mutex_unlock(&contested_.mutex), 0);
    victim.join();
    EXPECT_EQ(contested_.taken, 1);
    EXPECT_EQ(pthread_mutex_destroy(&contested_.mutex), 0);
}

TEST_P(Kinds, ThoseInFrontAndBehindAreServed) {
    for (int round = 0; round < 10; ++round) {
        contested_.taken = 0;
        ASSERT_EQ(pthread_mutex_lock(&contested_.mutex), 0);
        Victim in_front(std::get<1>(GetParam()), &contested_);
        in_front.await_asleep();
        Victim victim(std::get<1>(GetParam()), &contested_);
        victim.stay_away = true;
        victim.await_asleep();
        Victim behind(std::get<1>(GetParam()), &contested_);
        behind.await_asleep();
        victim.tear_out();
        ASSERT_EQ(pthread_mutex_unlock(&contested_.mutex), 0);
        in_front.join();
        behind.join();
        ASSERT_EQ(contested_.taken, 2);
    }
}

/* ---- A handler that jumps, but stays within itself: the wait goes on. On its thread's stack, and on one of its own that lies
   below or above. */

std::atomic<int> inner_jumps{0};

void jump_within(int, siginfo_t *, void *) {
    sigjmp_buf here;
    if (sigsetjmp(here, 1) == 0)
        siglongjmp(here, 1);
    ++inner_jumps;
}

enum class Stack { kOwn, kBelow, kAbove };

struct OnStack {
    Contested contested{PTHREAD_MUTEX_NORMAL};
    stack_t stack{};
};

bool lock_once_on_stack(void *given) {
    auto *self = static_cast<OnStack *>(given);
    if (self->stack.ss_sp != nullptr)
        sigaltstack(&self->stack, nullptr);
    lock_once(&self->contested);
    return false;
}

class Stacks : public testing::TestWithParam<Stack> {
  protected:
    static constexpr size_t kSize = 65536;
    /* Below every thread's stack, as data is; or above, on the first thread's. */
    void choose(char *above) {
        static char below[kSize];
        on_.stack.ss_size = kSize;
        on_.stack.ss_sp = GetParam() == Stack::kBelow ? below : GetParam() == Stack::kAbove ? above : nullptr;
        flags_ = GetParam() == Stack::kOwn ? 0 : SA_ONSTACK;
    }
    OnStack on_;
    int flags_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Jump, Stacks, testing::Values(Stack::kOwn, Stack::kBelow, Stack::kAbove));

TEST_P(Stacks, WithinAHandlerLeavesTheWaitAlone) {
    char above[kSize];
    choose(above);
    install(SIGUSR1, jump_within, flags_);
    inner_jumps = 0;
    ASSERT_EQ(pthread_mutex_lock(&on_.contested.mutex), 0);
    Victim victim(lock_once_on_stack, &on_);
    for (int i = 1; i <= 20; ++i) {
        victim.await_asleep();
        ASSERT_EQ(pthread_kill(victim.thread(), SIGUSR1), 0);
        while (inner_jumps != i)
            std::this_thread::yield();
    }
    victim.await_asleep();
    ASSERT_EQ(pthread_mutex_unlock(&on_.contested.mutex), 0);
    victim.join();
    EXPECT_EQ(on_.contested.taken, 1);
    EXPECT_EQ(victim.jumps(), 0);
}

TEST_P(Stacks, OutOfAHandlerLeavesTheWait) {
    char above[kSize];
    choose(above);
    install(SIGUSR1, jump_away, flags_);
    ASSERT_EQ(pthread_mutex_lock(&on_.contested.mutex), 0);
    Victim victim(lock_once_on_stack, &on_);
    for (int i = 0; i < 20; ++i)
        victim.tear_out();
    Victim behind(lock_once, &on_.contested);
    behind.await_asleep();
    victim.stay_away = true;
    victim.tear_out();
    victim.join();
    ASSERT_EQ(pthread_mutex_unlock(&on_.contested.mutex), 0);
    behind.join();
    EXPECT_EQ(on_.contested.taken, 1);
    EXPECT_EQ(pthread_mutex_trylock(&on_.contested.mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(&on_.contested.mutex), 0);
}

/* ---- A handler that waits for a lock itself while its thread does, and is torn out of both by another. */

pthread_mutex_t wanted_by_handler = PTHREAD_MUTEX_INITIALIZER;

void lock_in_handler(int, siginfo_t *, void *) {
    pthread_mutex_lock(&wanted_by_handler);
    pthread_mutex_unlock(&wanted_by_handler);
}

TEST(Jump, OutOfTwoWaitsAtOnce) {
    Contested contested(PTHREAD_MUTEX_NORMAL);
    install(SIGUSR2, lock_in_handler, 0);
    install(SIGUSR1, jump_away, 0);
    ASSERT_EQ(pthread_mutex_lock(&contested.mutex), 0);
    ASSERT_EQ(pthread_mutex_lock(&wanted_by_handler), 0);
    for (int round = 0; round < 20; ++round) {
        Victim victim(lock_once, &contested);
        victim.stay_away = true;
        victim.await_asleep();
        ASSERT_EQ(pthread_kill(victim.thread(), SIGUSR2), 0);
        while (!is_waited_for(wanted_by_handler))
            std::this_thread::yield(); /* both implementations mark the word when a thread waits */
        victim.tear_out();
        victim.join();
        ASSERT_EQ(pthread_mutex_unlock(&wanted_by_handler), 0);
        ASSERT_EQ(pthread_mutex_lock(&wanted_by_handler), 0);
    }
    EXPECT_EQ(pthread_mutex_unlock(&wanted_by_handler), 0);
    EXPECT_EQ(pthread_mutex_unlock(&contested.mutex), 0);
    EXPECT_EQ(contested.taken, 0);
    EXPECT_EQ(pthread_mutex_destroy(&contested.mutex), 0);
}

/* ---- Conds. glibc counts the one that is gone for ever, and a broadcast waits for it. */

struct Waiting {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    bool go = false; /* guarded by mutex */
};

bool wait_once(void *given) {
    auto *self = static_cast<Waiting *>(given);
    pthread_mutex_lock(&self->mutex);
    while (!self->go)
        pthread_cond_wait(&self->cond, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
    return false;
}

TEST(Libplc, OutOfACondLeavesTheMutexFree) {
    install(SIGUSR1, jump_away, 0);
    Waiting waiting;
    Victim victim(wait_once, &waiting);
    for (int i = 0; i < 20; ++i) {
        victim.tear_out(); /* and it locks the mutex again, which shows that it was free */
        ASSERT_EQ(pthread_mutex_lock(&waiting.mutex), 0);
        ASSERT_EQ(pthread_mutex_unlock(&waiting.mutex), 0);
    }
    victim.await_asleep();
    ASSERT_EQ(pthread_mutex_lock(&waiting.mutex), 0);
    waiting.go = true;
    ASSERT_EQ(pthread_cond_broadcast(&waiting.cond), 0);
    ASSERT_EQ(pthread_mutex_unlock(&waiting.mutex), 0);
    victim.join();
}

TEST(Libplc, OutOfACondLeavesNobodyBehind) {
    install(SIGUSR1, jump_away, 0);
    for (int round = 0; round < 20; ++round) {
        Waiting waiting;
        Victim other(wait_once, &waiting);
        other.await_asleep();
        Victim victim(wait_once, &waiting);
        victim.stay_away = true;
        victim.tear_out();
        ASSERT_EQ(pthread_mutex_lock(&waiting.mutex), 0);
        waiting.go = true;
        ASSERT_EQ(pthread_cond_signal(&waiting.cond), 0); /* for the other one */
        ASSERT_EQ(pthread_mutex_unlock(&waiting.mutex), 0);
        other.join();
        ASSERT_EQ(waiting.cond.__data.__g_refs[0], 0u);
        ASSERT_EQ(pthread_cond_destroy(&waiting.cond), 0);
    }
}

/* Notified while it is in the mutex's queue, or on its way out of it: somebody else must have the notification. */
TEST(Libplc, OutOfTheRelockAfterANotificationPassesItOn) {
    install(SIGUSR1, jump_away, 0);
    for (int round = 0; round < 20; ++round) {
        Waiting waiting;
        Victim victim(wait_once, &waiting);
        victim.stay_away = true;
        victim.await_asleep();
        Victim other(wait_once, &waiting);
        other.await_asleep();
        ASSERT_EQ(pthread_mutex_lock(&waiting.mutex), 0);
        waiting.go = true;
        ASSERT_EQ(pthread_cond_signal(&waiting.cond), 0); /* for the victim, which came first */
        victim.tear_out();                                /* it wants the mutex by now */
        ASSERT_EQ(pthread_mutex_unlock(&waiting.mutex), 0);
        other.join();
    }
}

/* ---- Onces */

pthread_once_t once = PTHREAD_ONCE_INIT;
std::atomic<bool> once_is_running{false};
std::atomic<bool> once_may_end{false};
std::atomic<int> once_runs{0};

void slow_routine() {
    once_is_running = true;
    while (!once_may_end)
        std::this_thread::yield();
    ++once_runs;
}

bool call_once_now(void *) {
    pthread_once(&once, slow_routine);
    return false;
}

TEST(Jump, OutOfTheWaitForAOnce) {
    install(SIGUSR1, jump_away, 0);
    std::thread runner([] { pthread_once(&once, slow_routine); });
    while (!once_is_running)
        std::this_thread::yield();
    Victim other(call_once_now, nullptr);
    other.await_asleep();
    Victim victim(call_once_now, nullptr);
    for (int i = 0; i < 20; ++i)
        victim.tear_out();
    victim.stay_away = true;
    victim.tear_out();
    victim.join();
    once_may_end = true;
    runner.join();
    other.join();
    EXPECT_EQ(once_runs, 1);
}

pthread_once_t left_once = PTHREAD_ONCE_INIT;
sigjmp_buf out_of_routine;
int routines = 0;

void leave_routine() {
    if (++routines == 1)
        siglongjmp(out_of_routine, 1);
}

TEST(Jump, OutOfTheRoutineOfAOnceResetsIt) {
    if (sigsetjmp(out_of_routine, 0) == 0) {
        pthread_once(&left_once, leave_routine);
        FAIL() << "it did not jump";
    }
    EXPECT_EQ(pthread_once(&left_once, leave_routine), 0);
    EXPECT_EQ(pthread_once(&left_once, leave_routine), 0);
    EXPECT_EQ(routines, 2);
}

/* ---- Rwlocks. glibc leaves the reader or writer that is gone counted in the rwlock. */

struct Shared {
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    std::atomic<int> taken{0};
};

bool read_once(void *given) {
    auto *self = static_cast<Shared *>(given);
    pthread_rwlock_rdlock(&self->rwlock);
    ++self->taken;
    pthread_rwlock_unlock(&self->rwlock);
    return false;
}

bool write_once(void *given) {
    auto *self = static_cast<Shared *>(given);
    pthread_rwlock_wrlock(&self->rwlock);
    ++self->taken;
    pthread_rwlock_unlock(&self->rwlock);
    return false;
}

using Lock = int (*)(pthread_rwlock_t *);

class Rwlocks : public testing::TestWithParam<std::tuple<Lock, Victim::Blocked>> {};
INSTANTIATE_TEST_SUITE_P(Libplc, Rwlocks,
                         testing::Values(std::make_tuple(pthread_rwlock_wrlock, read_once),
                                         std::make_tuple(pthread_rwlock_wrlock, write_once),
                                         std::make_tuple(pthread_rwlock_rdlock, write_once)));

TEST_P(Rwlocks, OutOfARwlockLeavesNobodyBehind) {
    install(SIGUSR1, jump_away, 0);
    for (int round = 0; round < 20; ++round) {
        Shared shared;
        ASSERT_EQ(std::get<0>(GetParam())(&shared.rwlock), 0);
        Victim victim(std::get<1>(GetParam()), &shared);
        victim.tear_out();
        victim.await_asleep();
        Victim reader(read_once, &shared);
        Victim writer(write_once, &shared);
        victim.stay_away = true;
        victim.tear_out();
        victim.join();
        ASSERT_EQ(pthread_rwlock_unlock(&shared.rwlock), 0);
        reader.join();
        writer.join();
        ASSERT_EQ(shared.taken, 2);
        ASSERT_EQ(pthread_rwlock_trywrlock(&shared.rwlock), 0);
        ASSERT_EQ(pthread_rwlock_unlock(&shared.rwlock), 0);
    }
}

} // namespace
