/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Waits on conds as cancellation points: the mutex is back before handlers run, and no signal is swallowed. */
#include "dropin.h"

#include <atomic>
#include <random>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

/* The kinds of mutex beyond pthread's types: those that glibc serves. */
enum Kind { kNormal, kRecursive, kErrorcheck, kAdaptive, kRobust, kInherit };

struct Fixture {
    pthread_mutex_t mutex;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    int value = 0;
    int waiting = 0;
    std::atomic<int> cleaned{0};      /* handlers that ran */
    std::atomic<int> cleaned_held{0}; /* and held the mutex */
    explicit Fixture(Kind kind = kNormal) {
        static constexpr int types[] = {PTHREAD_MUTEX_NORMAL,      PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                        PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_NORMAL,    PTHREAD_MUTEX_NORMAL};
        MutexAttributes attributes(types[kind]);
        if (kind == kRobust)
            pthread_mutexattr_setrobust(&attributes.value, PTHREAD_MUTEX_ROBUST);
        if (kind == kInherit)
            pthread_mutexattr_setprotocol(&attributes.value, PTHREAD_PRIO_INHERIT);
        EXPECT_EQ(pthread_mutex_init(&mutex, &attributes.value), 0);
    }
    Fixture(const Fixture &) = delete;
    Fixture &operator=(const Fixture &) = delete;
    ~Fixture() {
        EXPECT_EQ(pthread_mutex_trylock(&mutex), 0);
        EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
        EXPECT_EQ(pthread_cond_destroy(&cond), 0);
        EXPECT_EQ(pthread_mutex_destroy(&mutex), 0);
    }
    void lock() {
        EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    }
    void unlock() {
        EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    }
    /* Returns with the mutex held, when so many threads are inside wait. */
    void lock_when_waiting(int count) {
        for (;;) {
            lock();
            if (waiting == count)
                return;
            unlock();
            std::this_thread::yield();
        }
    }
    static void clean_up(void *argument) {
        auto *self = static_cast<Fixture *>(argument);
        const int owner = self->mutex.__data.__owner;
        self->cleaned_held += (owner & 0x3fffffff) == tid() && pthread_mutex_unlock(&self->mutex) == 0;
        ++self->cleaned;
    }
    /* What a waiter does: waits for a value, and takes it. timed: with a deadline that does not come. */
    void consume(bool timed = false) {
        const timespec late = never();
        lock();
        pthread_cleanup_push(clean_up, this);
        ++waiting;
        while (value == 0)
            EXPECT_EQ(timed ? pthread_cond_timedwait(&cond, &mutex, &late) : pthread_cond_wait(&cond, &mutex), 0);
        --value;
        --waiting;
        pthread_cleanup_pop(0);
        unlock();
    }
};

void *consume(void *argument) {
    static_cast<Fixture *>(argument)->consume();
    return nullptr;
}

void *consume_timed(void *argument) {
    static_cast<Fixture *>(argument)->consume(true);
    return nullptr;
}

pthread_t start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, nullptr, body, argument), 0);
    return thread;
}

bool was_cancelled(pthread_t thread) {
    void *result = nullptr;
    EXPECT_EQ(pthread_join(thread, &result), 0);
    return result == PTHREAD_CANCELED;
}

class EveryKind : public testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Cancel, EveryKind,
                         testing::Values(kNormal, kRecursive, kErrorcheck, kAdaptive, kRobust, kInherit));

TEST_P(EveryKind, TheWaiterHasItsMutexBack) {
    for (int round = 0; round < 50; ++round) {
        Fixture shared(GetParam());
        const pthread_t waiter = start(round % 2 == 0 ? consume : consume_timed, &shared);
        shared.lock_when_waiting(1);
        shared.unlock();
        ASSERT_EQ(pthread_cancel(waiter), 0);
        EXPECT_TRUE(was_cancelled(waiter));
        EXPECT_EQ(shared.cleaned, 1);
        EXPECT_EQ(shared.cleaned_held, 1);
    }
}

