/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The thread parker's contract: every wake-up counts once, whenever it comes, and nothing else ends a park. */
#include <atomic>
#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <type_traits>

#include "support/internal.h"

namespace {

using plc_test::clocks;

/* A parker with its owner's deadline-less and hooked waits, and the lock that stands for its queue's. */
struct Parker {
    plc_thread_parker parker;

    Parker() {
        plc_thread_parker_init(&parker);
    }
    ~Parker() {
        plc_thread_parker_destroy(&parker);
    }
    Parker(const Parker &) = delete;
    Parker &operator=(const Parker &) = delete;

    void prepare(bool may_spin = true) {
        plc_thread_parker_prepare_park(&parker, may_spin);
    }
    void park(const plc_sleep_hooks *hooks = nullptr) {
        plc_thread_parker_park(&parker, hooks);
    }
    bool park_until(plc_deadline_t deadline, const plc_sleep_hooks *hooks = nullptr) {
        return plc_thread_parker_park_until(&parker, deadline, hooks);
    }
    /* As a waker does it that has just taken the owner out of the queue. */
    void unpark() {
        plc_thread_parker_unpark_lock(&parker);
        plc_thread_parker_unpark(&parker);
    }
};

/* Counts the hooks; another thread may watch. */
struct Hooks {
    std::atomic<unsigned> begun{0};
    std::atomic<unsigned> ended{0};
    plc_sleep_hooks hooks{[](void *context) { static_cast<Hooks *>(context)->begun++; },
                          [](void *context) { static_cast<Hooks *>(context)->ended++; }, this};

