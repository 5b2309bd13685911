/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The mutex: every function, hand-over, fairness and deadlines. */
#include <atomic>
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <thread>
#include <vector>

#include "support/lot_probe.h"

namespace {

void wait_until_waiting(const plc_mutex_t &mutex, size_t count) {
    plc_test::wait_until_parked(&mutex, count, PLC_WAITER_MUTEX);
}

/* The byte has its initial value: nobody holds or waits, and nothing is left of those who did. */
void expect_pristine(const plc_mutex_t &mutex) {
    EXPECT_EQ(plc_load_relaxed(&mutex.state), 0u);
    EXPECT_EQ(plc_test::parked_count(&mutex, PLC_WAITER_MUTEX), 0u);
}

/* A thread that locks, says so, and holds the mutex until it is told to let go. */
class Holder {
  public:
    explicit Holder(plc_mutex_t &mutex, bool fair_unlock = false)
        : mutex_(mutex), fair_unlock_(fair_unlock), thread_([this] { run(); }) {}
    ~Holder() {
        let_go();
    }
    bool holds() const {
        return holds_.load();
    }
    void wait_until_holding() const {
        while (!holds())
            std::this_thread::yield();
    }
    void let_go() {
        may_go_ = true;
        if (thread_.joinable())
            thread_.join();
    }

  private:
    void run() {
        plc_mutex_lock(&mutex_);
        holds_ = true;
        while (!may_go_.load())
            std::this_thread::yield();
        if (fair_unlock_)
            plc_mutex_unlock_fair(&mutex_);
        else
            plc_mutex_unlock(&mutex_);
    }

    plc_mutex_t &mutex_;
    bool fair_unlock_;
    std::atomic<bool> holds_{false};
    std::atomic<bool> may_go_{false};
    std::thread thread_;
};

/* ---- Alone */

TEST(Mutex, ZeroedMemoryIsUnlocked) {
    EXPECT_EQ(sizeof(plc_mutex_t), 1u);
    plc_mutex_t zeroed;
    std::memset(&zeroed, 0, sizeof zeroed);
    const plc_mutex_t initialised = PLC_MUTEX_INIT;
    EXPECT_FALSE(plc_mutex_is_locked(&zeroed));
    EXPECT_FALSE(plc_mutex_is_locked(&initialised));
    EXPECT_EQ(std::memcmp(&zeroed, &initialised, sizeof zeroed), 0);
}

TEST(Mutex, LockAndUnlock) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    for (int i = 0; i < 3; ++i) {
        plc_mutex_lock(&mutex);
        EXPECT_TRUE(plc_mutex_is_locked(&mutex));
        plc_mutex_unlock(&mutex);
        EXPECT_FALSE(plc_mutex_is_locked(&mutex));
        plc_mutex_lock(&mutex);
        plc_mutex_unlock_fair(&mutex);
        EXPECT_FALSE(plc_mutex_is_locked(&mutex));
    }
    expect_pristine(mutex);
}

TEST(Mutex, TryLockTakesOnlyAFreeMutex) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    EXPECT_TRUE(plc_mutex_try_lock(&mutex));
    EXPECT_FALSE(plc_mutex_try_lock(&mutex));
    std::thread([&mutex] { EXPECT_FALSE(plc_mutex_try_lock(&mutex)); }).join();
    plc_mutex_unlock(&mutex);
    std::thread([&mutex] {
        EXPECT_TRUE(plc_mutex_try_lock(&mutex));
        plc_mutex_unlock(&mutex);
    }).join();
    expect_pristine(mutex);
}

TEST(Mutex, BumpWithoutWaitersKeepsIt) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_mutex_lock(&mutex);
    plc_mutex_bump(&mutex);
    EXPECT_TRUE(plc_mutex_is_locked(&mutex));
    std::thread([&mutex] { EXPECT_FALSE(plc_mutex_try_lock(&mutex)); }).join();
    plc_mutex_unlock(&mutex);
    expect_pristine(mutex);
}

TEST(Mutex, AnUnlockedOneMayBeMoved) {
    plc_mutex_t from = PLC_MUTEX_INIT;
    {
        plc_mutex_lock(&from);
        Holder holder(from);
        wait_until_waiting(from, 1);
        plc_mutex_unlock(&from);
    }
    plc_mutex_t to;
    std::memcpy(&to, &from, sizeof to);
    plc_mutex_lock(&to);
    plc_mutex_unlock(&to);
    expect_pristine(to);
}

/* The lock is one byte: bytes beside it are other locks, or anything. */
TEST(Mutex, LeavesTheBytesBesideItAlone) {
    struct {
        uint8_t before[7];
        plc_mutex_t mutex;
        uint8_t behind[8];
    } object;
    std::memset(&object, 0xa5, sizeof object);
    object.mutex = PLC_MUTEX_INIT;
    plc_mutex_lock(&object.mutex);
    {
        std::vector<std::thread> waiters;
        for (int i = 0; i < 3; ++i) {
            waiters.emplace_back([&object] {
                plc_mutex_lock(&object.mutex);
                plc_mutex_unlock(&object.mutex);
            });
        }
        wait_until_waiting(object.mutex, 3);
        plc_mutex_bump(&object.mutex);
        plc_mutex_unlock(&object.mutex);
        for (std::thread &waiter : waiters)
            waiter.join();
    }
    for (const uint8_t byte : object.before)
        EXPECT_EQ(byte, 0xa5);
    for (const uint8_t byte : object.behind)
        EXPECT_EQ(byte, 0xa5);
}

