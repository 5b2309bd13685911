/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Two mutexes and two condition variables.
 *
 * Specification: a mutex has an owner or none, and a set of waiters; at rest nobody waits for a free one. Who waits
 * longest comes first, but for those that come in the very step in which it was given up. A condition variable has a
 * queue; its waiters, all with one mutex, or all with any lock, leave it in order, and then wait for the mutex: whoever was
 * notified together with others as if it had come when the mutex became free. */
#include <algorithm>
#include <deque>
#include <plc/condvar.h>
#include <plc/mutex.h>
#include <vector>

#include "subject.h"
#include "support/lot_probe.h"

namespace fuzz {

namespace {

constexpr plc_deadline_t past = {1, PLC_CLOCK_MONOTONIC};

constexpr plc_lock_ops mutex_ops = {
    [](void *lock) { plc_mutex_unlock(static_cast<plc_mutex_t *>(lock)); },
    [](void *lock) { plc_mutex_lock(static_cast<plc_mutex_t *>(lock)); },
};

enum Mode { locks, was_notified, timed_out };

struct Mutex {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    bool is_locked = false;
    std::vector<Pending> waiters;
};

struct Condvar {
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
    Mutex *mutex = nullptr; /* that all waiters use */
    bool with_any = false;
    std::deque<Pending> waiters;
};

class MutexSubject final : public Subject {
  public:
    void operate(Bytes &bytes) override {
        Mutex &mutex = mutexes_[bytes.below(2)];
        Condvar &condvar = condvars_[bytes.below(2)];
        const size_t choice = bytes.below(12);
        barging_allowed_ = false;
        switch (choice) {
        case 0:
        case 1:
            lock(mutex);
            break;
        case 2:
            note("mutex: try_lock");
            taken("try_lock", mutex, plc_mutex_try_lock(&mutex.mutex));
            break;
        case 3:
            note("mutex: lock_until the past");
            taken("lock_until the past", mutex, plc_mutex_lock_until(&mutex.mutex, past));
            break;
        case 4:
        case 5:
            unlock(mutex, bytes.flag());
            break;
        case 6:
            bump(mutex);
            break;
        case 7:
        case 8:
            wait(condvar, mutex, bytes.flag(), bytes.flag());
            break;
        case 9:
        case 10:
            notify_one(condvar);
            break;
        default:
            notify_all(condvar);
        }
        settle();
    }
    bool unwind() override {
        barging_allowed_ = false;
        for (Condvar &condvar : condvars_) {
            if (!condvar.waiters.empty()) {
                notify_all(condvar);
                settle();
                return true;
            }
        }
        for (Mutex &mutex : mutexes_) {
            if (mutex.is_locked) {
                unlock(mutex, false);
                settle();
                return true;
            }
        }
        return false;
    }
    void check_end() override {
        for (const Mutex &mutex : mutexes_)
            expect("a mutex that nobody needs: state", mutex.mutex.state, 0);
    }

  private:
    /* ---- Operations */

