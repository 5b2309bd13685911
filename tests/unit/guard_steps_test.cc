/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guards, one instruction at a time: wherever a signal comes, its handler finds no bucket that its own thread has locked. */
#include <plc/debug.h>
#include <plc/mutex.h>
#include <plc/parking_lot.h>

#include <csetjmp>
#include <functional>
#include <gtest/gtest.h>
#include <vector>

#include "platform/guard.h"
#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/single_step.h"
#include "support/small_threads.h"
#include "support/waiter_thread.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" { /* it is for the library's own sources */
#include "parking_lot/table_state.h"
}
#pragma GCC diagnostic pop

namespace {

using plc_test::Step;

unsigned long handled = 0;
unsigned long put_off = 0;
/* A signal before every how many-th instruction. A sanitizer has many times as many of them. */
unsigned long stride = plc_test::with_asan ? 13 : 1;

/* Waits for each bucket of each table; for ever, if its own thread has it. */
void lock_every_bucket() {
    for (const plc_bucket_table *table = plc_current_table(); table != nullptr; table = table->larger) {
        for (size_t i = 0; i < size_t{1} << table->bits; ++i) {
            plc_word_lock_lock(&table->buckets[i].lock);
            plc_word_lock_unlock(&table->buckets[i].lock);
        }
    }
}

sigjmp_buf landing;
bool jumps = false;

void handle(int) {
    handled++;
    lock_every_bucket();
    if (jumps) {
        plc_test::SingleStep::end();
        siglongjmp(landing, 1);
    }
}

/* What guard.h asks of a handler. */
void handle_unless_it_must_wait(int number, siginfo_t *, void *context) {
    if (plc_signals_must_wait_()) {
        auto *mask = &static_cast<ucontext_t *>(context)->uc_sigmask;
        sigset_t interrupted;
        sigemptyset(&interrupted);
        memcpy(&interrupted, mask, 8);
        plc_signals_put_off_(&interrupted);
        memcpy(mask, &interrupted, 8);
        put_off++;
        plc_test::send_to_self(number);
        return;
    }
    handle(number);
}

enum class Way { kBlocked, kPutOff };

void guard_by(Way way) {
    struct sigaction action = {};
    if (way == Way::kBlocked) {
        action.sa_handler = handle;
        plc_signals_may_lock();
    } else {
        action.sa_sigaction = handle_unless_it_must_wait;
        action.sa_flags = SA_SIGINFO;
        plc_signals_put_themselves_off_();
    }
    sigaction(SIGUSR1, &action, nullptr);
}

bool signal_here(const Step &step) {
    if (step.number % stride == 0)
        plc_test::send_to_self(SIGUSR1);
    return true;
}

enum Mistake { kNone, kTooFewSteps, kNotHandled, kStillPending, kStillBlocked, kWrongResult };

/* Signals come at each instruction of body, and in the end all is as it was. */
int interrupt(const std::function<bool()> &body) {
    bool was_right = false;
    handled = 0;
    const unsigned long steps = plc_test::SingleStep::run(signal_here, [&] { was_right = body(); });
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, nullptr, &set);
    if (steps < 100)
        return kTooFewSteps;
    if (handled < steps / stride / 8) /* in sections they become one */
        return kNotHandled;
    if (sigismember(&set, SIGUSR1) != 0 || sigismember(&set, SIGTERM) != 0)
        return kStillBlocked;
    sigpending(&set);
    if (sigismember(&set, SIGUSR1) != 0)
        return kStillPending;
    return was_right ? kNone : kWrongResult;
}

const char key = 0;
const char other_key = 0;

uintptr_t no_token(void *, plc_unpark_result) {
    return 0;
}

int queueing_up_and_leaving() {
    return interrupt([] {
        const plc_park_ops ops = {};
        const plc_deadline_t past = plc_deadline_at(PLC_CLOCK_MONOTONIC, 0, 1);
        return plc_park(&key, &ops, nullptr, 0, past).status == PLC_PARK_TIMED_OUT;
    });
}

