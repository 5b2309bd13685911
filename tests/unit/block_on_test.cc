/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unparkers and block_on: wakes before, while and after the poll, references that outlive their thread, exhausted
   memory, thread-exit destructors. */
#include <plc/atomic_waker.h>
#include <plc/block_on.h>
#include <plc/unparker.h>

#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>
#include <pthread.h>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

/* Counts what libplc allocates, and refuses on demand. Every thread of these tests begins without an unparker. */
std::atomic<int> living;
std::atomic<bool> refuse;
std::vector<std::thread> wakers; /* joined before the next test counts */

class Tasks : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        plc_set_allocator(
            [](size_t size) -> void * {
                if (refuse)
                    return nullptr;
                ++living;
                return std::malloc(size);
            },
            [](void *memory) {
                --living;
                std::free(memory);
            });
    }
    static void TearDownTestSuite() {
        plc_set_allocator(std::malloc, std::free);
    }
    void SetUp() override {
        living = 0;
        refuse = false;
    }
    void TearDown() override {
        for (std::thread &waker : wakers)
            waker.join();
        wakers.clear();
    }
    template <typename Body>
    static void in_new_thread(Body body) {
        std::thread(body).join();
    }
};

using Unparker = Tasks;
using BlockOn = Tasks;

TEST_F(Unparker, APermitLeftByOneselfIsTaken) {
    in_new_thread([] {
        plc_unparker_t *mine = plc_unparker_current();
        EXPECT_EQ(plc_unparker_current(), mine);
        plc_unparker_drop(mine);
        plc_unparker_unpark(mine);
        plc_park_current();
        EXPECT_FALSE(plc_park_current_until(plc_deadline_t{0, PLC_CLOCK_MONOTONIC}));
        plc_unparker_drop(mine);
        EXPECT_EQ(living, 1);
    });
    EXPECT_EQ(living, 0) << "the end of the thread gives its reference up";
}

TEST_F(Unparker, WithoutOneAThreadOnlyWaits) {
    in_new_thread([] { EXPECT_FALSE(plc_park_current_until(plc_deadline_after_ns(1'000'000))); });
    EXPECT_EQ(living, 0);
}

TEST_F(Unparker, OutlivesItsThread) {
    plc_unparker_t *unparker = nullptr;
    in_new_thread([&] { unparker = plc_unparker_current(); });
    EXPECT_EQ(living, 1);
    plc_unparker_unpark(unparker);
    plc_waker_t waker = plc_unparker_into_waker(unparker);
    plc_waker_t clone = plc_waker_clone(&waker);
    plc_waker_wake_by_ref(&waker);
    plc_waker_wake(&waker);
    EXPECT_EQ(living, 1);
    plc_waker_drop(&clone);
    EXPECT_EQ(living, 0);
}

TEST_F(Unparker, ExhaustedMemoryIsReported) {
    in_new_thread([] {
        refuse = true;
        EXPECT_EQ(plc_unparker_current(), nullptr);
        refuse = false;
        plc_unparker_t *unparker = plc_unparker_current();
        ASSERT_NE(unparker, nullptr);
        plc_unparker_drop(unparker);
    });
    EXPECT_EQ(living, 0);
}

/* In destructors of thread-specific data, before and after libplc's own has run: the key made first runs first, and the
   unparker comes back in the second round. (Not in the last one: ThreadSanitizer has left by then.) */
TEST_F(Unparker, WorksInDestructorsOfThreadSpecificData) {
    static pthread_key_t key;
    static std::atomic<int> rounds;
    rounds = 0;
    ASSERT_EQ(pthread_key_create(&key,
                                 [](void *value) {
                                     plc_unparker_t *unparker = plc_unparker_current();
                                     ASSERT_NE(unparker, nullptr);
                                     plc_unparker_unpark(unparker);
                                     plc_park_current();
                                     plc_unparker_drop(unparker);
                                     if (++rounds < 2)
                                         pthread_setspecific(key, value);
                                 }),
              0);
    in_new_thread([] {
        plc_unparker_drop(plc_unparker_current());
        pthread_setspecific(key, &key);
    });
    pthread_key_delete(key);
    EXPECT_EQ(rounds, 2);
    EXPECT_EQ(living, 0);
}

