/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Crews: threads sit down at parkers that share a driver, and wait for letters, for descriptors and for time; somebody shuts
   the driver down at any moment, and another one takes its place. */
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <plc/driver.h>
#include <unistd.h>
#include <vector>

#include "doors.h"
#include "part.h"

namespace torture {

namespace {

/* A real driver, and whether it is used as was promised: by one at a time, shut down once, and not used after. */
class Watched {
  public:
    explicit Watched(bool polls) {
        const int error = polls ? plc_driver_open_poll(&driver_) : plc_driver_open_epoll(&driver_);
        /* Where there is no epoll, poll will do. */
        if (error != 0 && plc_driver_open_poll(&driver_) != 0)
            fail("driver: it cannot be opened: error %d", error);
    }
    ~Watched() {
        if (shutdowns_ != 1 || is_inside_)
            fail("driver %p: shut down %d times", static_cast<void *>(driver_), shutdowns_.load());
        plc_driver_close(driver_);
    }
    Watched(const Watched &) = delete;
    Watched &operator=(const Watched &) = delete;

    static const plc_driver_ops *ops() {
        static const plc_driver_ops table = {
            [](void *self, plc_deadline_t deadline) { return static_cast<Watched *>(self)->park_until(deadline); },
            [](void *self) { plc_driver_operations()->unpark(static_cast<Watched *>(self)->driver_); },
            [](void *self) { static_cast<Watched *>(self)->shut_down(); }};
        return &table;
    }
    plc_driver_t *driver() {
        return driver_;
    }

  private:
    int park_until(plc_deadline_t deadline) {
        if (is_inside_.exchange(true, std::memory_order_relaxed))
            fail("driver %p: two threads run it", static_cast<void *>(driver_));
        if (shutdowns_.load(std::memory_order_relaxed) != 0)
            fail("driver %p: run after its shutdown", static_cast<void *>(driver_));
        ++runs_; /* plain: runs are ordered */
        const int error = plc_driver_operations()->park_until(driver_, deadline);
        is_inside_.store(false, std::memory_order_relaxed);
        return error;
    }
    void shut_down() {
        if (is_inside_.load(std::memory_order_relaxed))
            fail("driver %p: shut down while a thread runs it", static_cast<void *>(driver_));
        shutdowns_.fetch_add(1, std::memory_order_relaxed);
        plc_driver_operations()->shutdown(driver_);
    }

    plc_driver_t *driver_ = nullptr;
    std::atomic<bool> is_inside_{false};
    std::atomic<int> shutdowns_{0};
    size_t runs_ = 0;
};

/* A place at a parker, for one thread at a time; a letter and a byte may be waiting there for whoever sits down. */
class Seat {
  public:
    void open(plc_driver_t *driver) {
        if (pipe2(ends_, O_NONBLOCK | O_CLOEXEC) != 0)
            fail("no pipe: errno %d", errno);
        const int error = plc_io_register(driver, ends_[0], &io_);
        if (error != 0)
            fail("driver: a pipe cannot be watched: error %d", error);
        has_letter_.store(false, std::memory_order_relaxed);
        has_byte_.store(false, std::memory_order_relaxed);
    }
    void close() {
        plc_io_deregister(io_);
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    bool sit_down() {
        return !is_taken_.exchange(true, std::memory_order_acquire);
    }
    void get_up() {
        is_taken_.store(false, std::memory_order_release);
    }
    /* One letter at a time, and one wake for it: one that is lost is not made good. */
    void post(plc_driver_parker_t *parker) {
        if (!has_letter_.exchange(true, std::memory_order_release))
            plc_driver_parker_unpark(parker);
    }
    bool take_letter() {
        return has_letter_.exchange(false, std::memory_order_acquire);
    }
    void ring() {
        if (!has_byte_.exchange(true, std::memory_order_relaxed) && write(ends_[1], "", 1) != 1)
            fail("a pipe takes no byte: errno %d", errno);
    }
    /* Reads the byte, or has the parker's owner woken when it comes. */
    bool read_byte(const plc_waker_t *waker) {
        do {
            char byte;
            plc_io_begin(io_, PLC_IO_READABLE);
            const ssize_t count = read(ends_[0], &byte, 1);
            if (count == 1) {
                has_byte_.store(false, std::memory_order_relaxed);
                return true;
            }
            if (count != -1 || (errno != EAGAIN && errno != EINTR))
                fail("a pipe cannot be read: errno %d", errno);
        } while (plc_io_poll(io_, PLC_IO_READABLE, waker) == PLC_IO_READABLE);
        return false;
    }
    /* Is there something for whoever sits here, or who will? */
    bool is_due() const {
        return has_letter_.load(std::memory_order_relaxed) || has_byte_.load(std::memory_order_relaxed);
    }
    void sleeps(bool asleep) {
        is_asleep_.store(asleep, std::memory_order_relaxed);
    }
    bool is_asleep() const {
        return is_asleep_.load(std::memory_order_relaxed);
    }

  private:
    int ends_[2] = {-1, -1};
    plc_io_t *io_ = nullptr;
    std::atomic<bool> is_taken_{false};
    std::atomic<bool> is_asleep_{false};
    std::atomic<bool> has_letter_{false};
    std::atomic<bool> has_byte_{false};
};

class Crew {
  public:
    explicit Crew(bool polls) : polls_(polls) {
        open();
    }
    ~Crew() {
        plc_shared_driver_shutdown(&shared_);
        close();
    }
    Crew(const Crew &) = delete;
    Crew &operator=(const Crew &) = delete;

