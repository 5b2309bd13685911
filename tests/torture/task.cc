/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Polling tasks, and their wakers. */
#include "task.h"

#include <cstring>

namespace torture {

namespace {

/* How deep this thread is in wakers that do things themselves. */
thread_local int depth;

class Deeper {
  public:
    Deeper() {
        ++depth;
    }
    ~Deeper() {
        --depth;
    }
    Deeper(const Deeper &) = delete;
    Deeper &operator=(const Deeper &) = delete;
    static bool is_too_deep() {
        return depth > 2;
    }
};

constexpr uint32_t alive = 0x7a5c0001;
constexpr uint32_t used_up = 0xdead7a5c;

/* The waker of a fickle task: used once, and freed. */
struct Ticket {
    Task *task;
    std::atomic<uint32_t> magic{alive};

    explicit Ticket(Task *whose) : task(whose) {}
};

} // namespace

/* The functions of both kinds of wakers; "count" is how many there are that the library, or somebody who wakes, has. */
struct TaskWaker {
    static Task *of(void *data) {
        return static_cast<Task *>(data);
    }
    static Ticket *ticket(void *data) {
        auto *const self = static_cast<Ticket *>(data);
        if (self->magic.load(std::memory_order_relaxed) != alive)
            fail("task: a waker is used that was used up");
        return self;
    }
    static void count(Task *task, int change) {
        if (task->wakers_.fetch_add(change, std::memory_order_acq_rel) + change < 0)
            fail("task %zu: more wakers were used up than there were", task->index_);
    }
    static void meddle(Task *task) {
        if (task->habit_ != Habit::meddling || Deeper::is_too_deep())
            return;
        const Deeper deeper;
        task->meddle(task->index_);
    }
    static void wake_now(Task *task) {
        meddle(task);
        if (task->habit_ == Habit::eager)
            task->wake_eagerly();
        else
            task->wake();
    }

    /* ---- Plain wakers: all of a task's are the same */

    static plc_waker_t clone(void *data) {
        count(of(data), 1);
        meddle(of(data));
        return plc_waker_t{&plain, data};
    }
    static void wake_by_ref(void *data) {
        wake_now(of(data));
    }
    static void wake(void *data) {
        count(of(data), -1); /* before the task can learn of it */
        wake_now(of(data));
    }
    static void drop(void *data) {
        meddle(of(data));
        count(of(data), -1);
    }

    /* ---- Tickets */

    static plc_waker_t new_ticket(Task *task) {
        count(task, 1);
        return plc_waker_t{&ticketed, new Ticket(task)};
    }
    static Task *use_up(void *data) {
        Ticket *const self = ticket(data);
        Task *const task = self->task;
        if (self->magic.exchange(used_up, std::memory_order_relaxed) != alive)
            fail("task %zu: a waker was used up twice", task->index_);
        delete self;
        count(task, -1);
        return task;
    }
    static plc_waker_t clone_ticket(void *data) {
        return new_ticket(ticket(data)->task);
    }
    static void wake_ticket_by_ref(void *data) {
        ticket(data)->task->wake();
    }
    static void wake_ticket(void *data) {
        use_up(data)->wake();
    }
    static void drop_ticket(void *data) {
        use_up(data);
    }

    static constexpr plc_waker_vtable plain = {clone, wake, wake_by_ref, drop};
    static constexpr plc_waker_vtable ticketed = {clone_ticket, wake_ticket, wake_ticket_by_ref, drop_ticket};
};

void Task::wake() {
    int state = state_.load(std::memory_order_relaxed);
    while (state == asleep || state == running) {
        if (state_.compare_exchange_weak(state, state == asleep ? due : woken_while_running, std::memory_order_relaxed))
            return;
    }
}

void Task::wake_eagerly() {
    wake();
    if (Deeper::is_too_deep())
        return;
    const Deeper deeper;
    run();
}

bool Task::claim(int from) {
    return state_.load(std::memory_order_relaxed) == from &&
           state_.compare_exchange_strong(from, running, std::memory_order_acquire, std::memory_order_relaxed);
}

bool Task::run() {
    if (!claim(due))
        return false;
    const bool fickle = habit_ == Habit::fickle;
    plc_waker_t waker = fickle ? TaskWaker::new_ticket(this) : plc_waker_t{&TaskWaker::plain, this};
    const Outcome outcome = poll(&waker);
    if (fickle)
        plc_waker_drop(&waker);
    int now = running;
    if (outcome == Outcome::leaked)
        state_.store(leaked, std::memory_order_release);
    else if (outcome == Outcome::goes_on ||
             !state_.compare_exchange_strong(now, asleep, std::memory_order_release, std::memory_order_relaxed))
        state_.store(due, std::memory_order_release);
    return true;
}

bool Task::run_at_random() {
    if (habit_ == Habit::restless)
        wake();
    return run();
}

bool Task::recover() {
    if (!claim(leaked))
        return false;
    plc_async_cancel(waiter());
    cancelled();
    state_.store(due, std::memory_order_release);
    return true;
}

void Task::in_child() {
    if (claim(due) || claim(asleep) || claim(leaked))
        plc_async_cancel(waiter());
}

void Task::renew_waiter() {
    std::memset(static_cast<void *>(waiter()), 0xa5, sizeof *waiter());
    std::atomic_signal_fence(std::memory_order_seq_cst);
    waiter_ = std::make_unique<plc_async_waiter_t>();
}

void Task::check_idle() const {
    if (wakers_.load(std::memory_order_acquire) != 0)
        fail("task %zu: %d wakers were neither woken nor dropped", index_, wakers_.load());
}

} // namespace torture
