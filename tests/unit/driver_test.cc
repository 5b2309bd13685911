/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What every driver does, be it built on epoll, on poll or on libuv: the same tests for each. */
#include "support/drivers.h"

#include <random>

namespace plc_test {
namespace {

/* ---- Interrupts and deadlines */

TEST_P(Driver, AnUnparkThatCameBeforeEndsTheNextPark) {
    for (int i = 0; i < 100; ++i) {
        unpark();
        if (i % 3 == 0)
            unpark();
        ASSERT_EQ(park(), 0);
    }
}

TEST_P(Driver, AnUnparkEndsThePark) {
    std::atomic<int> parks{0};
    std::thread other([&] {
        for (int i = 0; i < 500; ++i) {
            unpark();
            while (parks.load() <= i)
                std::this_thread::yield();
        }
    });
    for (int i = 0; i < 500; ++i) {
        ASSERT_EQ(park(), 0);
        ++parks;
    }
    parks = 500;
    other.join();
}

TEST_P(Driver, DeadlinesOfEveryKind) {
    for (plc_clock clock : {PLC_CLOCK_MONOTONIC, PLC_CLOCK_REALTIME}) {
        for (int64_t ns : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}})
            ASSERT_EQ(park({ns, clock}), 0);
        for (int64_t ns : {INT64_MAX, INT64_MAX - 1, int64_t{1} << 62}) {
            unpark();
            ASSERT_EQ(park({ns, clock}), 0);
        }
    }
    plc_deadline_t soon = plc_deadline_after_ns(3'000'000);
    while (!plc_deadline_has_passed(soon))
        ASSERT_EQ(park(soon), 0);
}

/* ---- Descriptors */

/* Short waits, one after the other, which a driver may learn to end without a sleep. */
TEST_P(Driver, APeerThatAnswersAtOnce) {
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    std::thread peer([&] {
        for (int i = 0; i < 500; ++i) {
            std::string question;
            while ((question = pair.receive(1)) == "?")
                std::this_thread::yield();
            pair.send(1, question);
        }
    });
    for (int i = 0; i < 500; ++i) {
        pair.send(0, std::to_string(i));
        std::string answer = "?";
        while (answer == "?") {
            bell_.rung = 0;
            plc_io_begin(io, PLC_IO_READABLE);
            answer = pair.receive(0);
            if (answer == "?" && wait_for(io, PLC_IO_READABLE, bell_) == 0)
                drive_until([&] { return bell_.is_rung(); });
        }
        EXPECT_EQ(answer, std::to_string(i));
    }
    peer.join();
}

TEST_P(Driver, WakesWhoWaitsToRead) {
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    for (int i = 0; i < 20; ++i) {
        bell_.rung = 0;
        plc_io_begin(io, PLC_IO_READABLE);
        EXPECT_EQ(pair.receive(0), "?");
        if (wait_for(io, PLC_IO_READABLE, bell_) == 0) {
            pair.send(1, "hello");
            drive_until([&] { return bell_.is_rung(); });
        } else {
            EXPECT_EQ(i, 0) << "only what was true before may be reported late";
            pair.send(1, "hello");
        }
        EXPECT_NE(wait_for(io, PLC_IO_READABLE, bell_) & PLC_IO_READABLE, 0u);
        EXPECT_EQ(pair.receive(0), "hello");
    }
}

TEST_P(Driver, WhatComesBetweenTheAttemptAndThePollIsNotMissed) {
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    look();
    for (int i = 0; i < 20; ++i) {
        plc_io_begin(io, PLC_IO_READABLE);
        EXPECT_EQ(pair.receive(0), "?");
        pair.send(1, "now");
        if (i % 2 == 0)
            look();
        bell_.rung = 0;
        if (wait_for(io, PLC_IO_READABLE, bell_) == 0)
            drive_until([&] { return bell_.is_rung(); });
        EXPECT_EQ(pair.receive(0), "now");
    }
}

TEST_P(Driver, WakesWhoWaitsToWrite) {
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    look();
    for (int i = 0; i < 5; ++i) {
        plc_io_begin(io, PLC_IO_WRITABLE);
        EXPECT_GT(pair.fill(0), 0u);
        bell_.rung = 0;
        ASSERT_EQ(wait_for(io, PLC_IO_WRITABLE, bell_), 0u);
        look();
        EXPECT_FALSE(bell_.is_rung()) << "it is full";
        pair.drain(1);
        drive_until([&] { return bell_.is_rung(); });
        EXPECT_NE(wait_for(io, PLC_IO_WRITABLE, bell_) & PLC_IO_WRITABLE, 0u);
    }
}

