/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Once under load: one success, one run at a time, its writes seen by all, and no touch after the outcome is known. */
#include <plc/once.h>

#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/internal.h"
#include "support/stress.h"

namespace {

using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

constexpr size_t threads = 6;

/* Something to initialise. The data is plain memory: only the once orders it. */
struct Target {
    plc_once_t once = PLC_ONCE_INIT;
    std::atomic<int> inside = 0;
    int failures_left = 0; /* written only inside a run, as are the following */
    int runs = 0;
    int throws = 0;
    bool may_throw = false;
    uint64_t data[4] = {};

    bool initialise() {
        EXPECT_EQ(inside.fetch_add(1), 0) << "two runs at a time";
        ++runs;
        for (uint64_t &word : data)
            word += 7;
        inside.fetch_sub(1);
        if (failures_left == 0)
            return true;
        if (--failures_left % 2 == 1 && may_throw) {
            ++throws;
            throw std::runtime_error("from inside a once");
        }
        return false;
    }

    static bool run(void *context) {
        return static_cast<Target *>(context)->initialise();
    }
};

/* Repeats a call until it succeeds; returns how many failed. */
int call_until_done(Target &target) {
    int failed = 0;
    for (bool done = false; !done;) {
        try {
            done = plc_once_call(&target.once, Target::run, &target);
            failed += !done;
        } catch (const std::runtime_error &) {
            ++failed;
        }
    }
    return failed;
}

/* All threads run into a fresh once; it fails a few times before it succeeds. */
void stampede(bool may_throw) {
    const size_t rounds = scaled(3000);
    std::vector<Target> targets(rounds);
    std::vector<std::atomic<int>> failures(rounds);
    std::vector<std::atomic<size_t>> arrived(rounds);
    std::vector<int> planned(rounds);
    Random plan(1000);
    for (size_t r = 0; r < rounds; ++r) {
        planned[r] = static_cast<int>(plan.below(4));
        targets[r].failures_left = planned[r];
        targets[r].may_throw = may_throw;
    }
    run_threads(threads, [&](size_t) {
        for (size_t r = 0; r < rounds; ++r) {
            arrived[r].fetch_add(1);
            while (arrived[r] != threads)
                std::this_thread::yield();
            failures[r] += call_until_done(targets[r]);
            const auto expected = 7 * (static_cast<uint64_t>(planned[r]) + 1);
            for (const uint64_t word : targets[r].data)
                ASSERT_EQ(word, expected);
        }
    });
    for (size_t r = 0; r < rounds; ++r) {
        EXPECT_EQ(targets[r].runs, planned[r] + 1);
        EXPECT_EQ(failures[r], planned[r]);
        EXPECT_EQ(targets[r].once.state, 1u);
    }
}

TEST(OnceStress, StampedeWithFailures) {
    stampede(false);
}

TEST(OnceStress, StampedeWithExceptions) {
    stampede(true);
}

/* All forms at once on onces that lie side by side: a poisoned one is done in the end, since some calls use force. */
TEST(OnceStress, AllFormsTogether) {
    constexpr size_t neighbours = 64;
    const size_t rounds = scaled(100);
    for (size_t round = 0; round < rounds; ++round) {
        struct Neighbourhood {
            plc_once_t onces[neighbours] = {};
            std::atomic<int> running[neighbours] = {};
            std::atomic<int> successes[neighbours] = {};
        } hood;
        run_threads(threads, [&](size_t, Random &random) {
            struct Call {
                Neighbourhood *hood;
                Random *random;
                size_t which;
            } call = {&hood, &random, 0};
            const auto run = [](void *context) {
                auto *self = static_cast<Call *>(context);
                EXPECT_EQ(self->hood->running[self->which]++, 0) << "two runs at a time";
                const bool succeeds = self->random->one_in(3);
                self->hood->successes[self->which] += succeeds;
                --self->hood->running[self->which];
                return succeeds;
            };
            for (size_t done = 0; done < neighbours;) {
                call.which = random.below(neighbours);
                plc_once_t *once = &hood.onces[call.which];
                const uint64_t form = random.below(4);
                const bool reported = form == 0   ? plc_once_call(once, run, &call)
                                      : form == 1 ? plc_once_call_poison(once, run, &call)
                                                  : plc_once_call_force(once, run, &call);
                EXPECT_TRUE(!reported || hood.successes[call.which] == 1);
                done = 0;
                while (done < neighbours && plc_once_is_done(&hood.onces[done]))
                    ++done;
            }
        });
        for (const std::atomic<int> &successes : hood.successes)
            ASSERT_EQ(successes, 1);
    }
}

/* A thread that polls unmaps the once as soon as it is done, while the runner may still be inside its call. */
TEST(OnceStress, UnmappedOnceDone) {
    const size_t rounds = scaled(20000);
    std::atomic<plc_once_t *> published = nullptr;
    std::atomic<size_t> finished = 0;
    run_threads(2, [&](size_t index) {
        for (size_t r = 1; r <= rounds; ++r) {
            if (index == 0) {
                auto *once = static_cast<plc_once_t *>(plc_os_pages_alloc(sizeof(plc_once_t)));
                ASSERT_NE(once, nullptr);
                published = once;
                EXPECT_TRUE(plc_once_call(
                    once, [](void *) { return true; }, nullptr));
                while (finished != r)
                    std::this_thread::yield();
                continue;
            }
            while (!published)
                std::this_thread::yield();
            plc_once_t *const once = published.exchange(nullptr);
            while (!plc_once_is_done(once))
                plc_cpu_relax();
            plc_os_pages_free(once, sizeof *once);
            finished = r;
        }
    });
}

} // namespace
