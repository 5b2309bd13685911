/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The drivers, and what the tests of all of them share. */
#ifndef PLC_TESTS_SUPPORT_DRIVERS_H
#define PLC_TESTS_SUPPORT_DRIVERS_H

#include <plc/driver.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#ifdef PLC_TEST_UV
#include <plc/driver_uv.h>
#include <uv.h>
#endif

namespace plc_test {

constexpr plc_deadline_t long_past = {0, PLC_CLOCK_MONOTONIC};

/* ---- The drivers */

class Kind {
  public:
    virtual ~Kind() = default;
    virtual int open(plc_driver_t **driver) = 0;
    virtual bool refuses_files() const {
        return true;
    }
};

class Epoll final : public Kind {
    int open(plc_driver_t **driver) override {
        return plc_driver_open_epoll(driver);
    }
};

#ifdef __linux__
/* src/driver/epoll.c as tests/unit/CMakeLists.txt compiles it. */
extern "C" int plc_test_open_epoll_that_looks(plc_driver_t **driver);

class EpollThatLooks final : public Kind {
    int open(plc_driver_t **driver) override {
        return plc_test_open_epoll_that_looks(driver);
    }
};
#endif

class Poll final : public Kind {
    int open(plc_driver_t **driver) override {
        return plc_driver_open_poll(driver);
    }
    bool refuses_files() const override {
        return false;
    }
};

#ifdef PLC_TEST_UV
class Uv final : public Kind {
  public:
    Uv() {
        EXPECT_EQ(uv_loop_init(&loop_), 0);
    }
    ~Uv() override {
        EXPECT_EQ(uv_loop_close(&loop_), 0) << "nothing is left in the loop";
    }
    int open(plc_driver_t **driver) override {
        return plc_driver_open_uv(driver, &loop_);
    }
    uv_loop_t *loop() {
        return &loop_;
    }

  private:
    uv_loop_t loop_;
};
#endif

template <typename Type>
inline std::unique_ptr<Kind> make() {
    return std::make_unique<Type>();
}

struct Named {
    const char *name;
    std::unique_ptr<Kind> (*make)();
};

inline void PrintTo(const Named &named, std::ostream *out) {
    *out << named.name;
}

const Named kinds[] = {
#ifdef __linux__
    {"epoll", make<Epoll>},
    {"epoll_that_looks", make<EpollThatLooks>},
#endif
    {"poll", make<Poll>},
#ifdef PLC_TEST_UV
    {"uv", make<Uv>},
#endif
};

/* ---- Helpers */

/* A waker that counts its wakes and its references. */
struct Bell {
    std::atomic<int> rung{0}, references{0};

    plc_waker_t waker() {
        static const plc_waker_vtable vtable = {[](void *data) { return static_cast<Bell *>(data)->waker(); },
                                                [](void *data) {
                                                    ++static_cast<Bell *>(data)->rung;
                                                    --static_cast<Bell *>(data)->references;
                                                },
                                                [](void *data) { ++static_cast<Bell *>(data)->rung; },
                                                [](void *data) { --static_cast<Bell *>(data)->references; }};
        ++references;
        return {&vtable, this};
    }
    bool is_rung() const {
        return rung.load() != 0;
    }
};

/* Two ends of a connection that do not block; closed at the end. */
struct Pair {
    explicit Pair(int type = SOCK_STREAM) {
        EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends), 0);
    }
    ~Pair() {
        close_end(0);
        close_end(1);
    }
    void close_end(int end) {
        if (ends[end] != -1)
            close(ends[end]);
        ends[end] = -1;
    }
    void send(int end, const std::string &text) const {
        EXPECT_EQ(write(ends[end], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    /* "" for the end, "?" if it would block. */
    std::string receive(int end) const {
        char bytes[64];
        ssize_t count = read(ends[end], bytes, sizeof bytes);
        return count < 0 ? std::string("?") : std::string(bytes, static_cast<size_t>(count));
    }
    size_t fill(int end) const {
        const std::string block(4096, 'x');
        size_t sent = 0;
        for (ssize_t n; (n = write(ends[end], block.data(), block.size())) > 0;)
            sent += static_cast<size_t>(n);
        EXPECT_EQ(errno, EAGAIN);
        return sent;
    }
    void drain(int end) const {
        char bytes[4096];
        while (read(ends[end], bytes, sizeof bytes) > 0) {
        }
    }
    int ends[2] = {-1, -1};
};

class Driver : public testing::TestWithParam<Named> {
  protected:
    void SetUp() override {
        kind_ = GetParam().make();
        ASSERT_EQ(kind_->open(&driver_), 0);
    }
    void TearDown() override {
        if (worker_.joinable())
            stop_worker();
        if (!is_shut_)
            shut_down();
        for (plc_io_t *io : ios_)
            plc_io_deregister(io);
        plc_driver_close(driver_);
        EXPECT_EQ(bell_.references + other_bell_.references, 0) << "no waker is left";
    }
    plc_io_t *add(int fd) {
        plc_io_t *io = nullptr;
        EXPECT_EQ(plc_io_register(driver_, fd, &io), 0);
        ios_.push_back(io);
        return io;
    }
    void remove(plc_io_t *io) {
        ios_.erase(std::find(ios_.begin(), ios_.end(), io));
        plc_io_deregister(io);
    }
    int park(plc_deadline_t deadline = PLC_NO_DEADLINE) {
        errno = 123;
        int error = plc_driver_operations()->park_until(driver_, deadline);
        EXPECT_EQ(errno, 123);
        return error;
    }
    void unpark() {
        plc_driver_operations()->unpark(driver_);
    }
    void shut_down() {
        is_shut_ = true;
        plc_driver_operations()->shutdown(driver_);
    }
    /* Runs the driver until then; a driver may return for no reason. */
    template <typename Condition>
    void drive_until(Condition condition) {
        while (!condition())
            ASSERT_EQ(park(), 0);
    }
    void look() {
        for (int i = 0; i < 3; ++i) /* the loop of libuv needs one to hear of what it is to watch */
            ASSERT_EQ(park(long_past), 0);
    }
    unsigned wait_for(plc_io_t *io, unsigned interest, Bell &bell) {
        plc_waker_t waker = bell.waker();
        unsigned found = plc_io_poll(io, interest, &waker);
        plc_waker_drop(&waker);
        return found;
    }
    /* Has another thread run the driver, mostly waiting without a deadline. */
    void start_worker() {
        worker_ = std::thread([this] {
            while (!worker_is_over_)
                EXPECT_EQ(plc_driver_operations()->park_until(driver_, PLC_NO_DEADLINE), 0);
        });
    }
    void stop_worker() {
        worker_is_over_ = true;
        unpark();
        worker_.join();
    }
    static void wait_until_rung(const Bell &bell) {
        while (!bell.is_rung())
            std::this_thread::yield();
    }

    std::unique_ptr<Kind> kind_;
    plc_driver_t *driver_ = nullptr;
    Bell bell_, other_bell_;
    std::vector<plc_io_t *> ios_;
    bool is_shut_ = false;
    std::atomic<bool> worker_is_over_{false};
    std::thread worker_;
};

} // namespace plc_test

#endif