TEST_P(Driver, EachDirectionHasAWakerOfItsOwn) {
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    look();
    plc_io_begin(io, PLC_IO_READABLE | PLC_IO_WRITABLE);
    pair.fill(0);
    ASSERT_EQ(wait_for(io, PLC_IO_READABLE, bell_), 0u);
    ASSERT_EQ(wait_for(io, PLC_IO_WRITABLE, other_bell_), 0u);
    pair.send(1, "in");
    drive_until([&] { return bell_.is_rung(); });
    EXPECT_FALSE(other_bell_.is_rung());
    pair.drain(1);
    drive_until([&] { return other_bell_.is_rung(); });
}

TEST_P(Driver, TheLastWakerIsWoken) {
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    ASSERT_EQ(wait_for(io, PLC_IO_READABLE, bell_), 0u);
    ASSERT_EQ(wait_for(io, PLC_IO_READABLE, other_bell_), 0u);
    EXPECT_EQ(bell_.references, 0);
    pair.send(1, "x");
    drive_until([&] { return other_bell_.is_rung(); });
    EXPECT_FALSE(bell_.is_rung());
}

/* The end comes together with the last bytes: a short read must not take it for an empty connection. */
TEST_P(Driver, TheEndIsSeenBehindTheLastBytes) {
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    ASSERT_EQ(wait_for(io, PLC_IO_READABLE, bell_), 0u);
    pair.send(1, "last");
    pair.close_end(1);
    drive_until([&] { return bell_.is_rung(); });
    plc_io_begin(io, PLC_IO_READABLE);
    EXPECT_EQ(pair.receive(0), "last");
    bell_.rung = 0;
    if (wait_for(io, PLC_IO_READABLE, bell_) == 0)
        drive_until([&] { return bell_.is_rung(); });
    EXPECT_EQ(pair.receive(0), "");
    EXPECT_NE(wait_for(io, PLC_IO_READABLE, bell_), 0u);
}

TEST_P(Driver, Pipes) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
    plc_io_t *reader = add(ends[0]);
    ASSERT_EQ(wait_for(reader, PLC_IO_READABLE, bell_), 0u);
    close(ends[1]);
    drive_until([&] { return bell_.is_rung(); });
    EXPECT_NE(wait_for(reader, PLC_IO_READABLE, bell_), 0u);
    remove(reader);
    close(ends[0]);
}

TEST_P(Driver, ManyAtOnce) {
    constexpr size_t count = 300; /* more than an array of events, or a first array of descriptors, holds */
    std::vector<std::unique_ptr<Pair>> pairs;
    std::vector<Bell> bells(count);
    std::vector<plc_io_t *> ios;
    for (size_t i = 0; i < count; ++i) {
        pairs.push_back(std::make_unique<Pair>());
        ios.push_back(add(pairs[i]->ends[0]));
    }
    for (int round = 0; round < 3; ++round) {
        for (size_t i = 0; i < count; ++i) {
            bells[i].rung = 0;
            plc_io_begin(ios[i], PLC_IO_READABLE);
            EXPECT_EQ(wait_for(ios[i], PLC_IO_READABLE, bells[i]), 0u);
        }
        for (size_t i = 0; i < count; ++i)
            pairs[i]->send(1, std::to_string(i));
        drive_until(
            [&] { return std::all_of(bells.begin(), bells.end(), [](const Bell &bell) { return bell.is_rung(); }); });
        for (size_t i = 0; i < count; ++i)
            EXPECT_EQ(pairs[i]->receive(0), std::to_string(i));
    }
}

TEST_P(Driver, WhoWaitsHearsOfWhatOthersBegin) {
    start_worker();
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    for (int i = 0; i < 200; ++i) {
        bell_.rung = 0;
        plc_io_begin(io, PLC_IO_READABLE);
        if (i % 2 == 0)
            pair.send(1, "a");
        if (wait_for(io, PLC_IO_READABLE, bell_) == 0) {
            if (i % 2 != 0)
                pair.send(1, "a");
            wait_until_rung(bell_);
        } else if (i % 2 != 0) {
            pair.send(1, "a");
        }
        EXPECT_EQ(pair.receive(0), "a");
    }
}

