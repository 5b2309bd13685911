/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A small runtime for stress tests: a few threads run many tasks; a task goes on on whichever thread is free. */
#ifndef PLC_TESTS_SUPPORT_EXECUTOR_H
#define PLC_TESTS_SUPPORT_EXECUTOR_H

#include <atomic>
#include <condition_variable>
#include <deque>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <plc/block_on.h>
#include <vector>

namespace plc_test {

class Executor {
  public:
    /* One that is polled until it is READY, by one thread at a time. */
    class Runnable {
      public:
        Runnable() = default;
        virtual ~Runnable() {
            EXPECT_EQ(wakers_, 0) << "a waker was neither woken nor dropped";
        }
        Runnable(const Runnable &) = delete;
        Runnable &operator=(const Runnable &) = delete;
        virtual plc_poll poll(const plc_waker_t *waker) = 0;

      private:
        friend class Executor;
        enum State { IDLE, QUEUED, RUNNING, WOKEN_WHILE_RUNNING, FINISHED };
        Executor *executor_ = nullptr;
        std::atomic<int> state_{IDLE};
        std::atomic<int> wakers_{0};
    };

    void add(std::unique_ptr<Runnable> task) {
        task->executor_ = this;
        tasks_.push_back(std::move(task));
    }
    /* To be called once all were added, before any thread works. */
    void start() {
        unfinished_ = tasks_.size();
        for (auto &task : tasks_)
            wake_task(task.get());
    }
    /* Runs tasks on the calling thread until all are finished. */
    void work() {
        while (Runnable *task = next())
            run(task);
    }

  private:
    Runnable *next() {
        std::unique_lock<std::mutex> guard(lock_);
        changed_.wait(guard, [this] { return !ready_.empty() || unfinished_ == 0; });
        if (ready_.empty())
            return nullptr;
        Runnable *task = ready_.front();
        ready_.pop_front();
        return task;
    }
    void run(Runnable *task) {
        const plc_waker_t waker = {&vtable, task};
        task->state_ = Runnable::RUNNING;
        if (task->poll(&waker) == PLC_POLL_READY) {
            task->state_ = Runnable::FINISHED;
            std::lock_guard<std::mutex> guard(lock_);
            if (--unfinished_ == 0)
                changed_.notify_all();
            return;
        }
        int running = Runnable::RUNNING;
        if (!task->state_.compare_exchange_strong(running, Runnable::IDLE)) {
            task->state_ = Runnable::QUEUED;
            push(task);
        }
    }
    void push(Runnable *task) {
        std::lock_guard<std::mutex> guard(lock_);
        ready_.push_back(task);
        changed_.notify_one();
    }
    static void wake_task(Runnable *task) {
        int state = task->state_;
        for (;;) {
            if (state == Runnable::IDLE) {
                if (task->state_.compare_exchange_weak(state, Runnable::QUEUED)) {
                    task->executor_->push(task);
                    return;
                }
            } else if (state != Runnable::RUNNING ||
                       task->state_.compare_exchange_weak(state, Runnable::WOKEN_WHILE_RUNNING)) {
                return;
            }
        }
    }
    static plc_waker_t clone(void *data) {
        ++static_cast<Runnable *>(data)->wakers_;
        return plc_waker_t{&vtable, data};
    }
    static void drop(void *data) {
        --static_cast<Runnable *>(data)->wakers_;
    }
    static void wake_by_ref(void *data) {
        wake_task(static_cast<Runnable *>(data));
    }
    static void wake(void *data) {
        wake_by_ref(data);
        drop(data);
    }
    static constexpr plc_waker_vtable vtable = {clone, wake, wake_by_ref, drop};

    std::vector<std::unique_ptr<Runnable>> tasks_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<Runnable *> ready_;
    size_t unfinished_ = 0;
};

} // namespace plc_test

#endif