    void wait_until_asleep(unsigned times = 1) const {
        while (begun.load() < times)
            std::this_thread::yield();
    }
};

TEST(ThreadParker, UnparkBeforePark) {
    Parker parker;
    parker.prepare();
    std::thread([&parker] { parker.unpark(); }).join();
    parker.park();
    SUCCEED() << "did not block";
}

TEST(ThreadParker, UnparkDuringPark) {
    for (bool may_spin : {false, true}) {
        Parker parker;
        Hooks hooks;
        parker.prepare(may_spin);
        std::thread owner([&] { parker.park(&hooks.hooks); });
        hooks.wait_until_asleep();
        parker.unpark();
        owner.join();
        EXPECT_GE(hooks.begun.load(), 1u);
        EXPECT_EQ(hooks.begun.load(), hooks.ended.load()) << "hooks come in pairs";
    }
}

TEST(ThreadParker, HooksAreNotCalledWithoutSleep) {
    Parker parker;
    Hooks hooks;
    parker.prepare();
    parker.unpark();
    parker.park(&hooks.hooks);
    EXPECT_EQ(hooks.begun.load(), 0u);
    EXPECT_EQ(hooks.ended.load(), 0u);
}

TEST(ThreadParker, EachWaitNeedsItsOwnUnpark) {
    Parker parker;
    constexpr unsigned rounds = 2000;
    std::atomic<unsigned> prepared{0};
    unsigned payload = 0; /* plain: ordered by the parker alone [P1] */
    std::thread owner([&] {
        for (unsigned round = 1; round <= rounds; ++round) {
            parker.prepare(round % 2 == 0);
            prepared.store(round, std::memory_order_release);
            parker.park();
            ASSERT_EQ(payload, round);
        }
    });
    for (unsigned round = 1; round <= rounds; ++round) {
        while (prepared.load(std::memory_order_acquire) != round)
            std::this_thread::yield();
        payload = round;
        parker.unpark();
    }
    owner.join();
}

TEST(ThreadParker, ParkUntilInThePastDoesNotWait) {
    for (plc_clock clock : clocks) {
        for (int64_t ns : {INT64_MIN, INT64_C(-1), INT64_C(0), INT64_C(1)}) {
            Parker parker;
            parker.prepare();
            EXPECT_FALSE(parker.park_until(plc_deadline_t{ns, clock})) << ns;
            EXPECT_TRUE(plc_thread_parker_timed_out(&parker.parker));
        }
    }
}

TEST(ThreadParker, ParkUntilInThePastStillSeesAnEarlierUnpark) {
    for (plc_clock clock : clocks) {
        Parker parker;
        parker.prepare();
        parker.unpark();
        EXPECT_TRUE(parker.park_until(plc_deadline_t{-1, clock}));
    }
}

TEST(ThreadParker, ParkUntilEndsAtTheDeadlineAndNotBefore) {
    for (plc_clock clock : clocks) {
        Parker parker;
        parker.prepare();
        const plc_deadline_t deadline = plc_test::soon(clock);
        EXPECT_FALSE(parker.park_until(deadline));
        EXPECT_TRUE(plc_deadline_has_passed(deadline));
        EXPECT_TRUE(plc_thread_parker_timed_out(&parker.parker));
    }
}

TEST(ThreadParker, ParkUntilEndsByUnpark) {
    for (plc_clock clock : clocks) {
        for (plc_deadline_t deadline :
             {plc_test::much_later(clock), plc_deadline_t{INT64_MAX, clock}, plc_deadline_t{INT64_MAX - 1, clock},
              plc_deadline_at(clock, INT64_C(0x100000000), 7)}) {
            Parker parker;
            Hooks hooks;
            parker.prepare();
            std::thread owner([&] { EXPECT_TRUE(parker.park_until(deadline, &hooks.hooks)) << deadline.ns; });
            hooks.wait_until_asleep();
            parker.unpark();
            owner.join();
            EXPECT_EQ(hooks.begun.load(), hooks.ended.load());
        }
    }
}

TEST(ThreadParker, IsUsableAgainAfterATimeOut) {
    Parker parker;
    for (int round = 0; round < 20; ++round) {
        parker.prepare();
        ASSERT_FALSE(parker.park_until(plc_deadline_after_ns(10'000)));
        ASSERT_TRUE(plc_thread_parker_timed_out(&parker.parker));
        parker.prepare();
        std::thread waker([&parker] { parker.unpark(); });
        parker.park();
        waker.join();
    }
}

/* The waker has taken the owner out of the queue, and the owner's time runs out before the unpark: park must wait for
   it, however late it comes (parking_lot's first POSIX parker lost it). */
TEST(ThreadParker, TimeOutBetweenDequeueAndUnparkWaitsForTheUnpark) {
    for (plc_clock clock : clocks) {
        Parker parker;
        Hooks hooks;
        parker.prepare();
        plc_thread_parker_unpark_lock(&parker.parker);
        std::atomic<bool> unparked{false};
        std::thread owner([&] {
            EXPECT_FALSE(parker.park_until(plc_deadline_after_ns(1000)));
            EXPECT_FALSE(parker.park_until(plc_test::after(clock, -1)));
            parker.park(&hooks.hooks); /* not queued any more: the unpark is on its way */
            EXPECT_TRUE(unparked.load());
        });
        hooks.wait_until_asleep();
        unparked = true;
        plc_thread_parker_unpark(&parker.parker);
        owner.join();
    }
}

/* The same as a race, and the parker's memory is freed as soon as its owner may: unpark is the waker's last touch. */
TEST(ThreadParker, TimeOutRacesUnparkAndExactlyOneWins) {
    unsigned woken = 0;
    unsigned timed_out = 0;
    for (unsigned round = 0; round < 3000; ++round) {
        auto parker = std::make_unique<Parker>();
        std::mutex queue_lock;
        bool queued = true;
        parker->prepare(round % 2 == 0);
        std::thread waker([&queue_lock, &queued, raw = parker.get(), round] {
            for (unsigned i = 0; i < round % 50; ++i)
                plc_cpu_relax();
            std::unique_lock<std::mutex> hold(queue_lock);
            if (!queued)
                return;
            queued = false;
            plc_thread_parker_unpark_lock(&raw->parker);
            hold.unlock();
            plc_thread_parker_unpark(&raw->parker);
        });
        bool unparked = parker->park_until(plc_deadline_after_ns(round % 7 * 10'000));
        if (!unparked) {
            const std::lock_guard<std::mutex> hold(queue_lock);
            if (queued) {
                queued = false;
                ASSERT_TRUE(plc_thread_parker_timed_out(&parker->parker));
                ++timed_out;
            } else {
                unparked = true;
            }
            if (unparked)
                parker->park();
        }
        if (unparked)
            ++woken;
        parker.reset();
        waker.join();
    }
    EXPECT_EQ(woken + timed_out, 3000u);
}

/* A waker's unpark lets the owner free the parker at once: nothing of the waker may come after its store. */
TEST(ThreadParker, TheOwnerMayFreeItAsSoonAsParkReturns) {
    std::atomic<Parker *> queued{nullptr};
    constexpr unsigned rounds = 5000;
    std::thread waker([&queued] {
        for (unsigned round = 0; round < rounds; ++round) {
            Parker *parker;
            while (!(parker = queued.exchange(nullptr)))
                std::this_thread::yield();
            parker->unpark();
        }
    });
    for (unsigned round = 0; round < rounds; ++round) {
        auto parker = std::make_unique<Parker>();
        parker->prepare(round % 3 != 0);
        queued.store(parker.get());
        parker->park();
    }
    waker.join();
}

/* ---- What must not end a park */

std::atomic<unsigned> signals_handled{0};

TEST(ThreadParker, SignalsAreAbsorbed) {
    struct sigaction action = {};
    struct sigaction old_action = {};
    action.sa_handler = [](int) { signals_handled++; };
    ASSERT_EQ(sigaction(SIGUSR1, &action, &old_action), 0); /* without SA_RESTART: system calls end with EINTR */
    for (bool timed : {false, true}) {
        Parker parker;
        Hooks hooks;
        std::atomic<bool> returned{false};
        parker.prepare(false);
        std::thread owner([&] {
            if (timed)
                EXPECT_TRUE(parker.park_until(plc_test::much_later(), &hooks.hooks));
            else
                parker.park(&hooks.hooks);
            returned = true;
        });
        hooks.wait_until_asleep();
        for (int i = 0; i < 50; ++i) {
            const unsigned handled = signals_handled.load();
            ASSERT_EQ(pthread_kill(owner.native_handle(), SIGUSR1), 0);
            /* ThreadSanitizer interrupts the system call at once, but runs the handler only once the thread calls
               something that it intercepts, which a sleeping parker does not. */
            while (!plc_test::with_tsan && signals_handled.load() == handled)
                std::this_thread::yield();
            ASSERT_FALSE(returned.load());
        }
        parker.unpark();
        owner.join();
    }
    sigaction(SIGUSR1, &old_action, nullptr);
}

/* Wakes the owner as a stranger would that holds a stale address: by address, or through the condition variables. */
template <typename P>
auto stray_wake(P &parker, int) -> decltype(parker.word, void()) {
    plc_os_futex_wake(&parker.word, 1);
}
template <typename P>
auto stray_wake(P &parker, int) -> decltype(parker.condition, void()) {
    for (pthread_cond_t &condition : parker.condition)
        pthread_cond_broadcast(&condition);
}
template <typename P>
void stray_wake(P &, long) {
    /* The spin parker sleeps on nothing: each of its yields ends by itself. */
}

TEST(ThreadParker, StrayWakesAreAbsorbed) {
    for (bool timed : {false, true}) {
        Parker parker;
        Hooks hooks;
        std::atomic<bool> returned{false};
        parker.prepare(false);
        std::thread owner([&] {
            if (timed)
                EXPECT_TRUE(parker.park_until(plc_test::much_later(), &hooks.hooks));
            else
                parker.park(&hooks.hooks);
            returned = true;
        });
        /* Each stray wake sends it back to sleep, which begins anew. */
        while (hooks.begun.load() < 50 && !returned.load()) {
            stray_wake(parker.parker, 0);
            std::this_thread::yield();
        }
        EXPECT_FALSE(returned.load());
        parker.unpark();
        owner.join();
        EXPECT_EQ(hooks.begun.load(), hooks.ended.load());
    }
}

TEST(ThreadParker, PreservesErrno) {
    Parker parker;
    errno = 4242;
    parker.prepare();
    EXPECT_FALSE(parker.park_until(plc_test::soon()));
    EXPECT_FALSE(parker.park_until(plc_deadline_t{-1, PLC_CLOCK_REALTIME}));
    EXPECT_TRUE(plc_thread_parker_timed_out(&parker.parker));
    parker.prepare();
    Hooks hooks;
    std::thread waker([&] {
        errno = 77;
        hooks.wait_until_asleep();
        parker.unpark();
        EXPECT_EQ(errno, 77);
    });
    parker.park(&hooks.hooks);
    EXPECT_EQ(errno, 4242);
    waker.join();
}

} // namespace
