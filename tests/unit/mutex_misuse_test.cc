/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Misuse of a mutex that its slow paths see: each aborts with a message that names the lock, the thread and the mistake. */
#include <cstdio>
#include <gtest/gtest.h>
#include <plc/mutex.h>

namespace {

constexpr const char *unlocked_message =
    "libplc: mutex 0x[0-9a-f]+: thread [0-9]+: unlock of a mutex that is not locked";
constexpr const char *overwritten_message =
    "libplc: mutex 0x[0-9a-f]+: thread [0-9]+: .*(not hold a mutex|overwritten)";

TEST(MutexDeathTest, UnlockOfAnUnlockedMutexSaysSo) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    static plc_mutex_t mutex;
    EXPECT_DEATH(plc_mutex_unlock(&mutex), unlocked_message);
    EXPECT_DEATH(plc_mutex_unlock_fair(&mutex), unlocked_message);
    EXPECT_DEATH(
        {
            plc_mutex_lock(&mutex);
            plc_mutex_unlock(&mutex);
            plc_mutex_unlock(&mutex);
        },
        unlocked_message);
}

TEST(MutexDeathTest, TheMessageNamesTheLock) {
    GTEST_FLAG_SET(death_test_style, "fast"); /* the child must have the mutex at the same address */
    static plc_mutex_t mutex;
    char address[32];
    std::snprintf(address, sizeof address, "0x%zx:", static_cast<size_t>(reinterpret_cast<uintptr_t>(&mutex)));
    EXPECT_DEATH(plc_mutex_unlock(&mutex), address);
}

TEST(MutexDeathTest, MemoryThatIsNoMutexIsRefused) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    for (const uint8_t state : {uint8_t{0xff}, uint8_t{0x55}, uint8_t{0x81}}) {
        plc_mutex_t garbage{state};
        EXPECT_DEATH(plc_mutex_lock(&garbage), overwritten_message);
        EXPECT_DEATH(plc_mutex_unlock(&garbage), overwritten_message);
    }
}

} // namespace
