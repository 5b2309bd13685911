/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A reader-writer lock in all modes.
 *
 * Specification: there are readers, at most one upgradable holder, or one writer alone. A writer drains while it has kept
 * new readers out and waits for the old ones. At rest nobody waits whom nothing keeps out; of those that want to write or
 * to hold it upgradably, who waits longest comes first. */
#include <algorithm>
#include <plc/rwlock.h>
#include <vector>

#include "subject.h"
#include "support/rwlock_peek.h"

namespace fuzz {

namespace {

constexpr plc_deadline_t past = {1, PLC_CLOCK_REALTIME};
constexpr uintptr_t count_limit = PLC_RWLOCK_FULL_ / PLC_RWLOCK_READER_;

enum Mode { read, recursive, upgradable, write, upgrade };

class RwlockSubject final : public Subject {
  public:
    void operate(Bytes &bytes) override {
        const size_t choice = bytes.below(20);
        in_order_ = false;
        switch (choice) {
        case 0:
        case 1:
        case 2:
            lock(read);
            break;
        case 3:
            lock(recursive);
            break;
        case 4:
        case 5:
            lock(upgradable);
            break;
        case 6:
        case 7:
        case 8:
            lock(write);
            break;
        case 9:
            try_lock(static_cast<Mode>(bytes.below(5)));
            break;
        case 10:
            lock_until(static_cast<Mode>(bytes.below(5)));
            break;
        case 11:
            lock(upgrade);
            break;
        case 12:
            bump(bytes.below(3));
            break;
        case 13:
            step_down(bytes.below(3));
            break;
        case 14:
            fill(bytes.below(4));
            break;
        default:
            unlock(bytes.flag());
        }
        settle();
    }
    bool unwind() override {
        in_order_ = false;
        empty();
        const bool any = readers_ != 0 || upgradable_ || writer_;
        unlock(false);
        settle();
        return any;
    }
    void check_end() override {
        expect("a rwlock that nobody needs: state", static_cast<long>(plc_test::word_of(lock_)), 0);
    }

  private:
    /* ---- Whom does what keep out? */

    bool is_draining() const {
        return !writer_ && (plc_test::word_of(lock_) & PLC_RWLOCK_WRITER_) != 0;
    }
    bool is_full() const {
        return readers_ + phantoms_ + (upgradable_ ? 1 : 0) >= count_limit;
    }
    bool is_let_in(Mode mode) const {
        switch (mode) {
        case read:
            return !writer_ && !is_draining();
        case recursive:
            return !writer_;
        case upgradable:
            return !writer_ && !is_draining() && !upgradable_;
        case write:
            return !writer_ && !is_draining() && !upgradable_ && readers_ + phantoms_ == 0;
        case upgrade:
            return readers_ + phantoms_ == 0;
        }
        return false;
    }
    bool may_be_asked_for(Mode mode) const {
        return mode != upgrade || (upgradable_ && !is_draining());
    }
    bool is_refused(Mode mode) const {
        return (mode == read || mode == recursive) && is_full();
    }
    void gain(Mode mode) {
        switch (mode) {
        case read:
        case recursive:
            ++readers_;
            break;
        case upgradable:
            upgradable_ = true;
            break;
        case upgrade:
            upgradable_ = false;
            writer_ = true;
            break;
        case write:
            writer_ = true;
        }
    }

    /* ---- Getting it */

