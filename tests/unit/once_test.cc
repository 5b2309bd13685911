/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Once, one behaviour at a time: the three forms on each outcome, waiting, every way out of the function, misuse. */
#include <plc/once.h>
#include <plc/parking_lot.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <pthread.h>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/internal.h"
#include "support/lot_probe.h"

namespace {

using plc_test::wait_until_parked;

/* The three forms have one type; name, what a failing run leaves, whether a poisoned once is run again. */
struct Form {
    const char *name;
    bool (*call)(plc_once_t *, bool (*)(void *), void *);
    plc_once_status after_failure;
    bool runs_poisoned;
};

constexpr Form forms[] = {
    {"call", plc_once_call, PLC_ONCE_NEW, false},
    {"call_poison", plc_once_call_poison, PLC_ONCE_POISONED, false},
    {"call_force", plc_once_call_force, PLC_ONCE_POISONED, true},
};

/* A function that counts its runs, and waits inside until it is told to go on. */
struct Gate {
    std::atomic<int> runs = 0;
    std::atomic<bool> inside = false;
    std::atomic<bool> open = false;
    bool outcome = true;

    static bool run(void *context) {
        auto *gate = static_cast<Gate *>(context);
        gate->runs.fetch_add(1);
        gate->inside = true;
        while (!gate->open)
            std::this_thread::yield();
        return gate->outcome;
    }
    void wait_until_inside() const {
        while (!inside)
            std::this_thread::yield();
    }
};

bool succeed(void *runs) {
    ++*static_cast<int *>(runs);
    return true;
}

bool fail(void *runs) {
    ++*static_cast<int *>(runs);
    return false;
}

bool throw_error(void *runs) {
    ++*static_cast<int *>(runs);
    throw std::runtime_error("from inside a once");
}

class OnceFormTest : public testing::TestWithParam<Form> {
  protected:
    plc_once_t once_ = PLC_ONCE_INIT;
    int runs_ = 0;
};

std::string form_name(const testing::TestParamInfo<Form> &info) {
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Forms, OnceFormTest, testing::ValuesIn(forms), form_name);

TEST(OnceLayout, IsOneZeroedByte) {
    plc_once_t initialised = PLC_ONCE_INIT;
    EXPECT_EQ(sizeof(plc_once_t), 1u);
    EXPECT_EQ(initialised.state, 0u);
    EXPECT_EQ(plc_once_state(&initialised), PLC_ONCE_NEW);
    EXPECT_FALSE(plc_once_is_done(&initialised));
}

/* ---- Outcomes */

TEST_P(OnceFormTest, RunsOnce) {
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(GetParam().call(&once_, succeed, &runs_));
        EXPECT_TRUE(plc_once_is_done(&once_));
        EXPECT_EQ(plc_once_state(&once_), PLC_ONCE_DONE);
    }
    EXPECT_EQ(runs_, 1);
}

TEST_P(OnceFormTest, FailureLeavesWhatTheFormSays) {
    EXPECT_FALSE(GetParam().call(&once_, fail, &runs_));
    EXPECT_EQ(runs_, 1);
    EXPECT_FALSE(plc_once_is_done(&once_));
    EXPECT_EQ(plc_once_state(&once_), GetParam().after_failure);
}

TEST_P(OnceFormTest, PoisonedOnceIsRunOnlyByForce) {
    EXPECT_FALSE(plc_once_call_poison(&once_, fail, &runs_));
    EXPECT_EQ(GetParam().call(&once_, succeed, &runs_), GetParam().runs_poisoned);
    EXPECT_EQ(runs_, GetParam().runs_poisoned ? 2 : 1);
    EXPECT_EQ(plc_once_state(&once_), GetParam().runs_poisoned ? PLC_ONCE_DONE : PLC_ONCE_POISONED);
}

TEST_P(OnceFormTest, FailureOnAPoisonedOnceLeavesItPoisoned) {
    EXPECT_FALSE(plc_once_call_poison(&once_, fail, &runs_));
    EXPECT_FALSE(GetParam().call(&once_, fail, &runs_));
    EXPECT_EQ(plc_once_state(&once_), PLC_ONCE_POISONED);
}

TEST_P(OnceFormTest, FailedCallIsTriedAgain) {
    EXPECT_FALSE(plc_once_call(&once_, fail, &runs_));
    EXPECT_FALSE(plc_once_call(&once_, fail, &runs_));
    EXPECT_TRUE(GetParam().call(&once_, succeed, &runs_));
    EXPECT_EQ(runs_, 3);
}

