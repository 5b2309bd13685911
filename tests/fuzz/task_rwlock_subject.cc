/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A reader-writer lock for tasks that read and write, and for threads in all modes.
 *
 * Specification: a poll gets the lock exactly if nobody keeps it out, whoever waits. Threads have it as if there were no
 * task. At rest, when nobody has the lock and tasks wait, one of them has been woken; and when all who have it give it up, and
 * woken tasks alone are polled, each gets it. */
#include <algorithm>
#include <plc/async.h>
#include <vector>

#include "polled.h"
#include "support/rwlock_peek.h"

namespace fuzz {

namespace {

enum Mode { read, upgradable, write };

class TaskRwlockSubject final : public Subject {
  public:
    void operate(Bytes &bytes) override {
        Polled &task = tasks_[bytes.below(task_count)];
        const size_t choice = bytes.below(12);
        switch (choice) {
        case 0:
        case 1:
        case 2:
        case 3:
            poll(task, bytes.below(3) == 0, bytes.below(4) == 0);
            break;
        case 4:
            cancel(task);
            break;
        case 5:
            lock_by_thread(static_cast<Mode>(bytes.below(3)));
            break;
        case 6:
            try_lock(static_cast<Mode>(bytes.below(3)));
            break;
        case 7:
            step(bytes.flag());
            break;
        default:
            unlock(bytes.below(3), bytes.below(4) == 0);
        }
        settle();
    }
    /* Whoever has the lock gives it up; then the tasks have it by their wakes alone. */
    bool unwind() override {
        if (held_by_thread() || of_tasks_[read] != 0 || of_tasks_[write] != 0) {
            unlock(0, false);
        } else {
            const auto is_pending = [](const Polled &one) { return one.is_pending; };
            const auto is_woken = [](const Polled &one) { return one.is_pending && one.was_woken(); };
            const auto found = std::find_if(std::begin(tasks_), std::end(tasks_), is_woken);
            if (found == std::end(tasks_)) {
                if (std::any_of(std::begin(tasks_), std::end(tasks_), is_pending))
                    mismatch("rwlock: a task sleeps beside a free lock");
                return false;
            }
            poll(*found, found->use == write, false);
        }
        settle();
        return true;
    }
    void check_end() override {
        expect("a rwlock that nobody needs: state", static_cast<long>(plc_test::word_of(lock_)), 0);
    }

  private:
    static constexpr size_t task_count = 6;

    size_t index_of(const Polled &task) const {
        return static_cast<size_t>(&task - tasks_);
    }
    bool held_by_thread() const {
        return of_threads_[read] + of_threads_[upgradable] + of_threads_[write] != 0;
    }

    /* ---- Whom does what keep out? */

    bool has_writer() const {
        return of_threads_[write] + of_tasks_[write] != 0;
    }
    bool is_draining() const {
        return !has_writer() && (plc_test::word_of(lock_) & PLC_RWLOCK_WRITER_) != 0;
    }
    bool is_let_in(Mode mode) const {
        if (has_writer() || is_draining())
            return false;
        if (mode == read)
            return true;
        if (of_threads_[upgradable] != 0)
            return false;
        return mode == upgradable || of_threads_[read] + of_tasks_[read] == 0;
    }

    /* ---- Tasks */

    void poll(Polled &task, bool writes, bool with_other_waker) {
        if (!task.is_pending)
            task.use = writes ? write : read;
        const Mode mode = static_cast<Mode>(task.use);
        const bool ready = is_let_in(mode);
        note("task %zu: poll to %s", index_of(task), mode == write ? "write" : "read");
        task.changes = task.changes != with_other_waker;
        task.forget_wakes();
        const plc_waker_t waker = task.waker();
        const plc_poll result = mode == write ? plc_rwlock_write_lock_async(&lock_, &task.waiter, &waker)
                                              : plc_rwlock_read_lock_async(&lock_, &task.waiter, &waker);
        expect("a poll", result == PLC_POLL_READY, ready);
        task.polled(result, now());
        of_tasks_[mode] += ready ? 1 : 0;
    }
    void cancel(Polled &task) {
        if (!task.is_pending)
            return;
        note("task %zu: cancel", index_of(task));
        task.cancel();
    }

    /* ---- Threads */