    static int lock_now(plc_rwlock_t *lock, Mode mode) {
        switch (mode) {
        case read:
            plc_rwlock_read_lock(lock);
            break;
        case recursive:
            plc_rwlock_recursive_read_lock(lock);
            break;
        case upgradable:
            plc_rwlock_upgradable_lock(lock);
            break;
        case write:
            plc_rwlock_write_lock(lock);
            break;
        case upgrade:
            plc_rwlock_upgrade(lock);
        }
        return 1;
    }
    static const char *name_of(Mode mode) {
        static const char *const names[] = {"read", "recursive read", "upgradable", "write", "upgrade"};
        return names[mode];
    }
    void lock(Mode mode) {
        /* With phantoms a reader might be refused while it waits, which aborts. */
        if (!may_be_asked_for(mode) || phantoms_ != 0)
            return;
        if (is_let_in(mode)) {
            note("rwlock: %s", name_of(mode));
            lock_now(&lock_, mode);
            gain(mode);
            return;
        }
        dispatch(mode, [this, mode] { return lock_now(&lock_, mode); });
    }
    template <typename Task>
    bool dispatch(Mode mode, Task task) {
        Actor *actor = idle_actor();
        if (!actor)
            return false;
        note("rwlock: %s, waits", name_of(mode));
        if (mode == upgrade)
            upgradable_ = false; /* from now on it is a writer that drains */
        waiters_.push_back({actor, mode, now()});
        actor->start([result = waiters_.back().result, task] { *result = task(); });
        return true;
    }
    void try_lock(Mode mode) {
        if (!may_be_asked_for(mode))
            return;
        note("rwlock: try %s", name_of(mode));
        const bool expected = is_let_in(mode) && !is_refused(mode);
        bool taken = false;
        switch (mode) {
        case read:
            taken = plc_rwlock_try_read_lock(&lock_);
            break;
        case recursive:
            taken = plc_rwlock_try_recursive_read_lock(&lock_);
            break;
        case upgradable:
            taken = plc_rwlock_try_upgradable_lock(&lock_);
            break;
        case write:
            taken = plc_rwlock_try_write_lock(&lock_);
            break;
        case upgrade:
            taken = plc_rwlock_try_upgrade(&lock_);
        }
        expect("a try", taken, expected);
        if (taken)
            gain(mode);
    }
    void lock_until(Mode mode) {
        if (!may_be_asked_for(mode))
            return;
        note("rwlock: %s until the past", name_of(mode));
        const bool expected = is_let_in(mode) && !is_refused(mode);
        bool taken = false;
        switch (mode) {
        case read:
            taken = plc_rwlock_read_lock_until(&lock_, past);
            break;
        case recursive:
            taken = plc_rwlock_recursive_read_lock_until(&lock_, past);
            break;
        case upgradable:
            taken = plc_rwlock_upgradable_lock_until(&lock_, past);
            break;
        case write:
            taken = plc_rwlock_write_lock_until(&lock_, past);
            break;
        case upgrade:
            taken = plc_rwlock_upgrade_until(&lock_, past);
        }
        expect("a lock until the past", taken, expected);
        if (taken)
            gain(mode);
    }

    /* ---- Giving it up. Whose it is does not matter to the lock. */

    void unlock(bool fair) {
        in_order_ = true;
        if (writer_) {
            note(fair ? "rwlock: write_unlock_fair" : "rwlock: write_unlock");
            writer_ = false;
            fair ? plc_rwlock_write_unlock_fair(&lock_) : plc_rwlock_write_unlock(&lock_);
        } else if (upgradable_ && (fair || readers_ == 0)) {
            note(fair ? "rwlock: upgradable_unlock_fair" : "rwlock: upgradable_unlock");
            upgradable_ = false;
            fair ? plc_rwlock_upgradable_unlock_fair(&lock_) : plc_rwlock_upgradable_unlock(&lock_);
        } else if (readers_ != 0) {
            note(fair ? "rwlock: read_unlock_fair" : "rwlock: read_unlock");
            --readers_;
            fair ? plc_rwlock_read_unlock_fair(&lock_) : plc_rwlock_read_unlock(&lock_);
        }
    }
    void step_down(size_t choice) {
        if (writer_ && choice != 0) {
            note(choice == 1 ? "rwlock: downgrade" : "rwlock: downgrade_to_upgradable");
            writer_ = false;
            gain(choice == 1 ? read : upgradable);
            choice == 1 ? plc_rwlock_downgrade(&lock_) : plc_rwlock_downgrade_to_upgradable(&lock_);
        } else if (upgradable_ && !is_full()) {
            note("rwlock: downgrade_upgradable");
            upgradable_ = false;
            gain(read);
            plc_rwlock_downgrade_upgradable(&lock_);
        }
    }
    /* With nobody waiting it does nothing; otherwise it gives the lock up and waits for it, or keeps it if whoever waits
       will look by itself. */
    void bump(size_t choice) {
        const bool by_writer = writer_ && choice == 0;
        const bool by_upgradable = upgradable_ && choice == 1;
        const bool by_reader = readers_ != 0 && choice == 2;
        if (phantoms_ != 0 || !idle_actor() || !(by_writer || by_upgradable || by_reader))
            return;
        writer_ = writer_ && !by_writer;
        upgradable_ = upgradable_ && !by_upgradable;
        readers_ -= by_reader ? 1 : 0;
        dispatch(by_writer       ? write
                 : by_upgradable ? upgradable
                                 : read,
                 [this, by_writer, by_upgradable] {
                     by_writer       ? plc_rwlock_write_bump(&lock_)
                     : by_upgradable ? plc_rwlock_upgradable_bump(&lock_)
                                     : plc_rwlock_read_bump(&lock_);
                     return 1;
                 });
    }