/* Cancelled while somebody else holds the mutex: the handlers run when it is free again. */
TEST_P(EveryKind, TheWaiterWaitsForItsMutex) {
    for (int round = 0; round < 50; ++round) {
        Fixture shared(GetParam());
        const pthread_t waiter = start(consume, &shared);
        shared.lock_when_waiting(1);
        ASSERT_EQ(pthread_cancel(waiter), 0);
        for (int i = 0; i < 20; ++i)
            std::this_thread::yield();
        EXPECT_EQ(shared.cleaned, 0);
        shared.unlock();
        EXPECT_TRUE(was_cancelled(waiter));
        EXPECT_EQ(shared.cleaned_held, 1);
    }
}

/* A wait that a recursive mutex enters holding it twice lets go of one level, and has both when it is cancelled. */
TEST(Cancel, ARecursiveMutexIsHeldAsOftenAsBefore) {
    Fixture shared(kRecursive);
    const pthread_t waiter = start(
        [](void *argument) -> void * {
            auto *self = static_cast<Fixture *>(argument);
            self->lock();
            self->lock();
            pthread_cleanup_push(Fixture::clean_up, argument);
            pthread_cleanup_push(Fixture::clean_up, argument);
            pthread_cancel(pthread_self());
            pthread_cond_wait(&self->cond, &self->mutex);
            pthread_cleanup_pop(0);
            pthread_cleanup_pop(0);
            return nullptr;
        },
        &shared);
    EXPECT_TRUE(was_cancelled(waiter));
    EXPECT_EQ(shared.cleaned_held, 2);
}

/* A cancellation that is pending acts upon entry, even if the time is over. */
TEST_P(EveryKind, APendingOneActsAtEntry) {
    for (bool timed : {false, true}) {
        Fixture shared(GetParam());
        shared.value = timed;
        const pthread_t waiter = start(
            [](void *argument) -> void * {
                auto *self = static_cast<Fixture *>(argument);
                const timespec past = at(1, 0);
                const bool with_time = self->value != 0;
                self->lock();
                pthread_cleanup_push(Fixture::clean_up, argument);
                pthread_cancel(pthread_self());
                if (with_time)
                    pthread_cond_timedwait(&self->cond, &self->mutex, &past);
                else
                    pthread_cond_wait(&self->cond, &self->mutex);
                ADD_FAILURE() << "the wait returned";
                pthread_cleanup_pop(1);
                return nullptr;
            },
            &shared);
        EXPECT_TRUE(was_cancelled(waiter));
        EXPECT_EQ(shared.cleaned_held, 1);
    }
}

TEST_P(EveryKind, ADisabledOneWaits) {
    Fixture shared(GetParam());
    const pthread_t waiter = start(
        [](void *argument) -> void * {
            int state = -1;
            pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
            static_cast<Fixture *>(argument)->consume();
            pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
            EXPECT_EQ(state, PTHREAD_CANCEL_DISABLE);
            pthread_testcancel();
            ADD_FAILURE() << "it is no longer pending";
            return nullptr;
        },
        &shared);
    shared.lock_when_waiting(1);
    ASSERT_EQ(pthread_cancel(waiter), 0);
    shared.unlock();
    for (int i = 0; i < 20; ++i)
        std::this_thread::yield();
    shared.lock();
    EXPECT_EQ(shared.waiting, 1);
    shared.value = 1;
    EXPECT_EQ(pthread_cond_signal(&shared.cond), 0);
    shared.unlock();
    EXPECT_TRUE(was_cancelled(waiter));
    EXPECT_EQ(shared.cleaned, 0);
    EXPECT_EQ(shared.value, 0);
}

/* The thread's own type of cancellation is what it was. */
TEST_P(EveryKind, TheTypeIsKept) {
    for (int type : {PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ASYNCHRONOUS}) {
        Fixture shared(GetParam());
        const int seen = elsewhere([&] {
            const timespec soon = after_ms(CLOCK_REALTIME, 2);
            int after = -1;
            shared.lock();
            pthread_setcanceltype(type, nullptr);
            EXPECT_EQ(pthread_cond_timedwait(&shared.cond, &shared.mutex, &soon), ETIMEDOUT);
            pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &after);
            shared.unlock();
            return after;
        });
        EXPECT_EQ(seen, type);
    }
}