    void lock(Mutex &mutex) {
        if (!mutex.is_locked) {
            note("mutex: lock");
            plc_mutex_lock(&mutex.mutex);
            mutex.is_locked = true;
        } else {
            dispatch(mutex, locks, "mutex: lock, waits", [&mutex] {
                plc_mutex_lock(&mutex.mutex);
                return 1;
            });
        }
    }
    template <typename Task>
    void dispatch(Mutex &mutex, Mode mode, const char *what, Task task) {
        Actor *actor = idle_actor();
        if (!actor)
            return;
        note("%s", what);
        start(mutex.waiters.emplace_back(Pending{actor, mode, now()}), task);
    }
    template <typename Task>
    static void start(const Pending &pending, Task task) {
        pending.actor->start([result = pending.result, task] { *result = task(); });
    }
    static void taken(const char *what, Mutex &mutex, bool is_taken) {
        expect(what, is_taken, !mutex.is_locked);
        mutex.is_locked = true;
    }
    void unlock(Mutex &mutex, bool fair) {
        if (!mutex.is_locked)
            return;
        note(fair ? "mutex: unlock_fair" : "mutex: unlock");
        mutex.is_locked = false;
        fair ? plc_mutex_unlock_fair(&mutex.mutex) : plc_mutex_unlock(&mutex.mutex);
    }
    void bump(Mutex &mutex) {
        if (!mutex.is_locked)
            return;
        if (mutex.waiters.empty()) {
            note("mutex: bump, nobody waits");
            plc_mutex_bump(&mutex.mutex);
            return;
        }
        if (!idle_actor())
            return;
        mutex.is_locked = false;
        barging_allowed_ = true; /* an heir that naps is not seen by a bump, which then keeps the mutex */
        dispatch(mutex, locks, "mutex: bump", [&mutex] {
            plc_mutex_bump(&mutex.mutex);
            return 1;
        });
    }
    void wait(Condvar &condvar, Mutex &mutex, bool with_any, bool is_past) {
        if (!mutex.is_locked)
            return;
        if (!condvar.waiters.empty() && (condvar.mutex != &mutex || condvar.with_any != with_any))
            return; /* mixing aborts */
        Actor *actor = idle_actor();
        if (!actor)
            return;
        note("condvar: wait%s%s", with_any ? "_any" : "", is_past ? " until the past" : "");
        mutex.is_locked = false;
        barging_allowed_ = true;
        condvar.mutex = &mutex;
        condvar.with_any = with_any;
        const Pending pending = {actor, is_past ? timed_out : was_notified, now()};
        if (is_past)
            mutex.waiters.push_back(pending);
        else
            condvar.waiters.push_back(pending);
        start(pending, [&condvar, &mutex, with_any, is_past] {
            const plc_deadline_t deadline = is_past ? past : PLC_NO_DEADLINE;
            return with_any ? plc_condvar_wait_any_until(&condvar.condvar, &mutex_ops, &mutex.mutex, deadline)
                            : plc_condvar_wait_until(&condvar.condvar, &mutex.mutex, deadline);
        });
    }
    void let_go(Condvar &condvar, bool with_others) {
        Pending first = condvar.waiters.front();
        condvar.waiters.pop_front();
        first.since = now();
        first.in_any_order = with_others;
        condvar.mutex->waiters.push_back(first);
    }
    void notify_one(Condvar &condvar) {
        note("condvar: notify_one");
        const bool was_waited_for = !condvar.waiters.empty();
        expect("notify_one", plc_condvar_notify_one(&condvar.condvar), was_waited_for);
        if (was_waited_for)
            let_go(condvar, false);
    }
    void notify_all(Condvar &condvar) {
        note("condvar: notify_all");
        barging_allowed_ = true;
        const size_t waiters = condvar.waiters.size();
        expect("notify_all", static_cast<long>(plc_condvar_notify_all(&condvar.condvar)), static_cast<long>(waiters));
        while (!condvar.waiters.empty())
            let_go(condvar, true);
    }

    /* ---- Rest */

    void settle() {
        wait_until("mutex", [this] { return is_at_rest(); });
        for (const Condvar &condvar : condvars_)
            expect("a condvar's state tells whether somebody waits", condvar.condvar.state != 0,
                   !condvar.waiters.empty());
    }
    bool is_at_rest() {
        for (Mutex &mutex : mutexes_) {
            collect(mutex);
            if (!mutex.is_locked && !mutex.waiters.empty())
                return false;
            /* A thread that waits on a condvar is in its queue a moment before it lets the mutex go. */
            if (plc_mutex_is_locked(&mutex.mutex) != mutex.is_locked ||
                plc_test::parked_count(&mutex.mutex, PLC_WAITER_MUTEX) != mutex.waiters.size())
                return false;
        }
        for (const Condvar &condvar : condvars_) {
            for (const Pending &pending : condvar.waiters) {
                if (pending.actor->is_done())
                    mismatch("condvar: a wait ended that nobody notified");
            }
            if (plc_test::parked_count(&condvar.condvar, PLC_WAITER_CONDVAR) != condvar.waiters.size())
                return false;
        }
        return true;
    }
    /* Those that have the mutex by now. */
    void collect(Mutex &mutex) {
        const auto is_done = [](const Pending &pending) { return pending.actor->is_done(); };
        const auto found = std::find_if(mutex.waiters.begin(), mutex.waiters.end(), is_done);
        if (found == mutex.waiters.end())
            return;
        if (mutex.is_locked)
            mismatch("mutex: locked twice");
        const Pending owner = *found;
        mutex.waiters.erase(found);
        for (const Pending &other : mutex.waiters) {
            if (other.since < owner.since && !(barging_allowed_ && owner.since == now()) && !owner.in_any_order &&
                !other.in_any_order)
                mismatch("mutex: the waiter of step %zu has it before the one of step %zu", owner.since, other.since);
        }
        expect("the result of a wait", *owner.result, owner.mode != timed_out);
        owner.actor->rest();
        mutex.is_locked = true;
    }

    Mutex mutexes_[2];
    Condvar condvars_[2];
    bool barging_allowed_ = false; /* in this step a thread let the mutex go and wants it again */
};

} // namespace

std::unique_ptr<Subject> make_mutex_subject() {
    return std::make_unique<MutexSubject>();
}

} // namespace fuzz
