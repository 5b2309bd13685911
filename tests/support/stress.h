/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What every stress test shares: a printed seed, a scale for the number of operations, and threads that start together.
 */
#ifndef PLC_TESTS_SUPPORT_STRESS_H
#define PLC_TESTS_SUPPORT_STRESS_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <random>
#include <thread>
#include <type_traits>
#include <vector>

/* Environment: PLC_SEED repeats a run's random choices (decimal or 0x...); PLC_STRESS_SCALE multiplies the number of
   operations, for slow builds (0.1) or long hunts (100). */
namespace plc_test {

/* Says again at each failure with which seed it happened: the first line of the output may be far above it. */
class SeedPrinter final : public testing::EmptyTestEventListener {
  public:
    explicit SeedPrinter(uint64_t seed) : seed_(seed) {}

  private:
    void OnTestEnd(const testing::TestInfo &info) override {
        if (info.result()->Failed())
            std::printf("%s.%s failed with PLC_SEED=%#llx\n", info.test_suite_name(), info.name(),
                        static_cast<unsigned long long>(seed_));
    }
    uint64_t seed_;
};

/* The seed of this process: PLC_SEED, or a new one; printed at its first use, so that a hang or an abort shows it too.
 */
inline uint64_t seed() {
    static const uint64_t value = [] {
        const char *given = std::getenv("PLC_SEED");
        const uint64_t chosen = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
        std::printf("PLC_SEED=%#llx repeats this run's choices\n", static_cast<unsigned long long>(chosen));
        std::fflush(stdout);
        testing::UnitTest::GetInstance()->listeners().Append(new SeedPrinter(chosen));
        return chosen;
    }();
    return value;
}

/* @p operations times PLC_STRESS_SCALE, but at least one. */
inline size_t scaled(size_t operations) {
    static const double scale = [] {
        const char *given = std::getenv("PLC_STRESS_SCALE");
        return given ? std::strtod(given, nullptr) : 1.0;
    }();
    const double result = static_cast<double>(operations) * scale;
    return result < 1.0 ? 1 : static_cast<size_t>(result);
}

/* A small fast generator (splitmix64); give each thread its own stream. */
class Random {
  public:
    explicit Random(uint64_t stream) : state_(seed() ^ (stream + 1) * UINT64_C(0x9e3779b97f4a7c15)) {}

    uint64_t next() {
        uint64_t z = state_ += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
    }
    /* In [0, bound). */
    uint64_t below(uint64_t bound) {
        return next() % bound;
    }
    bool one_in(uint64_t n) {
        return below(n) == 0;
    }

  private:
    uint64_t state_;
};

/* Runs @p body in @p count threads that start together, and waits for all. The body takes (size_t index, Random &), or
   only the index. */
template <typename Body>
void run_threads(size_t count, Body body) {
    seed(); /* print it before anything can go wrong */
    std::atomic<size_t> missing{count};
    std::vector<std::thread> threads;
    threads.reserve(count);
    for (size_t index = 0; index < count; ++index) {
        threads.emplace_back([&body, &missing, index] {
            Random random(index);
            missing.fetch_sub(1);
            while (missing.load() != 0)
                std::this_thread::yield();
            if constexpr (std::is_invocable_v<Body &, size_t, Random &>)
                body(index, random);
            else
                body(index);
        });
    }
    for (std::thread &thread : threads)
        thread.join();
}

} // namespace plc_test

#endif
