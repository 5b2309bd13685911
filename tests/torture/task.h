/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tasks: polled by whichever thread comes by, woken in every way that is permitted, and leaked now and then. */
#ifndef PLC_TESTS_TORTURE_TASK_H
#define PLC_TESTS_TORTURE_TASK_H

#include <atomic>
#include <plc/async.h>

#include "part.h"

namespace torture {

/* What is unusual about a task and its wakers; all of it is permitted. */
enum class Habit {
    none,
    fickle,   /* every waker is a thing of its own, so that no two wake the same */
    eager,    /* who wakes it polls it, in the middle of whatever it was doing */
    meddling, /* its wakers use locks, the very lock included that the task waits for */
    restless, /* it is polled when nobody has woken it, too */
};

/* What a task's poll says. */
enum class Outcome {
    pending, /* its waker will be woken */
    leaked,  /* the same, and from now on nobody polls it */
    goes_on, /* has waited for nothing, and is to be polled again */
};

/* Who woke it, and who has polled it, is seen to here; what it does, and waits for, is its heirs' business. */
class Task {
  public:
    Task() = default;
    virtual ~Task() = default;
    Task(const Task &) = delete;
    Task &operator=(const Task &) = delete;

    void set_up(size_t index) {
        index_ = index;
        habit_ = static_cast<Habit>(index % 5);
        random_ = Random(index);
    }
    /* Distinct from the threads' indices. */
    size_t index() const {
        return index_;
    }
    /* Polls it, if that is due and nobody else is at it; returns whether. */
    bool run();
    /* As run, but a restless one even if nobody has woken it. */
    bool run_at_random();
    /* If it was leaked, cancels what it waits for, and has it polled again. */
    bool recover();
    /* In the child of a fork: what it waited for is cancelled, if nobody was at it. */
    void in_child();

    /* ---- By who has all tasks alone */

    bool is_due() const {
        return state_.load(std::memory_order_relaxed) == due;
    }
    /* It waits for nothing: no waker of it may be left. */
    void check_idle() const;

  protected:
    /* Goes on as far as it can. */
    virtual Outcome poll(const plc_waker_t *waker) = 0;
    /* Its wait was cancelled. */
    virtual void cancelled() = 0;
    /* A short use of the lock that the task is about, which must not block. */
    virtual void meddle(size_t who) = 0;

    /* A node of its own for each wait: the last one's memory is gone, and whoever still touches it is found out. */
    void renew_waiter();
    plc_async_waiter_t *waiter() {
        return waiter_.get();
    }
    Random random_{0};

  private:
    friend struct TaskWaker;
    enum State { due, asleep, running, woken_while_running, leaked };

    bool claim(int from);
    void wake();
    void wake_eagerly();

    std::unique_ptr<plc_async_waiter_t> waiter_ = std::make_unique<plc_async_waiter_t>();
    size_t index_ = 0;
    Habit habit_ = Habit::none;
    std::atomic<int> state_{due};
    std::atomic<int> wakers_{0};
};

} // namespace torture

#endif