    void operate(Worker &worker, Random &random) {
        if (!doors_.enter())
            return;
        const size_t i = random.below(seat_count);
        worker.at("driver: post", this);
        if (random.one_in(100))
            shut_down();
        else if (random.one_in(4))
            seats_[i].post(&parkers_[i]);
        else if (random.one_in(3))
            seats_[i].ring();
        else if (seats_[i].sit_down())
            sit(worker, random, i);
        leave(worker);
    }
    void serve(Worker &worker) {
        if (!doors_.enter())
            return;
        worker.at("driver: serve", this);
        /* A byte is enough, for one of those who sleep has to run the driver. */
        for (size_t i = 0; i < seat_count; ++i) {
            if (seats_[i].is_asleep() && !seats_[i].is_due())
                i % 2 ? seats_[i].ring() : seats_[i].post(&parkers_[i]);
        }
        leave(worker);
    }

  private:
    static constexpr size_t seat_count = 4;

    void open() {
        watched_ = std::make_unique<Watched>(polls_);
        plc_shared_driver_init(&shared_, Watched::ops(), watched_.get(), parkers_.data(), seat_count);
        for (Seat &seat : seats_)
            seat.open(watched_->driver());
    }
    void close() {
        if (shared_.state != 2) /* shut down; nobody has the driver, nobody sleeps */
            fail("driver: left with state %#x", shared_.state);
        for (Seat &seat : seats_)
            seat.close();
        watched_.reset();
    }
    void shut_down() {
        doors_.close();
        plc_shared_driver_shutdown(&shared_);
    }
    void leave(Worker &worker) {
        if (!doors_.leave())
            return;
        worker.at("driver: close down", this);
        close();
        open();
        doors_.reopen();
    }

    static plc_waker_t waker_of(plc_driver_parker_t *parker) {
        static const plc_waker_vtable vtable = {
            [](void *data) { return waker_of(static_cast<plc_driver_parker_t *>(data)); },
            [](void *data) { plc_driver_parker_unpark(static_cast<plc_driver_parker_t *>(data)); },
            [](void *data) { plc_driver_parker_unpark(static_cast<plc_driver_parker_t *>(data)); }, [](void *) {}};
        return {&vtable, parker};
    }
    void sit(Worker &worker, Random &random, size_t i) {
        const bool sleeps = random.one_in(3) && worker.sleepers().may_sleep();
        /* A timer ends a wait without a deadline: somebody has to run the driver for that. */
        const bool has_timer = !sleeps && random.one_in(2);
        plc_timer_t timer = PLC_TIMER_INIT;
        if (has_timer)
            plc_timer_start(watched_->driver(), &timer, soon(random), waker_of(&parkers_[i]));
        worker.at(sleeps      ? "driver: park"
                  : has_timer ? "driver: park until the timer fires"
                              : "driver: park for a while",
                  &parkers_[i]);
        seats_[i].sleeps(sleeps);
        wait(random, i, sleeps || has_timer ? far(random) : soon(random), sleeps || has_timer,
             has_timer ? &timer : nullptr);
        seats_[i].sleeps(false);
        if (has_timer)
            plc_timer_cancel(&timer);
        if (sleeps)
            worker.sleepers().woke();
        seats_[i].get_up();
    }
    void wait(Random &random, size_t i, plc_deadline_t deadline, bool is_far, const plc_timer_t *timer) {
        const plc_waker_t waker = waker_of(&parkers_[i]);
        while (!seats_[i].take_letter() && !seats_[i].read_byte(&waker) && !(timer && plc_timer_has_fired(timer))) {
            const bool polls = random.one_in(8);
            const plc_driver_park_result result =
                polls ? plc_driver_parker_poll(&parkers_[i]) : plc_driver_parker_park_until(&parkers_[i], deadline);
            if (result.status == PLC_DRIVER_PARK_FAILED)
                fail("driver %p: error %d", static_cast<void *>(watched_->driver()), result.error);
            if (result.status == PLC_DRIVER_PARK_SHUT_DOWN) {
                if (!doors_.is_closed())
                    fail("driver %p: shut down by nobody", static_cast<void *>(watched_->driver()));
                return;
            }
            if (result.status == PLC_DRIVER_PARK_TIMED_OUT && !polls) {
                if (is_far)
                    fail("driver: a park on %p timed out long before its deadline", static_cast<void *>(&parkers_[i]));
                check_time_out(deadline, "a park", &parkers_[i]);
                return;
            }
        }
    }

    const bool polls_;
    Doors doors_;
    std::unique_ptr<Watched> watched_;
    plc_shared_driver_t shared_ = {};
    std::array<plc_driver_parker_t, seat_count> parkers_ = {};
    std::array<Seat, seat_count> seats_;
};

class Crews final : public Part {
  public:
    Crews() : crews_{Crew(false), Crew(true)} {}

    void operate(Worker &worker, Random &random) override {
        crews_[random.below(2)].operate(worker, random);
    }
    void serve(Worker &worker) override {
        for (Crew &crew : crews_)
            crew.serve(worker);
    }

  private:
    Crew crews_[2];
};

} // namespace

std::unique_ptr<Part> make_crews(const Configuration &) {
    return std::make_unique<Crews>();
}

} // namespace torture
