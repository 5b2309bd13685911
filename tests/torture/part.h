/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of libplc's world: each has objects of one kind, operates on them and checks them. */
#ifndef PLC_TESTS_TORTURE_PART_H
#define PLC_TESTS_TORTURE_PART_H

#include <cstdint>
#include <memory>
#include <plc/deadline.h>

#include "worker.h"

namespace torture {

class Part {
  public:
    virtual ~Part() = default;
    /* One random operation. It ends by itself, or sleeps with the leave of Sleepers until serve() helps. */
    virtual void operate(Worker &worker, Random &random) = 0;
    virtual void serve(Worker &) {}
    /* When all threads have ended. */
    virtual void check() {}
    /* In the child of a fork, where the other threads are gone; whatever they held is held for ever. */
    virtual void in_child() {}
};

std::unique_ptr<Part> make_mutexes(const Configuration &configuration);
std::unique_ptr<Part> make_rwlocks(const Configuration &configuration);
std::unique_ptr<Part> make_scalables(const Configuration &configuration);
std::unique_ptr<Part> make_channels(const Configuration &configuration);
std::unique_ptr<Part> make_letter_boxes(const Configuration &configuration);
std::unique_ptr<Part> make_onces(const Configuration &configuration);
std::unique_ptr<Part> make_lot(const Configuration &configuration);
std::unique_ptr<Part> make_semaphores(const Configuration &configuration);
std::unique_ptr<Part> make_disposables(const Configuration &configuration);
std::unique_ptr<Part> make_task_channels(const Configuration &configuration);
std::unique_ptr<Part> make_task_rwlocks(const Configuration &configuration);
std::unique_ptr<Part> make_parkers(const Configuration &configuration);
std::unique_ptr<Part> make_gates(const Configuration &configuration);
std::unique_ptr<Part> make_crews(const Configuration &configuration);

/* A deadline that is past, or will be soon: long past, at the clock's beginning, now, or within a millisecond; on either
   clock. */
plc_deadline_t soon(Random &random);

/* A deadline that will not come during the test, or never. */
plc_deadline_t far(Random &random);

/* Fails if a wait ended by time before its time. */
void check_time_out(plc_deadline_t deadline, const char *what, const void *object);

/* Data that one lock guards: two numbers that are equal whenever nobody is inside, and who is inside. */
class Guarded {
  public:
    static constexpr size_t nobody = SIZE_MAX;

    void enter(size_t worker, const void *object) {
        if (owner_ != nobody)
            fail("exclusion: thread %zu is in the section of %p together with thread %zu", worker, object, owner_);
        owner_ = worker;
        if (first_ != second_)
            fail("guarded data of %p: %llu is not %llu", object, static_cast<unsigned long long>(first_),
                 static_cast<unsigned long long>(second_));
        ++first_;
    }
    void leave(size_t worker, const void *object) {
        if (owner_ != worker)
            fail("exclusion: thread %zu was in the section of %p together with thread %zu", owner_, object, worker);
        owner_ = nobody;
        ++second_;
        sections_.fetch_add(1, std::memory_order_relaxed);
    }
    void read(const void *object) const {
        if (owner_ != nobody || first_ != second_)
            fail("a reader of %p sees a writer inside", object);
    }
    /* How often somebody was inside: unchanged as long as nobody else can have been. */
    uint64_t version() const {
        return second_;
    }
    void check(const void *object) const {
        read(object);
        if (first_ != sections_.load(std::memory_order_relaxed))
            fail("guarded data of %p: %llu sections left only %llu", object,
                 static_cast<unsigned long long>(sections_.load()), static_cast<unsigned long long>(first_));
    }

  private:
    uint64_t first_ = 0;
    uint64_t second_ = 0;
    size_t owner_ = nobody;
    std::atomic<uint64_t> sections_{0};
};

} // namespace torture

#endif
