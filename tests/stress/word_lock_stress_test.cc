/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The word lock under load: exclusion with blocking and trying lockers, and short lives. */
#include <gtest/gtest.h>
#include <memory>

#include "support/internal.h"
#include "support/stress.h"

namespace {

using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

/* Data that only exclusion keeps whole: both words are the number of sections so far. */
struct Guarded {
    plc_word_lock lock = {};
    size_t first = 0;
    size_t second = 0;

    void section(Random &random) {
        ASSERT_EQ(first, second);
        ++first;
        for (uint64_t i = random.below(8); i > 0; --i)
            plc_cpu_relax();
        ++second;
    }
};

void hammer(size_t threads, size_t rounds) {
    Guarded guarded;
    run_threads(threads, [&](size_t, Random &random) {
        for (size_t i = 0; i < rounds; ++i) {
            if (random.one_in(4)) {
                while (!plc_word_lock_try_lock(&guarded.lock))
                    std::this_thread::yield();
            } else {
                plc_word_lock_lock(&guarded.lock);
            }
            guarded.section(random);
            plc_word_lock_unlock(&guarded.lock);
        }
    });
    EXPECT_EQ(guarded.first, threads * rounds);
    EXPECT_EQ(guarded.second, threads * rounds);
    EXPECT_EQ(guarded.lock.word, 0u);
}

TEST(WordLockStress, TwoThreads) {
    hammer(2, scaled(200'000));
}

TEST(WordLockStress, ManyThreads) {
    hammer(16, scaled(20'000));
}

/* Sections that yield inside, so that long queues form. */
TEST(WordLockStress, LongQueues) {
    const size_t rounds = scaled(1000);
    constexpr size_t threads = 24;
    Guarded guarded;
    run_threads(threads, [&](size_t, Random &random) {
        for (size_t i = 0; i < rounds; ++i) {
            plc_word_lock_lock(&guarded.lock);
            ASSERT_EQ(guarded.first, guarded.second);
            ++guarded.first;
            if (random.one_in(2))
                std::this_thread::yield();
            ++guarded.second;
            plc_word_lock_unlock(&guarded.lock);
        }
    });
    EXPECT_EQ(guarded.second, threads * rounds);
    EXPECT_EQ(guarded.lock.word, 0u);
}

} // namespace
