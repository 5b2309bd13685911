/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A mutex and a condition variable, for tasks, and for threads that want the mutex.
 *
 * Specification: a poll gets a mutex exactly if it is free, and not reserved for another task that was beaten for long;
 * then it is woken to come again until it gets it. Threads have theirs as if there were no task. Whenever the mutex is
 * free at rest the task that waits longest has been woken. A task is woken once for each poll that was pending, at most.
 * Notifications go to the tasks that wait, in order; one that gives up passes on what it was given, be it a
 * notification or the mutex's wake. */
#include <algorithm>
#include <deque>
#include <plc/async.h>
#include <vector>

#include "polled.h"
#include "support/lot_probe.h"

namespace fuzz {

namespace {

enum Use { locks, waits, was_notified, locks_again };

class TaskSubject final : public Subject {
  public:
    void operate(Bytes &bytes) override {
        Polled &task = tasks_[bytes.below(task_count)];
        const size_t choice = bytes.below(12);
        switch (choice) {
        case 0:
        case 1:
        case 2:
            poll(task, bytes.below(4) == 0);
            break;
        case 3:
            cancel(task);
            break;
        case 4:
            wait(task);
            break;
        case 5:
            notify(bytes.flag());
            break;
        case 6:
            lock_by_thread();
            break;
        case 7:
            try_lock();
            break;
        default:
            unlock(bytes.below(4) == 0);
        }
        settle();
    }
    bool unwind() override {
        for (Polled &task : tasks_) {
            if (task.is_pending) {
                cancel(task);
                settle();
                return true;
            }
        }
        const bool was_locked = is_locked_;
        unlock(false);
        settle();
        return was_locked;
    }
    void check_end() override {
        expect("a mutex that nobody needs: state", mutex_.state, 0);
        expect("a condvar that nobody needs: state", condvar_.state != 0, 0);
    }

  private:
    static constexpr size_t task_count = 6;

    size_t index_of(const Polled &task) const {
        return static_cast<size_t>(&task - tasks_);
    }
    static bool is_for_mutex(const Polled &task) {
        return task.is_pending && (task.use == locks || task.use == locks_again);
    }

    /* ---- Operations of tasks */

    void poll(Polled &task, bool with_other_waker) {
        const bool for_condvar = task.is_pending && task.use != locks;
        const bool ready = !is_locked_ && !(task.is_pending && task.use == waits);
        note("task %zu: poll for %s", index_of(task), for_condvar ? "the condvar" : "the mutex");
        task.changes = task.changes != with_other_waker;
        const plc_waker_t waker = task.waker();
        plc_poll result;
        do { /* again while a free mutex is reserved for another task, which says so by a wake */
            task.forget_wakes();
            result = for_condvar ? plc_condvar_wait_async(&condvar_, &mutex_, &task.waiter, &waker)
                                 : plc_mutex_lock_async(&mutex_, &task.waiter, &waker);
        } while (ready && result == PLC_POLL_PENDING && is_reserved() && task.was_woken());
        expect("a poll", result == PLC_POLL_READY, ready);
        if (task.is_pending && task.use == was_notified) {
            task.use = locks_again; /* in the mutex's queue it is a newcomer */
            task.since = now();
        } else if (!task.is_pending) {
            task.use = locks;
        }
        task.polled(result, now());
        if (ready)
            gain(true);
    }
    bool is_reserved() const {
        return (plc_load_relaxed(&mutex_.state) & PLC_MUTEX_CLAIMED_) != 0;
    }
    /* The task that has the mutex lets go of it, and this one waits, which is the same for the library. */
    void wait(Polled &task) {
        if (!is_locked_ || !by_task_ || task.is_pending)
            return;
        note("task %zu: wait on the condvar", index_of(task));
        const plc_waker_t waker = task.waker();
        is_locked_ = false;
        task.forget_wakes();
        task.use = waits;
        task.polled(plc_condvar_wait_async(&condvar_, &mutex_, &task.waiter, &waker), now());
        expect("the first poll of a wait is pending", task.is_pending, true);
        waiting_.push_back(&task);
    }
    void cancel(Polled &task) {
        if (!task.is_pending)
            return;
        note("task %zu: cancel", index_of(task));
        const bool had_notification = task.use == was_notified || task.use == locks_again;
        const auto found = std::find(waiting_.begin(), waiting_.end(), &task);
        if (found != waiting_.end())
            waiting_.erase(found);
        task.cancel();
        if (had_notification && !waiting_.empty())
            is_told_first();
    }