    /* ---- The edge of the count: readers that there are only in the word */

    void fill(size_t room) {
        if (phantoms_ != 0) {
            empty();
        } else if (!writer_ && !upgradable_ && readers_ == 0 && waiters_.empty()) {
            note("rwlock: room for %zu more readers", room);
            phantoms_ = count_limit - room;
            plc_fetch_add_relaxed(&lock_.state, phantoms_ * PLC_RWLOCK_READER_);
        }
    }
    void empty() {
        if (phantoms_ == 0)
            return;
        note("rwlock: the phantoms leave");
        /* All but one at once; the last by the lock's own means, which may have to wake a writer. */
        plc_fetch_sub_relaxed(&lock_.state, (phantoms_ - 1) * PLC_RWLOCK_READER_);
        phantoms_ = 0;
        plc_rwlock_read_unlock(&lock_);
    }

    /* ---- Rest */

    void settle() {
        wait_until("rwlock", [this] { return is_at_rest(); });
        const uintptr_t word = plc_test::word_of(lock_);
        expect("readers in the word", static_cast<long>(word / PLC_RWLOCK_READER_),
               static_cast<long>(readers_ + phantoms_ + (upgradable_ ? 1 : 0)));
        expect("an upgradable holder in the word", (word & PLC_RWLOCK_UPGRADABLE_) != 0, upgradable_);
        expect("is_write_locked", plc_rwlock_is_write_locked(&lock_), writer_);
        expect("is_locked", plc_rwlock_is_locked(&lock_), writer_ || upgradable_ || readers_ + phantoms_ != 0);
    }
    bool waits_for(Mode mode) const {
        return std::any_of(waiters_.begin(), waiters_.end(), [mode](const Pending &one) { return one.mode == mode; });
    }
    bool is_at_rest() {
        while (collect()) {
        }
        const bool draining = is_draining();
        const size_t parked = plc_test::queued(lock_) +
                              plc_test::parked_count(plc_test::LotKey{reinterpret_cast<const char *>(&lock_) + 1,
                                                                      PLC_WAITER_RWLOCK_DRAIN});
        if (parked != waiters_.size())
            return false;
        if (draining)
            return readers_ + phantoms_ != 0 && (waits_for(write) || waits_for(upgrade));
        if (writer_)
            return true;
        const bool kept_out_by_nobody = waits_for(read) || waits_for(recursive) || waits_for(upgrade) ||
                                        (!upgradable_ && (waits_for(write) || waits_for(upgradable)));
        return !kept_out_by_nobody;
    }
    bool collect() {
        const auto is_done = [](const Pending &pending) { return pending.actor->is_done(); };
        const auto found = std::find_if(waiters_.begin(), waiters_.end(), is_done);
        if (found == waiters_.end())
            return false;
        const Pending holder = *found;
        const Mode mode = static_cast<Mode>(holder.mode);
        const bool alone = mode == write || mode == upgrade;
        waiters_.erase(found);
        if (writer_ || (alone && (upgradable_ || readers_ + phantoms_ != 0)) || (mode == upgradable && upgradable_))
            mismatch("rwlock: %s while somebody else has it", name_of(mode));
        for (const Pending &other : waiters_) {
            const bool compete =
                (mode == write || mode == upgradable) && (other.mode == write || other.mode == upgradable);
            if (in_order_ && compete && other.since < holder.since)
                mismatch("rwlock: the waiter of step %zu has it before the one of step %zu", holder.since, other.since);
        }
        holder.actor->rest();
        gain(mode);
        return true;
    }

    plc_rwlock_t lock_ = PLC_RWLOCK_INIT;
    size_t readers_ = 0; /* without the upgradable one */
    size_t phantoms_ = 0;
    bool upgradable_ = false;
    bool writer_ = false;
    bool in_order_ = false; /* nobody came in this step */
    std::vector<Pending> waiters_;
};

} // namespace

std::unique_ptr<Subject> make_rwlock_subject() {
    return std::make_unique<RwlockSubject>();
}

} // namespace fuzz
