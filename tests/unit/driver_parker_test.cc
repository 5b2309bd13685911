/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parkers that share a driver: who runs it, who sleeps, who is woken how, deadlines, polls, failures, the end, misuse. */
#include <plc/driver_parker.h>

#include <array>
#include <cerrno>
#include <thread>
#include <vector>

#include "support/fake_driver.h"

namespace {

constexpr plc_deadline_t long_past = {0, PLC_CLOCK_MONOTONIC};

/* src/task/driver_parker.c has the numbers. */
enum : uint32_t { EMPTY, PARKED, NOTIFIED, PARKED_DRIVER };
constexpr uint32_t driven = 1, sleeper = 16;

class DriverParker : public testing::Test {
  protected:
    void SetUp() override {
        plc_shared_driver_init(&shared_, plc_test::FakeDriver::ops(), &driver_, parkers_.data(), parkers_.size());
    }
    void TearDown() override {
        for (std::thread &worker : workers_)
            worker.join();
        EXPECT_EQ(shared_.state & ~2u, 0u) << "nobody has the driver, nobody sleeps";
    }
    /* A worker that parks once, and whose state is known to have got there. */
    void park(size_t index, uint32_t until, plc_deadline_t deadline = PLC_NO_DEADLINE) {
        workers_.emplace_back([this, index, deadline] {
            errno = 123;
            results_[index] = plc_driver_parker_park_until(&parkers_[index], deadline);
            EXPECT_EQ(errno, 123);
        });
        wait_for(&parkers_[index].state, until);
    }
    /* Worker 0 in the driver, the others asleep. */
    void park_all() {
        park(0, PARKED_DRIVER);
        for (size_t i = 1; i < parkers_.size(); ++i)
            park(i, PARKED);
        wait_for(&shared_.state, driven + static_cast<uint32_t>(parkers_.size() - 1) * sleeper);
    }
    static void wait_for(const uint32_t *word, uint32_t value) {
        while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
            std::this_thread::yield();
    }
    void join_all() {
        for (std::thread &worker : workers_)
            worker.join();
        workers_.clear();
    }

    plc_test::FakeDriver driver_;
    plc_shared_driver_t shared_{};
    std::array<plc_driver_parker_t, 4> parkers_{};
    std::array<plc_driver_park_result, 4> results_{};
    std::vector<std::thread> workers_;
};

TEST_F(DriverParker, APermitIsTakenOnceAndTheDriverLeftAlone) {
    plc_driver_parker_unpark(&parkers_[0]);
    plc_driver_parker_unpark(&parkers_[0]);
    plc_driver_park_result result = plc_driver_parker_park(&parkers_[0]);
    EXPECT_EQ(result.status, PLC_DRIVER_PARK_NOTIFIED);
    EXPECT_FALSE(result.drove);
    EXPECT_EQ(driver_.runs(), 0u);
    EXPECT_EQ(plc_driver_parker_park_until(&parkers_[0], long_past).status, PLC_DRIVER_PARK_TIMED_OUT);
    EXPECT_EQ(driver_.runs(), 1u) << "without a permit it looks for events";
}

TEST_F(DriverParker, AnEventEndsTheParkOfWhoRunsTheDriver) {
    driver_.let_happen();
    plc_driver_park_result result = plc_driver_parker_park(&parkers_[2]);
    EXPECT_EQ(result.status, PLC_DRIVER_PARK_DROVE);
    EXPECT_TRUE(result.drove);
    EXPECT_EQ(driver_.handled(), 1u);
}

TEST_F(DriverParker, UnparkInterruptsTheDriverForItsOwnerAlone) {
    park_all();
    plc_driver_parker_unpark(&parkers_[2]);
    wait_for(&parkers_[2].state, EMPTY);
    EXPECT_EQ(driver_.unparks(), 0u) << "a sleeper is woken without the driver";
    plc_driver_parker_unpark(&parkers_[0]);
    EXPECT_EQ(driver_.unparks(), 1u);
    workers_[0].join();
    workers_.erase(workers_.begin());
    EXPECT_EQ(results_[0].status, PLC_DRIVER_PARK_NOTIFIED);
    EXPECT_TRUE(results_[0].drove);
    plc_shared_driver_shutdown(&shared_);
    join_all();
    EXPECT_EQ(results_[2].status, PLC_DRIVER_PARK_NOTIFIED);
}

/* Its owner is busy from now on; another sees the event all the same, although nobody unparks it. */
TEST_F(DriverParker, WhoLeavesHandsTheDriverOn) {
    park_all();
    for (size_t leaving = 0; leaving < 3; ++leaving) {
        size_t owner = 0;
        while (__atomic_load_n(&parkers_[owner].state, __ATOMIC_ACQUIRE) != PARKED_DRIVER)
            owner = (owner + 1) % parkers_.size();
        driver_.let_happen();
        wait_for(&parkers_[owner].state, EMPTY);
        while (driver_.handled() != leaving + 1 || !driver_.is_inside())
            std::this_thread::yield();
    }
    plc_shared_driver_shutdown(&shared_);
    join_all();
    size_t drove = 0;
    for (const plc_driver_park_result &result : results_)
        drove += result.status == PLC_DRIVER_PARK_DROVE;
    EXPECT_EQ(drove, 3u);
    EXPECT_EQ(driver_.shutdowns(), 1);
}

TEST_F(DriverParker, DeadlinesInTheDriverAndAsleep) {
    park(0, PARKED_DRIVER);
    for (int64_t ns : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}})
        EXPECT_EQ(plc_driver_parker_park_until(&parkers_[1], plc_deadline_t{ns, PLC_CLOCK_REALTIME}).status,
                  PLC_DRIVER_PARK_TIMED_OUT);
    plc_driver_park_result result = plc_driver_parker_park_until(&parkers_[1], plc_deadline_after_ns(2'000'000));
    EXPECT_EQ(result.status, PLC_DRIVER_PARK_TIMED_OUT);
    EXPECT_FALSE(result.drove);
    plc_driver_parker_unpark(&parkers_[0]);
    join_all();
    result = plc_driver_parker_park_until(&parkers_[1], plc_deadline_after_ns(2'000'000));
    EXPECT_EQ(result.status, PLC_DRIVER_PARK_TIMED_OUT);
    EXPECT_TRUE(result.drove);
}