    /* ---- Notifications */

    void is_told_first() {
        Polled *const task = waiting_.front();
        waiting_.pop_front();
        task->use = was_notified;
        expect("wakes of a task that was notified", task->wakes.load(), 1);
    }
    void notify(bool all) {
        note(all ? "condvar: notify_all" : "condvar: notify_one");
        const size_t expected = all ? waiting_.size() : std::min(waiting_.size(), size_t{1});
        const size_t notified =
            all ? plc_condvar_notify_all(&condvar_) : static_cast<size_t>(plc_condvar_notify_one(&condvar_));
        expect("notified", static_cast<long>(notified), static_cast<long>(expected));
        for (size_t i = 0; i < expected; ++i)
            is_told_first();
    }

    /* ---- Operations of threads */

    void lock_by_thread() {
        if (!is_locked_) {
            note("thread: lock");
            plc_mutex_lock(&mutex_);
            gain(false);
            return;
        }
        Actor *const actor = idle_actor();
        if (!actor)
            return;
        note("thread: lock, waits");
        threads_.push_back({actor, 0, now()});
        actor->start([this] { plc_mutex_lock(&mutex_); });
    }
    void try_lock() {
        note("thread: try_lock");
        const bool expected = !is_locked_;
        expect("try_lock", plc_mutex_try_lock(&mutex_), expected);
        if (expected)
            gain(false);
    }
    void unlock(bool fair) {
        if (!is_locked_)
            return;
        note(by_task_ ? "unlock_async" : fair ? "unlock_fair" : "unlock");
        is_locked_ = false;
        if (by_task_)
            plc_mutex_unlock_async(&mutex_);
        else
            fair ? plc_mutex_unlock_fair(&mutex_) : plc_mutex_unlock(&mutex_);
    }
    void gain(bool by_task) {
        is_locked_ = true;
        by_task_ = by_task;
    }

    /* ---- Rest */

    void settle() {
        wait_until("task mutex", [this] { return is_at_rest(); });
        expect("a condvar's state tells whether somebody waits", condvar_.state != 0, !waiting_.empty());
        const Polled *first = nullptr;
        bool any_sleeps = false;
        for (const Polled &task : tasks_) {
            task.check();
            if (!is_for_mutex(task))
                continue;
            any_sleeps = any_sleeps || !task.was_woken();
            if (!first || task.since < first->since)
                first = &task;
        }
        if (first && !is_locked_ && !first->was_woken())
            mismatch("task %zu sleeps beside a free mutex", index_of(*first));
        if (threads_.empty())
            expect("a mutex's state tells whether a task sleeps", (mutex_.state & PLC_MUTEX_PARKED_) != 0, any_sleeps);
        for (const Polled *task : waiting_)
            expect("wakes of a task that nobody notified", task->wakes.load(), 0);
    }
    bool is_at_rest() {
        collect();
        if (!is_locked_ && !threads_.empty())
            return false;
        return plc_mutex_is_locked(&mutex_) == is_locked_ &&
               plc_test::parked_count(&mutex_, PLC_WAITER_MUTEX) == threads_.size();
    }
    /* The thread that has the mutex by now. */
    void collect() {
        const auto is_done = [](const Pending &pending) { return pending.actor->is_done(); };
        const auto found = std::find_if(threads_.begin(), threads_.end(), is_done);
        if (found == threads_.end())
            return;
        if (is_locked_)
            mismatch("mutex: locked twice");
        if (found != threads_.begin())
            mismatch("mutex: the thread of step %zu has it before the one of step %zu", found->since,
                     threads_.front().since);
        found->actor->rest();
        threads_.erase(found);
        gain(false);
    }

    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
    plc_condvar_t condvar_ = PLC_CONDVAR_INIT;
    bool is_locked_ = false;
    bool by_task_ = false; /* a task has it, whichever */
    Polled tasks_[task_count];
    std::deque<Polled *> waiting_; /* on the condvar */
    std::vector<Pending> threads_; /* for the mutex, by age */
};

} // namespace

std::unique_ptr<Subject> make_task_subject() {
    return std::make_unique<TaskSubject>();
}

} // namespace fuzz