/* ---- With waiters */

TEST(Mutex, UnlockLetsAWaiterIn) {
    for (bool fair : {false, true}) {
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        plc_mutex_lock(&mutex);
        Holder waiter(mutex);
        wait_until_waiting(mutex, 1);
        EXPECT_FALSE(waiter.holds());
        if (fair)
            plc_mutex_unlock_fair(&mutex);
        else
            plc_mutex_unlock(&mutex);
        waiter.wait_until_holding();
        EXPECT_TRUE(plc_mutex_is_locked(&mutex));
        waiter.let_go();
        expect_pristine(mutex);
    }
}

TEST(Mutex, WaitersAreServedInTheOrderInWhichTheyCame) {
    for (bool fair : {false, true}) {
        constexpr size_t count = 8;
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        std::vector<size_t> order; /* guarded by mutex */
        std::vector<std::thread> waiters;
        plc_mutex_lock(&mutex);
        for (size_t i = 0; i < count; ++i) {
            waiters.emplace_back([&, i] {
                plc_mutex_lock(&mutex);
                order.push_back(i);
                if (fair)
                    plc_mutex_unlock_fair(&mutex);
                else
                    plc_mutex_unlock(&mutex);
            });
            wait_until_waiting(mutex, i + 1);
        }
        plc_mutex_unlock(&mutex);
        for (std::thread &waiter : waiters)
            waiter.join();
        for (size_t i = 0; i < count; ++i)
            EXPECT_EQ(order.at(i), i);
        expect_pristine(mutex);
    }
}

/* Handed over, the mutex is never free in between: the unlocker's own try, the fastest thief there is, fails. */
TEST(Mutex, UnlockFairHandsOver) {
    for (int round = 0; round < 50; ++round) {
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        plc_mutex_lock(&mutex);
        Holder waiter(mutex);
        wait_until_waiting(mutex, 1);
        plc_mutex_unlock_fair(&mutex);
        ASSERT_FALSE(plc_mutex_try_lock(&mutex));
        waiter.wait_until_holding();
        waiter.let_go();
        expect_pristine(mutex);
    }
}

TEST(Mutex, UnlockFairHandsOverDownTheQueue) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_mutex_lock(&mutex);
    Holder first(mutex, true);
    wait_until_waiting(mutex, 1);
    Holder second(mutex, true);
    wait_until_waiting(mutex, 2);
    plc_mutex_unlock_fair(&mutex);
    EXPECT_FALSE(plc_mutex_try_lock(&mutex));
    first.wait_until_holding();
    EXPECT_FALSE(second.holds());
    first.let_go();
    EXPECT_FALSE(plc_mutex_try_lock(&mutex));
    second.wait_until_holding();
    second.let_go();
    expect_pristine(mutex);
}

TEST(Mutex, BumpLetsTheWaiterHaveItAndTakesItAgain) {
    for (int round = 0; round < 50; ++round) {
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        bool visited = false; /* guarded by mutex */
        plc_mutex_lock(&mutex);
        std::thread waiter([&] {
            plc_mutex_lock(&mutex);
            visited = true;
            plc_mutex_unlock(&mutex);
        });
        wait_until_waiting(mutex, 1);
        plc_mutex_bump(&mutex);
        EXPECT_TRUE(visited);
        EXPECT_TRUE(plc_mutex_is_locked(&mutex));
        plc_mutex_unlock(&mutex);
        waiter.join();
        expect_pristine(mutex);
    }
}

/* A thread that unlocks and locks again without pause overtakes the waiter again and again; but not for ever. The
   waiter, once it has the mutex, keeps it until the barger has noticed. */
TEST(Mutex, AnOldWaiterIsNotOvertakenForEver) {
    for (int round = 0; round < 20; ++round) {
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        plc_mutex_lock(&mutex);
        Holder waiter(mutex);
        wait_until_waiting(mutex, 1);
        do {
            plc_mutex_unlock(&mutex);
        } while (plc_mutex_try_lock(&mutex));
        waiter.wait_until_holding();
        waiter.let_go();
        expect_pristine(mutex);
    }
}

TEST(Mutex, NorAreManyOldWaiters) {
    constexpr size_t count = 6;
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    std::atomic<size_t> served{0};
    std::vector<std::thread> waiters;
    plc_mutex_lock(&mutex);
    for (size_t i = 0; i < count; ++i) {
        waiters.emplace_back([&] {
            plc_mutex_lock(&mutex);
            served++;
            plc_mutex_unlock(&mutex);
        });
    }
    while (served.load() < count) { /* without ever leaving it free for longer than it takes */
        plc_mutex_unlock(&mutex);
        plc_mutex_lock(&mutex);
    }
    plc_mutex_unlock(&mutex);
    for (std::thread &waiter : waiters)
        waiter.join();
    expect_pristine(mutex);
}