/* The number is another's at once. Events of the old one may come late, and wake nobody who waits for the new one for ever. */
TEST_P(Driver, DeregisteredWhileAnotherThreadWaits) {
    start_worker();
    for (int i = 0; i < 300; ++i) {
        Pair pair;
        plc_io_t *io = add(pair.ends[0]);
        if (i % 3 == 0) {
            bell_.rung = 0;
            if (wait_for(io, PLC_IO_READABLE, bell_) == 0) {
                pair.send(1, "x");
                wait_until_rung(bell_);
            }
        } else {
            wait_for(io, PLC_IO_READABLE, bell_);
            if (i % 3 == 1)
                pair.send(1, "x");
        }
        remove(io);
        /* The waker was dropped, or is about to be by the worker, who may be waking it just now. */
        while (bell_.references != 0)
            std::this_thread::yield();
    }
}

TEST_P(Driver, ADescriptorMayBeRegisteredAgain) {
    Pair pair;
    for (int i = 0; i < 3; ++i) {
        plc_io_t *io = add(pair.ends[0]);
        bell_.rung = 0;
        ASSERT_EQ(wait_for(io, PLC_IO_READABLE, bell_), 0u);
        pair.send(1, "again");
        drive_until([&] { return bell_.is_rung(); });
        EXPECT_EQ(pair.receive(0), "again");
        remove(io);
    }
}

/* ---- Timers */

TEST_P(Driver, TimersFireInTimeAndNotBefore) {
    std::mt19937 random(1);
    constexpr size_t count = 500;
    std::vector<plc_timer_t> timers(count);
    std::vector<Bell> bells(count);
    int64_t now = plc_deadline_after_ns(0).ns;
    for (size_t i = 0; i < count; ++i) {
        int64_t after = static_cast<int64_t>(random() % 20'000'000);
        plc_timer_start(driver_, &timers[i], {now + after, PLC_CLOCK_MONOTONIC}, bells[i].waker());
    }
    for (size_t i = 0; i < count; i += 7) {
        bool in_time = plc_timer_cancel(&timers[i]);
        EXPECT_EQ(in_time, !plc_timer_has_fired(&timers[i]));
    }
    for (size_t i = 3; i < count; i += 14) /* starts anew, later */
        plc_timer_start(driver_, &timers[i], {now + 25'000'000, PLC_CLOCK_MONOTONIC}, bells[i].waker());
    for (size_t i = 0; i < count; ++i) {
        if (i % 7 == 0)
            continue;
        while (!plc_timer_has_fired(&timers[i])) {
            ASSERT_EQ(park(), 0);
            for (size_t j = 0; j < count; ++j) {
                if (j % 7 != 0 && plc_timer_has_fired(&timers[j])) {
                    EXPECT_TRUE(plc_deadline_has_passed(timers[j].deadline));
                    EXPECT_TRUE(bells[j].is_rung());
                }
            }
        }
    }
    for (size_t i = 0; i < count; ++i) {
        EXPECT_EQ(bells[i].references, 0);
        EXPECT_EQ(bells[i].rung, i % 7 != 0);
    }
}

TEST_P(Driver, TimersOnTheWallClock) {
    plc_timer_t timer = PLC_TIMER_INIT;
    timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    plc_deadline_t soon = plc_deadline_at(PLC_CLOCK_REALTIME, time.tv_sec, time.tv_nsec);
    soon.ns += 2'000'000;
    plc_timer_start(driver_, &timer, soon, bell_.waker());
    drive_until([&] { return bell_.is_rung(); });
    EXPECT_TRUE(plc_deadline_has_passed(soon));
    EXPECT_TRUE(plc_timer_has_fired(&timer));
    EXPECT_FALSE(plc_timer_cancel(&timer));
}

TEST_P(Driver, WhoWaitsHearsOfAnEarlierTimer) {
    start_worker();
    for (int i = 0; i < 30; ++i) {
        plc_timer_t timer = PLC_TIMER_INIT, late = PLC_TIMER_INIT;
        bell_.rung = 0;
        plc_timer_start(driver_, &late, plc_deadline_after_ns(int64_t{3600} * 1'000'000'000), other_bell_.waker());
        plc_timer_start(driver_, &timer, plc_deadline_after_ns(i * 50'000), bell_.waker());
        wait_until_rung(bell_);
        EXPECT_TRUE(plc_timer_cancel(&late));
    }
    EXPECT_FALSE(other_bell_.is_rung());
}

TEST_P(Driver, ATimerWasNotStarted) {
    plc_timer_t timer = PLC_TIMER_INIT;
    EXPECT_FALSE(plc_timer_has_fired(&timer));
    EXPECT_FALSE(plc_timer_cancel(&timer));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Driver, testing::ValuesIn(kinds),
                         [](const testing::TestParamInfo<Named> &named) { return named.param.name; });

} // namespace
} // namespace plc_test