/* The queue that a cancelled waiter stood in is whole: before, behind and between others. */
TEST_P(EveryKind, TheOthersWaitOn) {
    constexpr int kThreads = 4;
    for (int round = 0; round < 40; ++round) {
        Fixture shared(GetParam());
        pthread_t waiters[kThreads];
        for (int i = 0; i < kThreads; ++i) {
            waiters[i] = start(consume, &shared);
            shared.lock_when_waiting(i + 1);
            shared.unlock();
        }
        const int victim = round % kThreads;
        ASSERT_EQ(pthread_cancel(waiters[victim]), 0);
        EXPECT_TRUE(was_cancelled(waiters[victim]));
        shared.lock();
        shared.value = kThreads - 1;
        for (int i = 0; i < kThreads - 1; ++i)
            EXPECT_EQ(pthread_cond_signal(&shared.cond), 0);
        shared.unlock();
        for (int i = 0; i < kThreads; ++i) {
            if (i != victim) {
                EXPECT_FALSE(was_cancelled(waiters[i]));
            }
        }
        EXPECT_EQ(shared.value, 0);
    }
}

/* Signal and cancellation at once. Whichever comes first for the first waiter, one of the two gets the value. */
TEST_P(EveryKind, ASignalIsNotSwallowed) {
    std::mt19937 random(7);
    for (int round = 0; round < 400; ++round) {
        Fixture shared(GetParam());
        const pthread_t first = start(consume, &shared);
        shared.lock_when_waiting(1);
        shared.unlock();
        const pthread_t second = start(consume, &shared);
        shared.lock_when_waiting(2);
        shared.value = 1;
        if (round % 3 == 0)
            shared.unlock();
        EXPECT_EQ(pthread_cond_signal(&shared.cond), 0);
        if (round % 3 == 1)
            shared.unlock();
        for (auto i = random() % 200; i > 0; --i)
            __asm__ volatile("" ::: "memory");
        ASSERT_EQ(pthread_cancel(first), 0);
        if (round % 3 == 2)
            shared.unlock();
        /* Joining does not tell: glibc's handler says "cancelled" of a thread that it interrupts on its way out, too. */
        (void)was_cancelled(first);
        if (shared.cleaned == 0) {
            shared.lock(); /* it had the value: another one for the second */
            shared.value = 1;
            EXPECT_EQ(pthread_cond_signal(&shared.cond), 0);
            shared.unlock();
        }
        EXPECT_FALSE(was_cancelled(second));
        EXPECT_EQ(shared.value, 0);
    }
}

/* After a broadcast the cond is gone at once, though waiters are cancelled at the same time. */
TEST(Cancel, ACancelledWaiterLeavesAFreedCondAlone) {
    constexpr int kThreads = 3;
    for (int round = 0; round < 200; ++round) {
        struct Shared {
            pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
            pthread_cond_t *cond = new pthread_cond_t(PTHREAD_COND_INITIALIZER);
            int waiting = 0;
            bool go = false;
        } shared;
        pthread_t waiters[kThreads];
        for (pthread_t &waiter : waiters)
            waiter = start(
                [](void *argument) -> void * {
                    auto *self = static_cast<Shared *>(argument);
                    pthread_mutex_lock(&self->mutex);
                    pthread_cleanup_push(
                        [](void *inner) { pthread_mutex_unlock(&static_cast<Shared *>(inner)->mutex); }, argument);
                    ++self->waiting;
                    while (!self->go)
                        pthread_cond_wait(self->cond, &self->mutex);
                    pthread_cleanup_pop(1);
                    return nullptr;
                },
                &shared);
        for (;;) {
            pthread_mutex_lock(&shared.mutex);
            if (shared.waiting == kThreads)
                break;
            pthread_mutex_unlock(&shared.mutex);
            std::this_thread::yield();
        }
        shared.go = true;
        pthread_cond_broadcast(shared.cond);
        for (pthread_t waiter : waiters)
            pthread_cancel(waiter);
        pthread_mutex_unlock(&shared.mutex);
        pthread_cond_destroy(shared.cond); /* glibc waits here until they have left */
        memset(static_cast<void *>(shared.cond), 0xff, sizeof *shared.cond);
        for (pthread_t waiter : waiters)
            pthread_join(waiter, nullptr);
        for (size_t i = 0; i < sizeof *shared.cond; ++i)
            ASSERT_EQ(reinterpret_cast<unsigned char *>(shared.cond)[i], 0xff) << "byte " << i << " of a dead cond";
        delete shared.cond;
    }
}