/* ---- block_on */

/* Needs some polls, and sees to its wake in a way of its own. */
struct Countdown {
    int polls_left;
    void (*arrange_wake)(const plc_waker_t *waker);

    static plc_poll poll(void *context, const plc_waker_t *waker) {
        auto *self = static_cast<Countdown *>(context);
        if (--self->polls_left == 0)
            return PLC_POLL_READY;
        self->arrange_wake(waker);
        return PLC_POLL_PENDING;
    }
};

void wake_now(const plc_waker_t *waker) {
    plc_waker_wake_by_ref(waker);
}

void wake_from_another_thread(const plc_waker_t *waker) {
    plc_waker_t clone = plc_waker_clone(waker);
    wakers.emplace_back([clone]() mutable { plc_waker_wake(&clone); });
}

TEST_F(BlockOn, ATaskThatIsReadyIsPolledOnce) {
    in_new_thread([] {
        Countdown task{1, wake_now};
        plc_block_on(Countdown::poll, &task);
        EXPECT_EQ(task.polls_left, 0);
    });
}

TEST_F(BlockOn, AWakeDuringThePollIsNotLost) {
    in_new_thread([] {
        Countdown task{5, wake_now};
        plc_block_on(Countdown::poll, &task);
        EXPECT_EQ(task.polls_left, 0);
    });
}

TEST_F(BlockOn, OtherThreadsWakeIt) {
    in_new_thread([] {
        Countdown task{20, wake_from_another_thread};
        plc_block_on(Countdown::poll, &task);
        EXPECT_EQ(task.polls_left, 0);
    });
}

TEST_F(BlockOn, GivesUpAtTheDeadline) {
    in_new_thread([] {
        Countdown task{3, [](const plc_waker_t *) {}};
        EXPECT_EQ(plc_block_on_until(Countdown::poll, &task, plc_deadline_t{0, PLC_CLOCK_MONOTONIC}),
                  PLC_BLOCK_ON_TIMED_OUT);
        EXPECT_EQ(task.polls_left, 2) << "polled once";
        EXPECT_EQ(plc_block_on_until(Countdown::poll, &task, plc_deadline_after_ns(1'000'000)), PLC_BLOCK_ON_TIMED_OUT);
        EXPECT_EQ(plc_block_on_until(Countdown::poll, &task, PLC_NO_DEADLINE), PLC_BLOCK_ON_READY);
    });
}

TEST_F(BlockOn, ExhaustedMemoryIsReported) {
    in_new_thread([] {
        Countdown task{1, wake_now};
        refuse = true;
        EXPECT_EQ(plc_block_on_until(Countdown::poll, &task, PLC_NO_DEADLINE), PLC_BLOCK_ON_NO_MEMORY);
        EXPECT_EQ(task.polls_left, 1);
        refuse = false;
        EXPECT_EQ(plc_block_on_until(Countdown::poll, &task, PLC_NO_DEADLINE), PLC_BLOCK_ON_READY);
    });
}

TEST_F(BlockOn, AnExceptionLeavesItUsable) {
    in_new_thread([] {
        auto throwing = [](void *, const plc_waker_t *) -> plc_poll { throw std::runtime_error("from a task"); };
        EXPECT_THROW(plc_block_on(throwing, nullptr), std::runtime_error);
        Countdown task{2, wake_now};
        plc_block_on(Countdown::poll, &task);
        EXPECT_EQ(task.polls_left, 0);
    });
}

TEST_F(BlockOn, AnotherThreadMayBlockOnInsideATask) {
    in_new_thread([] {
        plc_block_on(
            [](void *, const plc_waker_t *) {
                in_new_thread([] {
                    Countdown task{2, wake_now};
                    plc_block_on(Countdown::poll, &task);
                });
                return PLC_POLL_READY;
            },
            nullptr);
    });
}

TEST(BlockOnDeathTest, NestedUseIsReported) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    auto nested = [](void *, const plc_waker_t *) {
        Countdown task{1, wake_now};
        plc_block_on(Countdown::poll, &task);
        return PLC_POLL_READY;
    };
    EXPECT_DEATH(plc_block_on(nested, nullptr), "block_on inside a task that the same thread runs by block_on");
}

} // namespace
