/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Waits until a time of CLOCK_REALTIME, which notice that the clock is set. Nobody sets it here: the kernel is asked what they sleep for. */
#include "dropin.h"

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <sys/uio.h>

using namespace dropin;

namespace {

constexpr long kLateMs = 100; /* so late who naps by the other clock may notice it */

bool operator==(const timespec &a, const timespec &b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* A futex's arguments: word, operation, value, time. Zeros: the thread does not sleep in one. */
std::array<unsigned long, 4> futex_of(int thread) {
    std::array<unsigned long, 4> arguments{};
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/syscall");
    long number = -1;
    if (!(file >> number) || number != SYS_futex)
        return {};
    for (unsigned long &argument : arguments)
        if (!(file >> std::hex >> argument))
            return {};
    return arguments;
}

/* Memory of this process which another thread may take back at any moment. */
timespec copy_of(unsigned long address) {
    timespec time = at(-1, 0);
    const iovec from{reinterpret_cast<void *>(address), sizeof time};
    const iovec to{&time, sizeof time};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == sizeof time ? time : at(-1, 0);
}

enum class Look { kAwake, kGood, kBad };

/* Good: it sleeps by CLOCK_REALTIME itself, or not for long. */
Look look_at(int thread) {
    constexpr unsigned long kByRealtime = 256; /* FUTEX_CLOCK_REALTIME */
    const auto futex = futex_of(thread);
    const timespec until = futex[3] != 0 ? copy_of(futex[3]) : at(-1, 0);
    const timespec latest = after_ms(CLOCK_MONOTONIC, kLateMs);
    if (futex[0] == 0 || !(copy_of(futex[3]) == until) || futex_of(thread) != futex)
        return Look::kAwake; /* or it was, meanwhile */
    return (futex[1] & kByRealtime) != 0 || (until.tv_sec >= 0 && !is_before(latest, until)) ? Look::kGood : Look::kBad;
}

/* Looks again and again while naps become longer. `wait` gets a time that does not come; `end` lets it return. */
template <typename Wait, typename End>
void expect_to_notice(Wait wait, End end) {
    constexpr int kLooks = 20;
    if (sizeof(long) != 8 || !std::ifstream("/proc/self/syscall"))
        GTEST_SKIP() << "the kernel does not tell what threads sleep for";
    std::atomic<int> thread{0};
    std::thread waiter([&] {
        const timespec until = after_ms(CLOCK_REALTIME, 3600000);
        thread = tid();
        wait(until);
    });
    const timespec enough = after_ms(CLOCK_MONOTONIC, 3 * kLateMs);
    int good = 0;
    int bad = 0;
    while (bad == 0 && (good < kLooks || is_before(now(CLOCK_MONOTONIC), enough))) {
        const Look look = thread != 0 ? look_at(thread) : Look::kAwake;
        good += look == Look::kGood;
        bad += look == Look::kBad;
        std::this_thread::sleep_for(std::chrono::milliseconds(1)); /* so as to leave the processor to others */
    }
    end();
    waiter.join();
    EXPECT_EQ(bad, 0);
}

TEST(ClockSteps, AreNoticedByWaitsForAMutex) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    for (int i = 0; i < 2; ++i) { /* the first time nobody has had to queue for it yet */
        ASSERT_EQ(pthread_mutex_lock(&mutex), 0);
        expect_to_notice(
            [&](const timespec &until) {
                EXPECT_EQ(pthread_mutex_timedlock(&mutex, &until), 0);
                pthread_mutex_unlock(&mutex);
            },
            [&] { pthread_mutex_unlock(&mutex); });
    }
}

TEST(ClockSteps, AreNoticedByWaitsOnACond) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    bool is_over = false;
    expect_to_notice(
        [&](const timespec &until) {
            pthread_mutex_lock(&mutex);
            while (!is_over)
                EXPECT_EQ(pthread_cond_timedwait(&cond, &mutex, &until), 0);
            pthread_mutex_unlock(&mutex);
        },
        [&] {
            pthread_mutex_lock(&mutex);
            is_over = true;
            pthread_cond_signal(&cond);
            pthread_mutex_unlock(&mutex);
        });
}

TEST(ClockSteps, AreNoticedByWriters) {
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    ASSERT_EQ(pthread_rwlock_rdlock(&rwlock), 0);
    expect_to_notice(
        [&](const timespec &until) {
            EXPECT_EQ(pthread_rwlock_timedwrlock(&rwlock, &until), 0);
            pthread_rwlock_unlock(&rwlock);
        },
        [&] { pthread_rwlock_unlock(&rwlock); });
}

} // namespace