    void lock_by_thread(Mode mode) {
        const bool let_in = is_let_in(mode);
        Actor *const actor = let_in ? nullptr : idle_actor();
        if (!let_in && !actor)
            return;
        note("thread: lock, mode %d%s", mode, let_in ? "" : ", waits");
        if (let_in) {
            lock_now(mode);
            ++of_threads_[mode];
        } else {
            threads_.push_back({actor, mode, now()});
            actor->start([this, mode] { lock_now(mode); });
        }
    }
    void lock_now(Mode mode) {
        switch (mode) {
        case read:
            plc_rwlock_read_lock(&lock_);
            break;
        case upgradable:
            plc_rwlock_upgradable_lock(&lock_);
            break;
        case write:
            plc_rwlock_write_lock(&lock_);
        }
    }
    void try_lock(Mode mode) {
        const bool expected = is_let_in(mode);
        note("thread: try_lock, mode %d", mode);
        const bool taken = mode == read         ? plc_rwlock_try_read_lock(&lock_)
                           : mode == upgradable ? plc_rwlock_try_upgradable_lock(&lock_)
                                                : plc_rwlock_try_write_lock(&lock_);
        expect("a try", taken, expected);
        of_threads_[mode] += taken ? 1 : 0;
    }
    /* Up or down, where that does not block. */
    void step(bool to_read) {
        if (of_threads_[write] != 0) {
            note("thread: downgrade");
            --of_threads_[write];
            ++of_threads_[to_read ? read : upgradable];
            to_read ? plc_rwlock_downgrade(&lock_) : plc_rwlock_downgrade_to_upgradable(&lock_);
        } else if (of_threads_[upgradable] != 0) {
            note("thread: try_upgrade");
            const bool expected = of_threads_[read] + of_tasks_[read] == 0;
            expect("try_upgrade", plc_rwlock_try_upgrade(&lock_), expected);
            of_threads_[upgradable] -= expected ? 1 : 0;
            of_threads_[write] += expected ? 1 : 0;
        }
    }
    /* Somebody who has it gives it up. */
    void unlock(size_t preferred, bool fair) {
        for (size_t i = 0; i < 3; ++i) {
            const Mode mode = static_cast<Mode>((preferred + i) % 3);
            if (of_threads_[mode] != 0) {
                note("thread: unlock%s, mode %d", fair ? "_fair" : "", mode);
                --of_threads_[mode];
                return unlock_now(mode, fair);
            }
            if (of_tasks_[mode] != 0) {
                note("task: unlock, mode %d", mode);
                --of_tasks_[mode];
                return mode == write ? plc_rwlock_write_unlock_async(&lock_) : plc_rwlock_read_unlock_async(&lock_);
            }
        }
    }
    void unlock_now(Mode mode, bool fair) {
        switch (mode) {
        case read:
            return fair ? plc_rwlock_read_unlock_fair(&lock_) : plc_rwlock_read_unlock(&lock_);
        case upgradable:
            return fair ? plc_rwlock_upgradable_unlock_fair(&lock_) : plc_rwlock_upgradable_unlock(&lock_);
        case write:
            return fair ? plc_rwlock_write_unlock_fair(&lock_) : plc_rwlock_write_unlock(&lock_);
        }
    }

    /* ---- Rest */

    void settle() {
        wait_until("task rwlock", [this] { return is_at_rest(); });
        const uintptr_t word = plc_test::word_of(lock_);
        expect("readers in the word", static_cast<long>(word / PLC_RWLOCK_READER_),
               static_cast<long>(of_threads_[read] + of_tasks_[read] + of_threads_[upgradable]));
        expect("is_write_locked", plc_rwlock_is_write_locked(&lock_), has_writer());
        bool any_woken = false;
        bool any_pending = false;
        for (const Polled &task : tasks_) {
            task.check();
            any_pending = any_pending || task.is_pending;
            any_woken = any_woken || (task.is_pending && task.was_woken());
        }
        if (!plc_rwlock_is_locked(&lock_) && any_pending && !any_woken)
            mismatch("rwlock: tasks sleep beside a free lock");
    }
    bool waits_for(Mode mode) const {
        return std::any_of(threads_.begin(), threads_.end(), [mode](const Pending &one) { return one.mode == mode; });
    }
    bool is_at_rest() {
        while (collect()) {
        }
        const bool draining = is_draining();
        if (plc_test::queued(lock_) + threads_waiting_for_readers() != threads_.size())
            return false;
        if (draining)
            return of_threads_[read] + of_tasks_[read] != 0 && waits_for(write);
        if (has_writer())
            return true;
        return !waits_for(read) && (of_threads_[upgradable] != 0 || (!waits_for(write) && !waits_for(upgradable)));
    }
    /* Tasks may be in the same queue. */
    size_t threads_waiting_for_readers() const {
        const plc_test::LotKey key{reinterpret_cast<const char *>(&lock_) + 1, PLC_WAITER_RWLOCK_DRAIN};
        size_t count = 0;
        struct plc_bucket *bucket = plc_bucket_lock(key.address);
        for (const struct plc_waiter *waiter = bucket->head; waiter; waiter = waiter->next)
            count += !waiter->is_task && plc_waiter_matches(waiter, key);
        plc_bucket_unlock(bucket);
        return count;
    }
    bool collect() {
        const auto is_done = [](const Pending &pending) { return pending.actor->is_done(); };
        const auto found = std::find_if(threads_.begin(), threads_.end(), is_done);
        if (found == threads_.end())
            return false;
        const Mode mode = static_cast<Mode>(found->mode);
        if (has_writer() || (mode != read && of_threads_[upgradable] != 0) ||
            (mode == write && of_threads_[read] + of_tasks_[read] != 0))
            mismatch("rwlock: a thread got it in mode %d while somebody else has it", mode);
        found->actor->rest();
        threads_.erase(found);
        ++of_threads_[mode];
        return true;
    }

    plc_rwlock_t lock_ = PLC_RWLOCK_INIT;
    Polled tasks_[task_count];
    size_t of_threads_[3] = {}; /* how many have it in each mode; the upgradable one is not among the readers */
    size_t of_tasks_[3] = {};
    std::vector<Pending> threads_;
};

} // namespace

std::unique_ptr<Subject> make_task_rwlock_subject() {
    return std::make_unique<TaskRwlockSubject>();
}

} // namespace fuzz