int not_queueing_up() {
    return interrupt([] {
        plc_park_ops ops = {};
        ops.validate = [](void *) { return false; };
        return plc_park(&key, &ops, nullptr, 0, PLC_NO_DEADLINE).status == PLC_PARK_INVALID;
    });
}

int unparking_one() {
    auto waiter = plc_test::park_thread(&key);
    const int mistake = interrupt([] { return plc_unpark_one(&key, no_token, nullptr).unparked == 1; });
    waiter->join();
    return mistake;
}

int unparking_all() {
    auto first = plc_test::park_thread(&key);
    auto second = plc_test::park_thread(&key);
    const int mistake = interrupt([] { return plc_unpark_all(&key, 0) == 2; });
    first->join();
    second->join();
    return mistake;
}

int requeueing() {
    auto first = plc_test::park_thread(&key);
    auto second = plc_test::park_thread(&key);
    const int mistake = interrupt([] {
        const plc_unpark_result result = plc_unpark_requeue(
            &key, &other_key, [](void *) { return PLC_REQUEUE_WAKE_ONE_MOVE_REST; }, nullptr, nullptr);
        return result.unparked == 1 && result.requeued == 1;
    });
    first->join();
    const bool was_moved = plc_unpark_all(&other_key, 0) == 1;
    second->join();
    return was_moved ? mistake : kWrongResult;
}

int locking_a_mutex_in_vain() {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_mutex_lock(&mutex);
    const int mistake =
        interrupt([&] { return !plc_mutex_lock_until(&mutex, plc_deadline_at(PLC_CLOCK_MONOTONIC, 0, 1)); });
    plc_mutex_unlock(&mutex);
    return mistake;
}

template <void (*Unlock)(plc_mutex_t *)>
int unlocking_a_mutex() {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_mutex_lock(&mutex);
    std::thread waiter([&] {
        plc_mutex_lock(&mutex);
        plc_mutex_unlock(&mutex);
    });
    while ((plc_load_relaxed(&mutex.state) & PLC_MUTEX_PARKED_) == 0) /* relaxed: polled */
        std::this_thread::yield();
    const int mistake = interrupt([&] {
        Unlock(&mutex);
        return true;
    });
    waiter.join();
    return mistake;
}

int walking_the_lot() {
    auto waiter = plc_test::park_thread(&key);
    stride *= 97; /* a prime: all instructions have their turn as it goes from bucket to bucket */
    const int mistake = interrupt(
        [] { return plc_debug_for_each_waiter([](void *, const plc_debug_waiter *) { return true; }, nullptr) == 0; });
    plc_unpark_all(&key, 0);
    waiter->join();
    return mistake;
}

/* Enough threads for the table to grow, all in one bucket; and then one more, which moves all of the first table's. */
int growing_the_table() {
    const std::vector<const void *> keys = plc_test::keys_beside(&key, 140);
    const size_t size = plc_bucket_table_size();
    plc_test::SmallThreads threads;
    std::atomic<size_t> queued{0};
    plc_park_ops ops = {};
    ops.before_sleep = [](void *context) { ++*static_cast<std::atomic<size_t> *>(context); };
    threads.start(keys.size(), [&](size_t i) { plc_park(keys[i], &ops, &queued, 0, PLC_NO_DEADLINE); });
    while (queued != keys.size())
        std::this_thread::yield();
    if (plc_bucket_table_size() != size || plc_test::parked_count(keys.back()) != 1)
        return kWrongResult;
    stride *= 97; /* likewise */
    const int mistake = queueing_up_and_leaving();
    const bool has_grown = plc_bucket_table_size() > size;
    for (const void *one : keys)
        plc_unpark_all(one, 0);
    threads.join();
    return has_grown ? mistake : kWrongResult;
}

struct Section {
    const char *name;
    int (*run)();
};

class Steps : public testing::TestWithParam<std::tuple<Way, Section>> {};

std::string name_of(const testing::TestParamInfo<Steps::ParamType> &info) {
    const char *way = std::get<0>(info.param) == Way::kBlocked ? "Blocked" : "PutOff";
    return std::string(std::get<1>(info.param).name) + way;
}

