/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parker of one word: permits before, while and after parking, deadlines, misuse. */
#include <plc/parker.h>

#include <atomic>
#include <cerrno>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <thread>

namespace {

constexpr plc_deadline_t long_past = {0, PLC_CLOCK_MONOTONIC};

TEST(Parker, ZeroedMemoryHasNoPermit) {
    plc_parker_t parker = PLC_PARKER_INIT;
    EXPECT_FALSE(plc_parker_try_park(&parker));
    EXPECT_FALSE(plc_parker_park_until(&parker, long_past));
}

TEST(Parker, APermitIsTakenOnce) {
    plc_parker_t parker = PLC_PARKER_INIT;
    plc_parker_unpark(&parker);
    EXPECT_TRUE(plc_parker_try_park(&parker));
    EXPECT_FALSE(plc_parker_try_park(&parker));
}

TEST(Parker, PermitsDoNotAddUp) {
    plc_parker_t parker = PLC_PARKER_INIT;
    for (int i = 0; i < 1000; ++i)
        plc_parker_unpark(&parker);
    plc_parker_park(&parker);
    EXPECT_FALSE(plc_parker_try_park(&parker));
}

TEST(Parker, APermitIsTakenAfterTheDeadlineToo) {
    plc_parker_t parker = PLC_PARKER_INIT;
    plc_parker_unpark(&parker);
    EXPECT_TRUE(plc_parker_park_until(&parker, long_past));
    EXPECT_FALSE(plc_parker_park_until(&parker, long_past));
}

/* Deadlines as callers get them wrong. */
TEST(Parker, DeadlinesOfEveryKind) {
    plc_parker_t parker = PLC_PARKER_INIT;
    for (plc_clock clock : {PLC_CLOCK_MONOTONIC, PLC_CLOCK_REALTIME}) {
        for (int64_t ns : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}})
            EXPECT_FALSE(plc_parker_park_until(&parker, plc_deadline_t{ns, clock}));
        for (int64_t ns : {INT64_MAX, INT64_MAX - 1, int64_t{1} << 62}) {
            std::thread other([&] { plc_parker_unpark(&parker); });
            EXPECT_TRUE(plc_parker_park_until(&parker, plc_deadline_t{ns, clock}));
            other.join();
        }
    }
    EXPECT_FALSE(plc_parker_park_until(&parker, plc_deadline_after_ns(2'000'000)));
}

/* A thread that parks and is known to be about to sleep, by the word itself. */
class Sleeper {
  public:
    explicit Sleeper(plc_deadline_t deadline = PLC_NO_DEADLINE)
        : thread_([this, deadline] {
              errno = 123;
              woken_ = plc_parker_park_until(&parker, deadline);
              EXPECT_EQ(errno, 123);
          }) {
        while (__atomic_load_n(&parker.state, __ATOMIC_RELAXED) != PLC_PARKER_PARKED_)
            std::this_thread::yield();
    }
    ~Sleeper() {
        if (thread_.joinable())
            join();
    }
    bool join() {
        thread_.join();
        return woken_;
    }
    pthread_t handle() {
        return thread_.native_handle();
    }

    plc_parker_t parker = PLC_PARKER_INIT;

  private:
    bool woken_ = false;
    std::thread thread_;
};

TEST(Parker, ASleeperIsWoken) {
    Sleeper sleeper;
    errno = 321;
    plc_parker_unpark(&sleeper.parker);
    EXPECT_EQ(errno, 321);
    EXPECT_TRUE(sleeper.join());
    EXPECT_FALSE(plc_parker_try_park(&sleeper.parker));
}

TEST(Parker, SignalsAreAbsorbed) {
    struct sigaction action = {}, old;
    static std::atomic<int> handled;
    handled = 0;
    action.sa_handler = [](int) { ++handled; };
    ASSERT_EQ(sigaction(SIGUSR1, &action, &old), 0);
    Sleeper sleeper;
    for (int i = 0; i < 10; ++i)
        pthread_kill(sleeper.handle(), SIGUSR1);
    plc_parker_unpark(&sleeper.parker);
    EXPECT_TRUE(sleeper.join());
    sigaction(SIGUSR1, &old, nullptr);
    EXPECT_GT(handled, 0);
}

TEST(Parker, AfterATimeOutItIsAsGoodAsNew) {
    plc_parker_t parker = PLC_PARKER_INIT;
    for (int i = 0; i < 20; ++i) {
        EXPECT_FALSE(plc_parker_park_until(&parker, plc_deadline_after_ns(100'000)));
        plc_parker_unpark(&parker);
        EXPECT_TRUE(plc_parker_try_park(&parker));
    }
}

TEST(ParkerDeathTest, TwoOwnersAreReported) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_DEATH(
        {
            Sleeper sleeper;
            plc_parker_park(&sleeper.parker);
        },
        "libplc: parker 0x[0-9a-f]+: thread [0-9]+: park while another thread is parked on it");
}

TEST(ParkerDeathTest, MemoryThatIsNoParkerIsReported) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    plc_parker_t parker = {0xdeadbeefu};
    EXPECT_DEATH(plc_parker_park(&parker), "park on memory that does not hold a parker");
}

} // namespace
