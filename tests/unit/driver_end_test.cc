/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The end of every driver, its failures, and its life with parkers. */
#include "support/drivers.h"

#include <plc/unparker.h>

#include <cstdlib>
#include <sys/resource.h>

namespace plc_test {
namespace {

/* ---- The end */

TEST_P(Driver, ShutdownWakesAllAndRefusesMore) {
    Pair pair, another;
    plc_io_t *io = add(pair.ends[0]);
    plc_timer_t timer = PLC_TIMER_INIT;
    ASSERT_EQ(wait_for(io, PLC_IO_READABLE, bell_), 0u);
    plc_timer_start(driver_, &timer, PLC_NO_DEADLINE, other_bell_.waker());
    shut_down();
    EXPECT_TRUE(bell_.is_rung() && other_bell_.is_rung());
    EXPECT_EQ(wait_for(io, PLC_IO_READABLE, bell_), static_cast<unsigned>(PLC_IO_SHUT_DOWN));
    EXPECT_NE(wait_for(io, PLC_IO_WRITABLE, bell_) & PLC_IO_SHUT_DOWN, 0u);
    unpark();
    plc_io_t *refused = nullptr;
    EXPECT_EQ(plc_io_register(driver_, another.ends[0], &refused), ESHUTDOWN);
    EXPECT_EQ(refused, nullptr);
    other_bell_.rung = 0;
    plc_timer_start(driver_, &timer, PLC_NO_DEADLINE, other_bell_.waker());
    EXPECT_TRUE(other_bell_.is_rung());
    EXPECT_EQ(park(), ESHUTDOWN);
}

TEST_P(Driver, ShutdownAgainstDeregistrations) {
    for (int i = 0; i < 50; ++i) {
        plc_driver_t *driver = nullptr;
        std::unique_ptr<Kind> kind = GetParam().make();
        ASSERT_EQ(kind->open(&driver), 0);
        Pair pairs[4];
        plc_io_t *ios[4];
        for (int j = 0; j < 4; ++j)
            ASSERT_EQ(plc_io_register(driver, pairs[j].ends[0], &ios[j]), 0);
        std::thread other([&] {
            for (plc_io_t *io : ios)
                plc_io_deregister(io);
        });
        plc_driver_operations()->shutdown(driver);
        other.join();
        plc_driver_close(driver);
    }
}

/* ---- Failures */

TEST_P(Driver, WhatCannotBeWatchedIsRefused) {
    plc_io_t *io = nullptr;
    Pair pair;
    int closed = pair.ends[0];
    pair.close_end(0);
    errno = 123;
    EXPECT_EQ(plc_io_register(driver_, closed, &io), EBADF);
    EXPECT_EQ(plc_io_register(driver_, -1, &io), EBADF);
    EXPECT_EQ(errno, 123);
    EXPECT_EQ(io, nullptr);
    char name[] = "/tmp/plc_driver_test_XXXXXX";
    int file = mkstemp(name);
    ASSERT_NE(file, -1);
    unlink(name);
    int error = plc_io_register(driver_, file, &io);
    EXPECT_EQ(error, kind_->refuses_files() ? EPERM : 0);
    if (error == 0)
        plc_io_deregister(io);
    close(file);
    look();
}

TEST_P(Driver, ADescriptorThatIsClosedTooEarlyDoesNoHarm) {
    auto pair = std::make_unique<Pair>();
    Pair other;
    plc_io_t *io = add(pair->ends[0]);
    wait_for(io, PLC_IO_READABLE, bell_);
    look();
    pair.reset();
    look();
    plc_io_t *next = add(other.ends[0]);
    ASSERT_EQ(wait_for(next, PLC_IO_READABLE, other_bell_), 0u);
    remove(io);
    other.send(1, "x");
    drive_until([&] { return other_bell_.is_rung(); });
}

TEST_P(Driver, TheDriversOwnDescriptorsWereClosed) {
    std::unique_ptr<Kind> kind = GetParam().make();
    std::vector<int> before, own;
    for (int fd = 0; fd < 256; ++fd) {
        if (fcntl(fd, F_GETFD) != -1)
            before.push_back(fd);
    }
    plc_driver_t *driver = nullptr;
    ASSERT_EQ(kind->open(&driver), 0);
    for (int fd = 0; fd < 256; ++fd) {
        if (fcntl(fd, F_GETFD) != -1 && std::find(before.begin(), before.end(), fd) == before.end())
            own.push_back(fd);
    }
    ASSERT_FALSE(own.empty());
    for (int fd : own)
        close(fd);
    plc_driver_operations()->unpark(driver);
    EXPECT_EQ(plc_driver_operations()->park_until(driver, long_past), EBADF);
    plc_driver_operations()->shutdown(driver);
    plc_driver_close(driver);
}

TEST_P(Driver, NoDescriptorsAreLeft) {
    rlimit old;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    rlimit few = {64, old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    std::unique_ptr<Kind> kind = GetParam().make();
    Pair pair;
    std::vector<int> taken;
    for (int fd; (fd = dup(pair.ends[0])) != -1;)
        taken.push_back(fd);
    EXPECT_EQ(errno, EMFILE);
    int error = EMFILE;
    while (error != 0 && !taken.empty()) { /* with room for none, one, two ... */
        plc_driver_t *driver = nullptr;
        errno = 123;
        error = kind->open(&driver);
        EXPECT_EQ(errno, 123);
        EXPECT_EQ(driver == nullptr, error != 0);
        if (error == 0)
            plc_driver_close(driver);
        else
            EXPECT_EQ(error, EMFILE);
        close(taken.back());
        taken.pop_back();
    }
    EXPECT_EQ(error, 0);
    for (int fd : taken)
        close(fd);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
}

std::atomic<int> allocations_left;
std::atomic<int> living;

TEST_P(Driver, NoMemoryIsLeft) {
    living = 0;
    plc_set_allocator(
        [](size_t size) -> void * {
            if (allocations_left-- <= 0)
                return nullptr;
            ++living;
            return std::malloc(size);
        },
        [](void *memory) {
            if (memory)
                --living;
            std::free(memory);
        });
    Pair pair;
    int last_error = ENOMEM;
    for (int room = 0; last_error != 0 && room < 10; ++room) {
        std::unique_ptr<Kind> kind = GetParam().make();
        allocations_left = room;
        plc_driver_t *driver = nullptr;
        plc_io_t *io = nullptr;
        last_error = kind->open(&driver);
        if (last_error == 0) {
            last_error = plc_io_register(driver, pair.ends[0], &io);
            if (last_error == 0)
                last_error = plc_driver_operations()->park_until(driver, long_past);
            if (io)
                plc_io_deregister(io);
            plc_driver_close(driver);
        }
        EXPECT_TRUE(last_error == 0 || last_error == ENOMEM) << last_error;
        EXPECT_EQ(living, 0);
    }
    EXPECT_EQ(last_error, 0);
    plc_set_allocator(std::malloc, std::free);
}

TEST_P(Driver, ClosedTooEarlyIsReported) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    Pair pair;
    add(pair.ends[0]);
    EXPECT_DEATH(plc_driver_close(driver_), "libplc: driver 0x[0-9a-f]+: thread [0-9]+: closed while a descriptor");
}

/* ---- Together with parkers: whoever has the driver serves all. */

TEST_P(Driver, SharedByParkers) {
    constexpr size_t workers = 3;
    plc_shared_driver_t shared;
    plc_driver_parker_t parkers[workers];
    plc_shared_driver_init(&shared, plc_driver_operations(), driver_, parkers, workers);
    is_shut_ = true; /* by the shared driver */
    Pair pair;
    plc_io_t *io = add(pair.ends[0]);
    std::vector<std::thread> threads;
    for (plc_driver_parker_t &parker : parkers) {
        threads.emplace_back([&parker] {
            plc_driver_park_status status;
            do {
                status = plc_driver_parker_park(&parker).status;
                EXPECT_NE(status, PLC_DRIVER_PARK_FAILED);
            } while (status != PLC_DRIVER_PARK_SHUT_DOWN);
        });
    }
    for (int i = 0; i < 200; ++i) {
        bell_.rung = 0;
        plc_io_begin(io, PLC_IO_READABLE);
        EXPECT_EQ(pair.receive(0), "?");
        plc_driver_parker_unpark(&parkers[static_cast<size_t>(i) % workers]); /* it may be who has the driver */
        bool waits = wait_for(io, PLC_IO_READABLE, bell_) == 0;
        pair.send(1, "x");
        if (waits)
            wait_until_rung(bell_);
        EXPECT_EQ(pair.receive(0), "x");
    }
    plc_shared_driver_shutdown(&shared);
    for (std::thread &thread : threads)
        thread.join();
}

INSTANTIATE_TEST_SUITE_P(Kinds, Driver, testing::ValuesIn(kinds),
                         [](const testing::TestParamInfo<Named> &named) { return named.param.name; });

/* ---- What only a loop of libuv has: handles of the program's own. */

#ifdef PLC_TEST_UV
TEST(UvDriver, RunsTheLoopsOwnHandles) {
    Uv kind;
    plc_driver_t *driver = nullptr;
    ASSERT_EQ(static_cast<Kind &>(kind).open(&driver), 0);
    std::atomic<bool> is_over{false};
    std::thread worker([&] {
        while (!is_over)
            EXPECT_EQ(plc_driver_operations()->park_until(driver, PLC_NO_DEADLINE), 0);
    });
    struct Ticker {
        uv_timer_t timer;
        plc_driver_t *driver;
        plc_io_t *io;
        std::atomic<int> ticks{0};
        std::atomic<bool> is_closed{false};
    } ticker;
    ticker.driver = driver;
    plc_driver_uv_enter(driver);
    EXPECT_EQ(uv_timer_init(kind.loop(), &ticker.timer), 0);
    ticker.timer.data = &ticker;
    EXPECT_EQ(uv_timer_start(
                  &ticker.timer,
                  [](uv_timer_t *timer) {
                      auto *self = static_cast<Ticker *>(timer->data);
                      if (++self->ticks == 3) { /* a callback uses the driver */
                          EXPECT_EQ(plc_io_register(self->driver, -1, &self->io), EBADF);
                      }
                  },
                  1, 1000),
              0);
    uv_timer_set_repeat(&ticker.timer, 1);
    plc_driver_uv_leave(driver);
    while (ticker.ticks < 5)
        std::this_thread::yield();
    plc_driver_uv_enter(driver);
    uv_close(reinterpret_cast<uv_handle_t *>(&ticker.timer),
             [](uv_handle_t *handle) { static_cast<Ticker *>(handle->data)->is_closed = true; });
    plc_driver_uv_leave(driver);
    while (!ticker.is_closed)
        std::this_thread::yield();
    is_over = true;
    plc_driver_operations()->unpark(driver);
    worker.join();
    plc_driver_operations()->shutdown(driver);
    plc_driver_close(driver);
}
#endif

} // namespace
} // namespace plc_test