INSTANTIATE_TEST_SUITE_P(
    Guard, Steps,
    testing::Combine(testing::Values(Way::kBlocked, Way::kPutOff),
                     testing::Values(Section{"QueueingUpAndLeaving", queueing_up_and_leaving},
                                     Section{"NotQueueingUp", not_queueing_up}, Section{"UnparkingOne", unparking_one},
                                     Section{"UnparkingAll", unparking_all}, Section{"Requeueing", requeueing},
                                     Section{"LockingInVain", locking_a_mutex_in_vain},
                                     Section{"Unlocking", unlocking_a_mutex<plc_mutex_unlock>},
                                     Section{"HandingOver", unlocking_a_mutex<plc_mutex_unlock_fair>},
                                     Section{"WalkingTheLot", walking_the_lot},
                                     Section{"GrowingTheTable", growing_the_table})),
    name_of);

/* In a child: no guard ever goes off again, and a mistake makes it hang. */
TEST_P(Steps, NoHandlerFindsABucketLocked) {
    if (!plc_test::can_single_step || plc_test::with_tsan)
        GTEST_SKIP() << "signals come where the processor or the sanitizer wants";
    const auto [way, section] = GetParam();
    EXPECT_EQ(plc_test::in_child([way = way, run = section.run] {
                  guard_by(way);
                  const int mistake = run();
                  return mistake == kNone && way == Way::kPutOff && put_off == 0 ? kNotHandled : mistake;
              }),
              kNone);
}

/* ---- One signal alone, at each instruction in turn: it may hit the few that begin a section or end it */

unsigned long signal_at = 0;
unsigned long sent = 0;

bool signal_once(const Step &step) {
    if (step.number == signal_at) {
        plc_test::send_to_self(SIGUSR1);
        sent++;
    }
    return true;
}

bool is_blocked(int number) {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    return sigismember(&mask, number) == 1;
}

void unpark_nobody() {
    plc_unpark_one(&key, no_token, nullptr);
}

/* Was it handled once, and is the thread's mask what it was, and what it makes of it? */
int be_hit_once() {
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    handled = 0;
    const unsigned long sent_before = sent;
    if (sigsetjmp(landing, 1) == 0)
        plc_test::SingleStep::run(signal_once, unpark_nobody);
    if (handled != sent - sent_before) /* none, if a sanitizer's part of the way was shorter this time */
        return kNotHandled;
    if (is_blocked(SIGTERM) || is_blocked(SIGUSR1))
        return kStillBlocked;
    pthread_sigmask(SIG_BLOCK, &hangup, nullptr);
    unpark_nobody();
    const bool keeps_mask = is_blocked(SIGHUP);
    pthread_sigmask(SIG_UNBLOCK, &hangup, nullptr);
    return keeps_mask ? kNone : kWrongResult;
}

class Single : public testing::TestWithParam<std::tuple<Way, bool>> {};
INSTANTIATE_TEST_SUITE_P(Guard, Single,
                         testing::Combine(testing::Values(Way::kBlocked, Way::kPutOff), testing::Bool()));

TEST_P(Single, ASignalIsHandledOnceWhereverItComes) {
    if (!plc_test::can_single_step || plc_test::with_tsan)
        GTEST_SKIP() << "signals come where the processor or the sanitizer wants";
    EXPECT_EQ(plc_test::in_child([] {
                  guard_by(std::get<0>(GetParam()));
                  jumps = std::get<1>(GetParam());
                  unpark_nobody(); /* the loader finds its functions */
                  const unsigned long steps =
                      plc_test::SingleStep::run([](const Step &) { return true; }, unpark_nobody);
                  int mistake = kNone;
                  for (signal_at = 1; mistake == kNone && signal_at < steps; signal_at += stride)
                      mistake = be_hit_once();
                  return mistake == kNone && sent * stride < 50 ? kTooFewSteps : mistake;
              }),
              kNone);
}

} // namespace