TEST_F(DriverParker, APollLooksForEventsAndLeavesThePermitAlone) {
    driver_.let_happen(3);
    plc_driver_parker_unpark(&parkers_[1]);
    EXPECT_EQ(plc_driver_parker_poll(&parkers_[1]).status, PLC_DRIVER_PARK_DROVE);
    EXPECT_EQ(driver_.handled(), 3u);
    EXPECT_EQ(plc_driver_parker_park(&parkers_[1]).status, PLC_DRIVER_PARK_NOTIFIED);
    park(0, PARKED_DRIVER);
    EXPECT_EQ(plc_driver_parker_poll(&parkers_[1]).status, PLC_DRIVER_PARK_TIMED_OUT);
    plc_driver_parker_unpark(&parkers_[0]);
}

TEST_F(DriverParker, AFailureIsToldToAllAndTakesNoPermit) {
    park_all();
    plc_driver_parker_unpark(&parkers_[3]);
    wait_for(&parkers_[3].state, EMPTY);
    driver_.fail(EIO);
    join_all();
    for (size_t i : {0u, 1u, 2u}) {
        EXPECT_EQ(results_[i].status, PLC_DRIVER_PARK_FAILED);
        EXPECT_EQ(results_[i].error, EIO);
    }
    EXPECT_EQ(plc_driver_parker_poll(&parkers_[0]).error, EIO);
    plc_driver_parker_unpark(&parkers_[0]);
    EXPECT_EQ(plc_driver_parker_park(&parkers_[0]).status, PLC_DRIVER_PARK_NOTIFIED);
    plc_shared_driver_shutdown(&shared_);
    EXPECT_EQ(driver_.shutdowns(), 1);
}

TEST_F(DriverParker, ShutdownWakesAllAndIsFinal) {
    park_all();
    plc_shared_driver_shutdown(&shared_);
    plc_shared_driver_shutdown(&shared_);
    join_all();
    EXPECT_EQ(driver_.shutdowns(), 1);
    for (const plc_driver_park_result &result : results_)
        EXPECT_EQ(result.status, PLC_DRIVER_PARK_SHUT_DOWN);
    const size_t unparks = driver_.unparks();
    plc_driver_parker_unpark(&parkers_[1]);
    EXPECT_EQ(driver_.unparks(), unparks) << "an unpark leaves a permit and does nothing else";
    EXPECT_EQ(plc_driver_parker_park(&parkers_[1]).status, PLC_DRIVER_PARK_NOTIFIED);
    EXPECT_EQ(plc_driver_parker_park(&parkers_[1]).status, PLC_DRIVER_PARK_SHUT_DOWN);
    EXPECT_EQ(plc_driver_parker_poll(&parkers_[1]).status, PLC_DRIVER_PARK_SHUT_DOWN);
    EXPECT_EQ(plc_driver_parker_park_until(&parkers_[1], long_past).status, PLC_DRIVER_PARK_SHUT_DOWN);
}

TEST_F(DriverParker, ShutdownOfADriverThatNobodyUses) {
    plc_shared_driver_shutdown(&shared_);
    EXPECT_EQ(driver_.shutdowns(), 1);
    EXPECT_EQ(driver_.unparks(), 0u);
}

TEST(DriverParkerDeathTest, TwoOwnersAreReported) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_DEATH(
        {
            plc_test::FakeDriver driver;
            plc_shared_driver_t shared;
            plc_driver_parker_t parker;
            plc_shared_driver_init(&shared, plc_test::FakeDriver::ops(), &driver, &parker, 1);
            std::thread other([&] { plc_driver_parker_park(&parker); });
            while (__atomic_load_n(&parker.state, __ATOMIC_ACQUIRE) != PARKED_DRIVER)
                std::this_thread::yield();
            plc_driver_parker_park(&parker);
        },
        "libplc: driver parker 0x[0-9a-f]+: thread [0-9]+: park while another thread is parked on it");
}

TEST(DriverParkerDeathTest, TooManyParkersAreReported) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    plc_shared_driver_t shared;
    EXPECT_DEATH(plc_shared_driver_init(&shared, plc_test::FakeDriver::ops(), nullptr, nullptr, SIZE_MAX),
                 "more parkers than can be counted");
}

} // namespace