TEST_P(OnceFormTest, ExceptionCountsAsFailure) {
    EXPECT_THROW(GetParam().call(&once_, throw_error, &runs_), std::runtime_error);
    EXPECT_EQ(plc_once_state(&once_), GetParam().after_failure);
    EXPECT_EQ(GetParam().call(&once_, succeed, &runs_),
              GetParam().after_failure == PLC_ONCE_NEW || GetParam().runs_poisoned);
}

TEST_P(OnceFormTest, PreservesErrno) {
    errno = EILSEQ;
    GetParam().call(&once_, succeed, &runs_);
    EXPECT_EQ(errno, EILSEQ);
}

/* ---- Waiting */

class OnceWaitTest : public OnceFormTest {
  protected:
    /* One thread inside the function, `count` parked until it leaves. */
    void start(size_t count) {
        threads_.emplace_back([this] { results_ += GetParam().call(&once_, Gate::run, &gate_); });
        gate_.wait_until_inside();
        for (size_t i = 0; i < count; ++i)
            threads_.emplace_back([this] { results_ += GetParam().call(&once_, Gate::run, &gate_); });
        wait_until_parked(&once_, count, PLC_WAITER_ONCE);
    }

    void finish() {
        gate_.open = true;
        for (std::thread &thread : threads_)
            thread.join();
    }

    Gate gate_;
    std::vector<std::thread> threads_;
    std::atomic<int> results_ = 0; /* calls that returned true */
};

INSTANTIATE_TEST_SUITE_P(Forms, OnceWaitTest, testing::ValuesIn(forms), form_name);

TEST_P(OnceWaitTest, CallersWaitForTheRun) {
    start(3);
    EXPECT_EQ(plc_once_state(&once_), PLC_ONCE_RUNNING);
    EXPECT_FALSE(plc_once_is_done(&once_));
    EXPECT_EQ(results_, 0);
    finish();
    EXPECT_EQ(gate_.runs, 1);
    EXPECT_EQ(results_, 4);
    EXPECT_EQ(plc_once_state(&once_), PLC_ONCE_DONE);
}

TEST_P(OnceWaitTest, WaitersSeeAFailure) {
    gate_.outcome = false;
    start(3);
    finish();
    EXPECT_EQ(results_, 0);
    /* Each waiter tries in its turn, but a poisoned once is tried again only by force. */
    const bool all_try = GetParam().after_failure == PLC_ONCE_NEW || GetParam().runs_poisoned;
    EXPECT_EQ(gate_.runs, all_try ? 4 : 1);
    EXPECT_EQ(plc_once_state(&once_), GetParam().after_failure);
}

/* Waiters park in a space of their own: nothing that a program unparks at this address is taken for the end of a run.
 */
TEST_P(OnceWaitTest, UsersTokensAreNotConsumed) {
    start(2);
    EXPECT_EQ(plc_unpark_all(&once_, 1), 0u);
    EXPECT_EQ(plc_unpark_one(&once_, nullptr, nullptr).unparked, 0u);
    EXPECT_EQ(plc_test::parked_count(&once_, PLC_WAITER_ONCE), 2u);
    EXPECT_EQ(results_, 0);
    finish();
    EXPECT_EQ(results_, 3);
}

/* ---- Ways out of the function */

struct Leaver {
    plc_once_t once = PLC_ONCE_INIT;
    Gate gate;
};

/* A thread is unwound out of the function while another waits: the waiter has its turn. */
void expect_waiter_takes_over(void *(*thread_function)(void *), bool cancel) {
    Leaver leaver;
    pthread_t thread;
    int runs = 0;
    bool result = false;
    ASSERT_EQ(pthread_create(&thread, nullptr, thread_function, &leaver), 0);
    leaver.gate.wait_until_inside();
    std::thread waiter([&] { result = plc_once_call(&leaver.once, succeed, &runs); });
    wait_until_parked(&leaver.once, 1, PLC_WAITER_ONCE);
    if (cancel)
        pthread_cancel(thread);
    leaver.gate.open = true;
    pthread_join(thread, nullptr);
    waiter.join();
    EXPECT_TRUE(result);
    EXPECT_EQ(runs, 1);
    EXPECT_TRUE(plc_once_is_done(&leaver.once));
}