/* Objects of C++ are destroyed when the wait is unwound. */
TEST(Cancel, DestructorsRun) {
    Fixture shared;
    const pthread_t waiter = start(
        [](void *argument) -> void * {
            struct Guard {
                Fixture *fixture;
                ~Guard() {
                    Fixture::clean_up(fixture);
                }
            };
            auto *self = static_cast<Fixture *>(argument);
            self->lock();
            Guard guard{self};
            ++self->waiting;
            for (;;)
                pthread_cond_wait(&self->cond, &self->mutex);
        },
        &shared);
    shared.lock_when_waiting(1);
    shared.unlock();
    ASSERT_EQ(pthread_cancel(waiter), 0);
    EXPECT_TRUE(was_cancelled(waiter));
    EXPECT_EQ(shared.cleaned_held, 1);
}

/* A producer sends one signal for each value, and the next when it was taken; consumers, of whom any may be cancelled at
   any time, wait without deadlines, or some of them with. If a signal were lost, everybody would sleep beside a value. */
class Stress : public testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Cancel, Stress, testing::Range(1u, 5u));

struct Market {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    long value = 0;
    long consumed = 0;
    long timed_out = 0;
    bool has_deadlines = false;
    bool is_closed = false;
    std::atomic<unsigned> seeds{0};

    static void *consume(void *argument) {
        auto *self = static_cast<Market *>(argument);
        std::minstd_rand random(++self->seeds);
        pthread_mutex_lock(&self->mutex);
        pthread_cleanup_push([](void *inner) { pthread_mutex_unlock(&static_cast<Market *>(inner)->mutex); }, argument);
        while (!self->is_closed || self->value != 0) {
            if (self->value != 0) {
                --self->value;
                ++self->consumed;
            } else if (!self->has_deadlines || random() % 4 != 0) {
                pthread_cond_wait(&self->cond, &self->mutex);
            } else {
                const timespec soon = after_ms(CLOCK_REALTIME, 0);
                self->timed_out += pthread_cond_timedwait(&self->cond, &self->mutex, &soon) == ETIMEDOUT;
            }
        }
        pthread_cleanup_pop(1);
        return nullptr;
    }
};

TEST_P(Stress, EverySignalIsReceived) {
    constexpr int kConsumers = 4;
    constexpr int kCancels = 1500;
    constexpr long kValues = 30000;
    Market market;
    market.has_deadlines = GetParam() % 2 == 0;
    std::mt19937 random(GetParam());
    std::vector<pthread_t> consumers;
    for (int i = 0; i < kConsumers; ++i)
        consumers.push_back(start(Market::consume, &market));
    std::thread producer([&market] {
        for (long i = 0; i < kValues; ++i) {
            pthread_mutex_lock(&market.mutex);
            while (market.value != 0) {
                pthread_mutex_unlock(&market.mutex);
                std::this_thread::yield();
                pthread_mutex_lock(&market.mutex);
            }
            ++market.value;
            const bool early = i % 2 == 0;
            if (early)
                pthread_cond_signal(&market.cond);
            pthread_mutex_unlock(&market.mutex);
            if (!early)
                pthread_cond_signal(&market.cond);
        }
    });
    int cancelled = 0;
    for (int i = 0; i < kCancels; ++i) {
        pthread_t &victim = consumers[random() % kConsumers];
        EXPECT_EQ(pthread_cancel(victim), 0);
        cancelled += was_cancelled(victim);
        victim = start(Market::consume, &market);
    }
    producer.join();
    /* All values are there, and each had its signal: the consumers take them without another word. */
    for (;;) {
        pthread_mutex_lock(&market.mutex);
        if (market.value == 0)
            break;
        pthread_mutex_unlock(&market.mutex);
        std::this_thread::yield();
    }
    EXPECT_EQ(market.consumed, kValues);
    market.is_closed = true;
    pthread_mutex_unlock(&market.mutex);
    pthread_cond_broadcast(&market.cond);
    for (pthread_t consumer : consumers)
        EXPECT_FALSE(was_cancelled(consumer));
    EXPECT_EQ(cancelled, kCancels); /* the market was open: only a cancellation ends a consumer */
    EXPECT_EQ(pthread_cond_destroy(&market.cond), 0);
    EXPECT_EQ(pthread_mutex_destroy(&market.mutex), 0);
}

} // namespace
