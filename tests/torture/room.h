/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A room: threads and tasks use the same locks there. From time to time it is closed: then every task must come to its end
   by the wakes that it gets, and the locks make way for new ones. */
#ifndef PLC_TESTS_TORTURE_ROOM_H
#define PLC_TESTS_TORTURE_ROOM_H

#include <algorithm>
#include <vector>

#include "doors.h"
#include "part.h"
#include "task.h"

namespace torture {

/* One that is about a room's locks. */
class Guest : public Task {
  public:
    /* Waits for nothing and has nothing: it may be left as it is. */
    virtual bool is_idle() const = 0;
};

class Room {
  public:
    Room() = default;
    virtual ~Room() = default;
    Room(const Room &) = delete;
    Room &operator=(const Room &) = delete;

    void operate(Worker &worker, Random &random);
    /* Sees to it that whoever sleeps here wakes up, but wakes nobody who is to be woken by the library. */
    void serve(Worker &worker);
    /* Nobody else is here. */
    void close_down();
    void in_child();

    bool is_closed() const {
        return doors_.is_closed();
    }
    /* A thread is about to sleep for a lock that it must get as soon as nothing keeps it out, and has got it. */
    void thread_sleeps() {
        sleeping_threads_.fetch_add(1, std::memory_order_relaxed);
    }
    void thread_woke() {
        sleeping_threads_.fetch_sub(1, std::memory_order_relaxed);
    }

  protected:
    template <typename Type, typename... Arguments>
    void add_guests(size_t count, size_t first_index, Arguments &...arguments) {
        for (size_t i = 0; i < count; ++i) {
            guests_.push_back(std::make_unique<Type>(arguments...));
            guests_.back()->set_up(first_index + i);
        }
    }
    /* Something that a thread does with the locks. */
    virtual void use(Worker &worker, Random &random) = 0;
    /* Lets threads go on that sleep for something else than a lock, unless their wake is due already. */
    virtual void serve_threads(Worker &) {}
    /* Does anything keep threads that sleep for a lock asleep? */
    virtual bool is_locked() const = 0;
    /* With all woken guests polled: nobody sleeps who should not, and who waits for others is let go. */
    virtual void check_and_release() {}
    /* All guests are idle: the locks must be free. New ones take their place. */
    virtual void renew() = 0;

    template <typename Condition>
    size_t count_guests(Condition condition) const {
        return static_cast<size_t>(
            std::count_if(guests_.begin(), guests_.end(), [&](const auto &guest) { return condition(*guest); }));
    }

  private:
    void help(Worker &worker, Random &random);
    void leave(Worker &worker);
    void run_all();

    Doors doors_;
    std::atomic<size_t> sleeping_threads_{0};
    std::vector<std::unique_ptr<Guest>> guests_;
};

/* The part that consists of rooms of one type. */
template <typename Type>
class Rooms final : public Part {
  public:
    Rooms(size_t count, size_t first_index) {
        for (size_t i = 0; i < count; ++i)
            rooms_.push_back(std::make_unique<Type>(i, first_index + i * 100));
    }
    void operate(Worker &worker, Random &random) override {
        rooms_[random.below(rooms_.size())]->operate(worker, random);
    }
    void serve(Worker &worker) override {
        for (auto &room : rooms_)
            room->serve(worker);
    }
    void check() override {
        for (auto &room : rooms_)
            room->close_down();
    }
    void in_child() override {
        for (auto &room : rooms_)
            room->in_child();
    }

  private:
    std::vector<std::unique_ptr<Type>> rooms_;
};

} // namespace torture

#endif
