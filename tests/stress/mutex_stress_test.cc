/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The mutex under load: every function at random, nested sets of locks, many threads, one processor, priorities. */
#include <algorithm>
#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <pthread.h>
#include <sched.h>
#include <vector>

#include "support/lot_probe.h"
#include "support/stress.h"

namespace {

using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

/* Data that only exclusion keeps whole: both words are the number of sections so far. */
struct Guarded {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    size_t first = 0;
    size_t second = 0;

    void section() {
        ASSERT_EQ(first, second);
        ++first;
        ASSERT_TRUE(plc_mutex_is_locked(&mutex));
        ++second;
    }
    void expect_idle(size_t sections) const {
        EXPECT_EQ(first, sections);
        EXPECT_EQ(second, sections);
        EXPECT_FALSE(plc_mutex_is_locked(&mutex));
        EXPECT_EQ(plc_test::parked_count(&mutex, PLC_WAITER_MUTEX), 0u);
    }
};

/* Locks in a random way; false if that way gave up. */
bool lock_somehow(plc_mutex_t *mutex, Random &random) {
    switch (random.below(8)) {
    case 0:
        return plc_mutex_try_lock(mutex);
    case 1:
        return plc_mutex_lock_until(mutex, plc_deadline_after_ns(static_cast<int64_t>(random.below(200'000))));
    case 2:
        return plc_mutex_lock_until(mutex,
                                    plc_test::after(PLC_CLOCK_REALTIME, static_cast<int64_t>(random.below(200'000))));
    default:
        plc_mutex_lock(mutex);
        return true;
    }
}

void unlock_somehow(plc_mutex_t *mutex, Random &random) {
    if (random.one_in(8))
        plc_mutex_bump(mutex);
    if (random.one_in(8))
        plc_mutex_unlock_fair(mutex);
    else
        plc_mutex_unlock(mutex);
}

void hammer_somehow(size_t threads, size_t rounds) {
    Guarded guarded;
    std::atomic<size_t> sections{0};
    run_threads(threads, [&](size_t, Random &random) {
        size_t mine = 0;
        for (size_t i = 0; i < rounds; ++i) {
            if (!lock_somehow(&guarded.mutex, random))
                continue;
            guarded.section();
            ++mine;
            if (random.one_in(64))
                std::this_thread::yield();
            unlock_somehow(&guarded.mutex, random);
        }
        sections += mine;
    });
    guarded.expect_idle(sections.load());
    EXPECT_GT(sections.load(), 0u);
}

TEST(MutexStress, EveryWayAmongTwo) {
    hammer_somehow(2, scaled(100'000));
}

TEST(MutexStress, EveryWayAmongEight) {
    hammer_somehow(8, scaled(15'000));
}

TEST(MutexStress, EveryWayAmongSixtyFour) {
    hammer_somehow(64, scaled(800));
}

TEST(MutexStress, PlainLockAndUnlock) {
    constexpr size_t threads = 4;
    const size_t rounds = scaled(300'000);
    Guarded guarded;
    run_threads(threads, [&](size_t) {
        for (size_t i = 0; i < rounds; ++i) {
            plc_mutex_lock(&guarded.mutex);
            guarded.section();
            plc_mutex_unlock(&guarded.mutex);
        }
    });
    guarded.expect_idle(threads * rounds);
}

/* Waiters that give up and waiters that stay, on a mutex that is nearly always held: those who stay are all served. */
TEST(MutexStress, TimeOutsForgetNobody) {
    constexpr size_t threads = 12;
    const size_t rounds = scaled(1500);
    Guarded guarded;
    std::atomic<size_t> sections{0};
    run_threads(threads, [&](size_t index, Random &random) {
        for (size_t i = 0; i < rounds; ++i) {
            if (index % 2 == 0)
                plc_mutex_lock(&guarded.mutex);
            else if (!plc_mutex_lock_until(&guarded.mutex,
                                           plc_deadline_after_ns(static_cast<int64_t>(random.below(30'000)))))
                continue;
            guarded.section();
            sections++;
            for (uint64_t pause = random.below(200); pause > 0; --pause)
                plc_cpu_relax();
            plc_mutex_unlock(&guarded.mutex);
        }
    });
    guarded.expect_idle(sections.load());
    EXPECT_GE(sections.load(), threads / 2 * rounds);
}

/* Locks that lie side by side, taken in nested sets: several buckets at once, neighbours' bytes in one word. */
TEST(MutexStress, NestedSets) {
    constexpr size_t lock_count = 16;
    constexpr size_t threads = 6;
    const size_t rounds = scaled(10'000);
    std::array<plc_mutex_t, lock_count> locks{};
    std::array<size_t, lock_count> counts{};
    std::atomic<size_t> total{0};
    run_threads(threads, [&](size_t, Random &random) {
        size_t mine = 0;
        for (size_t i = 0; i < rounds; ++i) {
            const uint64_t set = random.next() & random.next() & random.next(); /* an eighth of them, in one order */
            for (size_t at = 0; at < lock_count; ++at) {
                if (set >> at & 1)
                    plc_mutex_lock(&locks[at]);
            }
            /* Backwards: a bump locks again, which is in order only while all that is held comes before. */
            for (size_t at = lock_count; at-- > 0;) {
                if (set >> at & 1) {
                    ++counts[at];
                    ++mine;
                    unlock_somehow(&locks[at], random);
                }
            }
        }
        total += mine;
    });
    size_t sum = 0;
    for (const size_t count : counts)
        sum += count;
    EXPECT_EQ(sum, total.load());
    for (const plc_mutex_t &lock : locks)
        EXPECT_EQ(lock.state, 0u);
}

/* ---- One processor, priorities */

/* The calling thread, and all that it starts, on one processor; until the end of the scope. */
class OneProcessor {
  public:
    OneProcessor() {
        cpu_set_t one;
        sched_getaffinity(0, sizeof all_, &all_);
        CPU_ZERO(&one);
        for (size_t i = 0; i < CPU_SETSIZE; ++i) {
            if (CPU_ISSET(i, &all_)) {
                CPU_SET(i, &one);
                break;
            }
        }
        pinned_ = sched_setaffinity(0, sizeof one, &one) == 0;
    }
    ~OneProcessor() {
        sched_setaffinity(0, sizeof all_, &all_);
    }
    bool pinned() const {
        return pinned_;
    }

  private:
    cpu_set_t all_;
    bool pinned_;
};

TEST(MutexStress, OnOneProcessor) {
    const OneProcessor one;
    if (!one.pinned())
        GTEST_SKIP() << "may not choose a processor";
    hammer_somehow(8, scaled(8000));
}

bool become_fifo(int priority) {
    sched_param param = {};
    param.sched_priority = priority;
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == 0;
}

/* The spin parker's word has no name in common with the others'. */
template <typename P>
auto sleeps(const P &parker, int) -> decltype(parker.waiting, bool()) {
    return false;
}
template <typename P>
bool sleeps(const P &, long) {
    return true;
}

/* Threads of different real-time priorities on one processor: a yield lets nobody of a lower priority run, so a waiter
   that only spins and yields would keep the holder from ever unlocking. */
TEST(MutexStress, RealTimePrioritiesOnOneProcessor) {
    if (!sleeps(plc_thread_parker{}, 0))
        GTEST_SKIP() << "the spin parker's documented limit";
    const OneProcessor one;
    if (!one.pinned())
        GTEST_SKIP() << "may not choose a processor";
    constexpr size_t threads = 4;
    const size_t rounds = scaled(2000);
    Guarded guarded;
    std::atomic<bool> permitted{true};
    run_threads(threads, [&](size_t index, Random &random) {
        if (!become_fifo(static_cast<int>(index) + 1)) {
            permitted = false;
            return;
        }
        for (size_t i = 0; i < rounds; ++i) {
            plc_mutex_lock(&guarded.mutex);
            guarded.section();
            if (random.one_in(32)) { /* let the others run into the held mutex */
                const plc_park_ops ops = {};
                plc_park(&random, &ops, nullptr, 0, plc_deadline_after_ns(20'000));
            }
            plc_mutex_unlock(&guarded.mutex);
        }
    });
    if (!permitted.load())
        GTEST_SKIP() << "no permission for SCHED_FIFO";
    guarded.expect_idle(threads * rounds);
}

} // namespace
