/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The mutex's PARKED where its queue is gone, as in the child of a fork: one thread's slow lock mends it. */
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <thread>

namespace {

class StaleParked : public ::testing::Test {
  protected:
    plc_mutex_t mutex_ = {PLC_MUTEX_PARKED_};
};

TEST_F(StaleParked, IsClearedByTheThreadThatFoundNobody) {
    plc_mutex_lock(&mutex_);
    EXPECT_EQ(mutex_.state, PLC_MUTEX_LOCKED_ | PLC_MUTEX_PARKED_);
    plc_mutex_unlock(&mutex_); /* looks for a waiter in vain */
    EXPECT_EQ(mutex_.state, PLC_MUTEX_PARKED_);
    plc_mutex_lock(&mutex_);
    EXPECT_EQ(mutex_.state, PLC_MUTEX_LOCKED_);
    plc_mutex_unlock(&mutex_);
    EXPECT_EQ(mutex_.state, 0);
}

TEST_F(StaleParked, IsClearedByAFairUnlock) {
    plc_mutex_lock(&mutex_);
    plc_mutex_unlock_fair(&mutex_);
    EXPECT_EQ(mutex_.state, 0);
}

TEST_F(StaleParked, DoesNotKeepATryOut) {
    EXPECT_TRUE(plc_mutex_try_lock(&mutex_));
    EXPECT_FALSE(plc_mutex_try_lock(&mutex_));
    plc_mutex_unlock(&mutex_);
    EXPECT_FALSE(plc_mutex_is_locked(&mutex_));
}

TEST_F(StaleParked, DoesNotKeepAnyoneAsleep) {
    plc_mutex_lock(&mutex_);
    std::thread other([this] {
        plc_mutex_lock(&mutex_);
        plc_mutex_unlock(&mutex_);
    });
    plc_mutex_unlock(&mutex_);
    other.join();
    EXPECT_FALSE(plc_mutex_is_locked(&mutex_));
}

} // namespace
