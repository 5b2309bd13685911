/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parkers, wakers and block_on by many threads: every item arrives, whoever wakes and however late. */
#include <plc/atomic_waker.h>
#include <plc/block_on.h>
#include <plc/parker.h>
#include <plc/unparker.h>

#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

#include "support/fake_driver.h"
#include "support/stress.h"

namespace {

using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

/* A ring of threads hands a token round; each parks until it has it. Plain data goes with it. */
TEST(ParkerStress, ATokenGoesRound) {
    constexpr size_t threads = 5;
    const size_t laps = scaled(4000);
    plc_parker_t parkers[threads] = {};
    size_t passed = 0; /* guarded by the token */
    plc_parker_unpark(&parkers[0]);
    run_threads(threads, [&](size_t self, Random &random) {
        for (size_t lap = 0; lap < laps; ++lap) {
            while (!plc_parker_park_until(&parkers[self],
                                          random.one_in(4) ? plc_deadline_after_ns(1000) : PLC_NO_DEADLINE)) {
            }
            ++passed;
            plc_parker_unpark(&parkers[(self + 1) % threads]);
        }
    });
    EXPECT_EQ(passed, laps * threads);
}

/* Producers leave plain items in slots of their own, and permits; the consumer frees nothing before it has seen all. */
TEST(ParkerStress, PermitsOnTopOfPermitsPublish) {
    constexpr size_t producers = 4;
    const size_t items = scaled(20'000);
    struct alignas(64) Slot {
        std::atomic<size_t> sent{0};
    };
    Slot slots[producers];
    plc_parker_t parker = PLC_PARKER_INIT;
    run_threads(producers + 1, [&](size_t self) {
        if (self < producers) {
            for (size_t i = 1; i <= items; ++i) {
                slots[self].sent.store(i, std::memory_order_relaxed);
                plc_parker_unpark(&parker);
            }
            return;
        }
        for (;;) {
            size_t seen = 0;
            for (const Slot &slot : slots)
                seen += slot.sent.load(std::memory_order_relaxed);
            if (seen == producers * items)
                return;
            plc_parker_park(&parker); /* sleeps for ever if a last permit was lost */
        }
    });
}

/* A task that consumes from many producers through one place. */
struct Channel {
    plc_atomic_waker_t place = PLC_ATOMIC_WAKER_INIT;
    std::atomic<size_t> sent{0};
    size_t expected = 0;
    size_t polls = 0;

    static plc_poll poll(void *context, const plc_waker_t *waker) {
        auto *self = static_cast<Channel *>(context);
        ++self->polls;
        plc_atomic_waker_register_by_ref(&self->place, waker);
        return self->sent.load(std::memory_order_relaxed) == self->expected ? PLC_POLL_READY : PLC_POLL_PENDING;
    }
};

TEST(TaskStress, NoWakeIsLost) {
    constexpr size_t producers = 4;
    const size_t rounds = scaled(2000);
    std::vector<Channel> channels(rounds);
    std::vector<std::atomic<size_t>> arrived(rounds);
    for (Channel &channel : channels)
        channel.expected = producers;
    run_threads(producers + 1, [&](size_t self) {
        for (size_t round = 0; round < rounds; ++round) {
            Channel &channel = channels[round];
            arrived[round].fetch_add(1);
            while (arrived[round].load() < producers + 1)
                std::this_thread::yield();
            if (self == producers) {
                plc_block_on(Channel::poll, &channel);
                plc_waker_t left = plc_atomic_waker_take(&channel.place);
                plc_waker_drop(&left);
            } else {
                channel.sent.fetch_add(1, std::memory_order_relaxed);
                plc_atomic_waker_wake(&channel.place);
            }
        }
    });
    for (const Channel &channel : channels)
        EXPECT_GE(channel.polls, 1u);
}

/* Thousands of threads, each woken by the next one's help after it may have ended. */
TEST(TaskStress, UnparkersOutliveThreads) {
    const size_t threads = scaled(2000);
    std::vector<plc_unparker_t *> unparkers;
    Random random(7);
    for (size_t i = 0; i < threads; ++i) {
        std::atomic<plc_unparker_t *> published{nullptr};
        const bool waits = random.one_in(2);
        std::thread thread([&published, waits] {
            plc_unparker_t *mine = plc_unparker_current();
            published.store(mine);
            if (waits)
                plc_park_current();
        });
        while (!published.load())
            std::this_thread::yield();
        unparkers.push_back(published.load());
        plc_unparker_unpark(unparkers.back());
        thread.join();
    }
    for (plc_unparker_t *unparker : unparkers) {
        plc_unparker_unpark(unparker);
        plc_unparker_drop(unparker);
    }
}

/* Workers who pass tokens to random others, by unpark or as an event of the driver, and park when they have none. An unpark
   that is lost leaves a token behind, a driver that is left alone an event, and then nobody comes to an end. Now and then a
   worker goes on without the driver, which others have to run meanwhile. */
class DriverCrew {
  public:
    DriverCrew(size_t workers, size_t passes) : parkers_(workers), boxes_(workers), passes_left_(passes) {
        plc_shared_driver_init(&shared_, plc_test::FakeDriver::ops(), &driver_, parkers_.data(), workers);
    }
    void give(size_t worker, size_t tokens) {
        boxes_[worker].tokens.store(tokens);
    }
    void work(size_t self, Random &random) {
        for (;;) {
            take_events();
            if (take_token(self)) {
                if (passes_left_.fetch_sub(1) <= 1) {
                    plc_shared_driver_shutdown(&shared_);
                    return;
                }
                pass(random);
                if (random.one_in(8))
                    plc_driver_parker_poll(&parkers_[self]);
                continue;
            }
            plc_deadline_t deadline =
                random.one_in(4) ? plc_deadline_after_ns(static_cast<int64_t>(random.below(3000))) : PLC_NO_DEADLINE;
            if (plc_driver_parker_park_until(&parkers_[self], deadline).status == PLC_DRIVER_PARK_SHUT_DOWN)
                return;
        }
    }
    void check() const {
        EXPECT_EQ(driver_.shutdowns(), 1);
        EXPECT_EQ(shared_.state, 2u) << "nobody has the driver, nobody sleeps";
    }

  private:
    struct alignas(64) Box {
        std::atomic<size_t> tokens{0};
    };
    bool take_token(size_t self) {
        if (boxes_[self].tokens.load(std::memory_order_relaxed) == 0)
            return false;
        boxes_[self].tokens.fetch_sub(1, std::memory_order_relaxed);
        return true;
    }
    void pass(Random &random) {
        if (random.one_in(3)) {
            driver_.let_happen(); /* whoever sees it passes the token on */
            return;
        }
        size_t other = random.below(boxes_.size());
        boxes_[other].tokens.fetch_add(1, std::memory_order_relaxed);
        plc_driver_parker_unpark(&parkers_[other]);
    }
    void take_events() {
        size_t happened = driver_.handled();
        size_t taken = taken_.load();
        while (taken < happened && !taken_.compare_exchange_weak(taken, happened)) {
        }
        if (taken >= happened)
            return;
        size_t next = happened % boxes_.size();
        boxes_[next].tokens.fetch_add(happened - taken, std::memory_order_relaxed);
        plc_driver_parker_unpark(&parkers_[next]);
    }

    plc_test::FakeDriver driver_;
    plc_shared_driver_t shared_{};
    std::vector<plc_driver_parker_t> parkers_;
    std::vector<Box> boxes_;
    std::atomic<size_t> passes_left_, taken_{0};
};

TEST(DriverParkerStress, TokensAndEventsGoRound) {
    for (size_t workers : {size_t{2}, size_t{3}, size_t{16}}) {
        DriverCrew crew(workers, scaled(20'000));
        for (size_t i = 0; i < workers; i += 2)
            crew.give(i, 1);
        run_threads(workers, [&](size_t self, Random &random) { crew.work(self, random); });
        crew.check();
    }
}

/* Thousands of short lives: parked, unparked and shut down by one at random moments. */
TEST(DriverParkerStress, ShutdownAtAnyMoment) {
    constexpr size_t workers = 4;
    const size_t lives = scaled(1500);
    std::vector<plc_driver_parker_t> parkers(workers);
    for (size_t life = 0; life < lives; ++life) {
        plc_test::FakeDriver driver;
        plc_shared_driver_t shared;
        plc_shared_driver_init(&shared, plc_test::FakeDriver::ops(), &driver, parkers.data(), workers);
        size_t written = 0;
        run_threads(workers, [&](size_t self) {
            Random random(life * workers + self);
            if (self == 0) {
                for (uint64_t i = random.below(20); i > 0; --i)
                    plc_driver_parker_unpark(&parkers[random.below(workers)]);
                written = life;
                plc_shared_driver_shutdown(&shared);
                return;
            }
            while (plc_driver_parker_park(&parkers[self]).status != PLC_DRIVER_PARK_SHUT_DOWN) {
            }
            EXPECT_EQ(written, life);
        });
        EXPECT_EQ(driver.shutdowns(), 1);
    }
}

} // namespace