TEST(OnceUnwinding, ThreadExitLetsTheNextOneRun) {
    expect_waiter_takes_over(
        [](void *context) -> void * {
            plc_once_call(
                &static_cast<Leaver *>(context)->once,
                [](void *inner) -> bool {
                    Gate::run(&static_cast<Leaver *>(inner)->gate);
                    pthread_exit(nullptr);
                },
                context);
            return nullptr;
        },
        false);
}

TEST(OnceUnwinding, CancellationLetsTheNextOneRun) {
    expect_waiter_takes_over(
        [](void *context) -> void * {
            plc_once_call(
                &static_cast<Leaver *>(context)->once,
                [](void *inner) -> bool {
                    static_cast<Leaver *>(inner)->gate.inside = true;
                    for (;;) {
                        pthread_testcancel();
                        std::this_thread::yield();
                    }
                },
                context);
            return nullptr;
        },
        true);
}

TEST(OnceUnwinding, ExceptionLetsTheNextOneRun) {
    expect_waiter_takes_over(
        [](void *context) -> void * {
            EXPECT_THROW(plc_once_call(
                             &static_cast<Leaver *>(context)->once,
                             [](void *inner) -> bool {
                                 Gate::run(&static_cast<Leaver *>(inner)->gate);
                                 throw std::runtime_error("from inside a once");
                             },
                             context),
                         std::runtime_error);
            return nullptr;
        },
        false);
}

/* ---- Nesting */

struct Nest {
    plc_once_t outer = PLC_ONCE_INIT;
    plc_once_t inner = PLC_ONCE_INIT;
    int runs = 0;
};

bool run_inner(void *context) {
    auto *nest = static_cast<Nest *>(context);
    return plc_once_call(&nest->inner, succeed, &nest->runs);
}

bool run_outer(void *context) {
    auto *nest = static_cast<Nest *>(context);
    return plc_once_call(&nest->outer, run_inner, nest);
}

TEST(OnceNesting, DifferentOncesNest) {
    Nest nest;
    EXPECT_TRUE(run_outer(&nest));
    EXPECT_TRUE(plc_once_is_done(&nest.outer));
    EXPECT_TRUE(plc_once_is_done(&nest.inner));
    EXPECT_EQ(nest.runs, 1);
}

/* The frame of a call must be gone after an exception: the same thread may call again. */
TEST(OnceNesting, ExceptionUnlinksTheFrame) {
    plc_once_t once = PLC_ONCE_INIT;
    int runs = 0;
    EXPECT_THROW(plc_once_call(&once, throw_error, &runs), std::runtime_error);
    Nest nest;
    EXPECT_TRUE(run_outer(&nest));
    EXPECT_TRUE(plc_once_call(&once, succeed, &runs));
    EXPECT_EQ(runs, 2);
}

/* ---- Misuse */

class OnceDeathTest : public testing::Test {
  protected:
    OnceDeathTest() {
        testing::FLAGS_gtest_death_test_style = "threadsafe";
    }
};

bool call_itself(void *once) {
    return plc_once_call(static_cast<plc_once_t *>(once), call_itself, once);
}

bool call_outer_again(void *context) {
    return run_outer(context);
}

TEST_F(OnceDeathTest, CallOfItselfAborts) {
    plc_once_t once = PLC_ONCE_INIT;
    EXPECT_DEATH(call_itself(&once), "once.*calls the once that is running it");
}

TEST_F(OnceDeathTest, CallOfItselfThroughAnotherAborts) {
    Nest nest;
    const auto through_inner = [](void *context) {
        return plc_once_call(&static_cast<Nest *>(context)->inner, call_outer_again, context);
    };
    EXPECT_DEATH(plc_once_call(&nest.outer, through_inner, &nest), "once.*calls the once that is running it");
}

TEST_F(OnceDeathTest, CallOfItselfWithWaitersAborts) {
    EXPECT_DEATH(
        {
            static plc_once_t once;
            const auto call_after_others = [](void *) {
                std::thread([] { plc_once_call(&once, succeed, nullptr); }).detach();
                wait_until_parked(&once, 1, PLC_WAITER_ONCE);
                return plc_once_call(&once, succeed, nullptr);
            };
            plc_once_call(&once, call_after_others, nullptr);
        },
        "once.*calls the once that is running it");
}

TEST_F(OnceDeathTest, OverwrittenMemoryAborts) {
    for (const int value : {3, 5, 8, 9, 16, 0xcd, 0xff}) {
        plc_once_t once;
        std::memset(&once, value, sizeof once);
        EXPECT_DEATH(plc_once_call(&once, succeed, nullptr), "does not hold a once") << value;
    }
}

} // namespace