/* ---- Deadlines */

TEST(MutexUntil, TakesAFreeMutexWhateverTheDeadline) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    for (plc_clock clock : plc_test::clocks) {
        for (int64_t ns : {INT64_MIN, INT64_C(-1), INT64_C(0), INT64_C(1), INT64_MAX - 1, INT64_MAX}) {
            ASSERT_TRUE(plc_mutex_lock_until(&mutex, plc_deadline_t{ns, clock})) << ns;
            plc_mutex_unlock(&mutex);
        }
    }
    expect_pristine(mutex);
}

TEST(MutexUntil, GivesUpAtTheDeadlineAndNotBefore) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_mutex_lock(&mutex);
    for (plc_clock clock : plc_test::clocks) {
        for (int64_t ns : {INT64_MIN, INT64_C(-1), INT64_C(0), INT64_C(1)})
            EXPECT_FALSE(plc_mutex_lock_until(&mutex, plc_deadline_t{ns, clock})) << ns;
        const plc_deadline_t deadline = plc_test::soon(clock);
        EXPECT_FALSE(plc_mutex_lock_until(&mutex, deadline));
        EXPECT_TRUE(plc_deadline_has_passed(deadline));
    }
    EXPECT_EQ(plc_load_relaxed(&mutex.state), PLC_MUTEX_LOCKED_) << "nobody waits, and the byte says so";
    plc_mutex_unlock(&mutex);
    expect_pristine(mutex);
}

TEST(MutexUntil, FarDeadlinesWaitForTheUnlock) {
    for (plc_clock clock : plc_test::clocks) {
        for (plc_deadline_t deadline : {plc_deadline_t{INT64_MAX, clock}, plc_deadline_t{INT64_MAX - 1, clock},
                                        plc_deadline_at(clock, INT64_C(0x100000000), 1)}) {
            plc_mutex_t mutex = PLC_MUTEX_INIT;
            plc_mutex_lock(&mutex);
            std::thread waiter([&] {
                ASSERT_TRUE(plc_mutex_lock_until(&mutex, deadline)) << deadline.ns;
                plc_mutex_unlock(&mutex);
            });
            wait_until_waiting(mutex, 1);
            plc_mutex_unlock(&mutex);
            waiter.join();
            expect_pristine(mutex);
        }
    }
}

/* A waiter that gives up leaves the others in the queue, and the unlock finds them. */
TEST(MutexUntil, GivingUpDoesNotForgetTheOthers) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_mutex_lock(&mutex);
    std::thread impatient(
        [&] { EXPECT_FALSE(plc_mutex_lock_until(&mutex, plc_test::after(PLC_CLOCK_MONOTONIC, 20'000'000))); });
    Holder patient(mutex);
    impatient.join();
    wait_until_waiting(mutex, 1);
    std::thread([&] { EXPECT_FALSE(plc_mutex_lock_until(&mutex, plc_test::soon())); }).join();
    EXPECT_EQ(plc_test::parked_count(&mutex, PLC_WAITER_MUTEX), 1u);
    plc_mutex_unlock(&mutex);
    patient.wait_until_holding();
    patient.let_go();
    expect_pristine(mutex);
}

/* ---- errno, kinds */

TEST(Mutex, PreservesErrno) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    errno = 4242;
    plc_mutex_lock(&mutex);
    EXPECT_FALSE(plc_mutex_lock_until(&mutex, plc_test::soon()));
    EXPECT_FALSE(plc_mutex_try_lock(&mutex));
    std::thread waiter([&mutex] {
        errno = 77;
        plc_mutex_lock(&mutex);
        EXPECT_EQ(errno, 77);
        plc_mutex_unlock_fair(&mutex);
        EXPECT_EQ(errno, 77);
    });
    wait_until_waiting(mutex, 1);
    errno = 4242;
    plc_mutex_bump(&mutex);
    plc_mutex_unlock(&mutex);
    EXPECT_EQ(errno, 4242);
    waiter.join();
}

TEST(Mutex, WakesNoStrangerAtItsAddress) {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    std::atomic<bool> queued{false};
    std::thread stranger([&] {
        plc_park_ops ops = {};
        ops.before_sleep = [](void *context) { *static_cast<std::atomic<bool> *>(context) = true; };
        EXPECT_EQ(plc_park(&mutex, &ops, &queued, 0, PLC_NO_DEADLINE).token, 3u);
    });
    while (!queued.load())
        std::this_thread::yield();
    plc_mutex_lock(&mutex);
    {
        Holder waiter(mutex);
        wait_until_waiting(mutex, 1);
        plc_mutex_unlock(&mutex);
    }
    EXPECT_EQ(plc_unpark_all(&mutex, 3), 1u);
    stranger.join();
}

} // namespace
