/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reader-writer locks: all modes in all ways, and every step from one mode to another. */
#include <plc/rwlock.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

enum class Mode { none, read, upgradable, write };

class Rwlock {
  public:
    void operate(Worker &worker, Random &random) {
        Mode mode = take(worker, random);
        if (mode == Mode::none)
            return;
        entered(worker, mode);
        for (size_t steps = random.below(4); steps > 0; --steps) {
            work(random);
            mode = step(worker, random, mode);
        }
        give_up(worker, random, mode);
    }
    void check() {
        guarded_.check(&lock_);
        if (lock_.state != 0 || readers_ != 0 || upgradable_ != 0 || writers_ != 0)
            fail("rwlock %p was left with state %#zx", static_cast<void *>(&lock_), size_t{lock_.state});
    }
    void in_child() {
        if (plc_rwlock_try_write_lock(&lock_))
            plc_rwlock_write_unlock(&lock_);
        if (plc_rwlock_try_read_lock(&lock_))
            plc_rwlock_read_unlock(&lock_);
    }

  private:
    /* ---- Taking */

    static bool until(bool taken, plc_deadline_t deadline, const plc_rwlock_t *lock) {
        if (!taken)
            check_time_out(deadline, "a timed lock", lock);
        return taken;
    }
    plc_deadline_t some_deadline(Random &random) {
        return random.one_in(4) ? far(random) : soon(random);
    }
    Mode take(Worker &worker, Random &random) {
        switch (random.below(16)) {
        case 0:
            return take_recursively(worker, random);
        case 1:
        case 2:
        case 3:
        case 4:
            return take_upgradable(worker, random);
        case 5:
        case 6:
        case 7:
        case 8:
            return take_write(worker, random);
        default:
            return take_read(worker, random);
        }
    }
    Mode take_read(Worker &worker, Random &random) {
        const plc_deadline_t deadline = some_deadline(random);
        bool taken = true;
        worker.at("rwlock: read", &lock_);
        switch (random.below(3)) {
        case 0:
            taken = plc_rwlock_try_read_lock(&lock_);
            break;
        case 1:
            taken = until(plc_rwlock_read_lock_until(&lock_, deadline), deadline, &lock_);
            break;
        default:
            plc_rwlock_read_lock(&lock_);
        }
        return taken ? Mode::read : Mode::none;
    }
    Mode take_recursively(Worker &worker, Random &random) {
        const plc_deadline_t deadline = some_deadline(random);
        bool taken = true;
        worker.at("rwlock: recursive read", &lock_);
        switch (random.below(3)) {
        case 0:
            taken = plc_rwlock_try_recursive_read_lock(&lock_);
            break;
        case 1:
            taken = until(plc_rwlock_recursive_read_lock_until(&lock_, deadline), deadline, &lock_);
            break;
        default:
            plc_rwlock_recursive_read_lock(&lock_);
        }
        return taken ? Mode::read : Mode::none;
    }
    Mode take_upgradable(Worker &worker, Random &random) {
        const plc_deadline_t deadline = some_deadline(random);
        bool taken = true;
        worker.at("rwlock: upgradable", &lock_);
        switch (random.below(3)) {
        case 0:
            taken = plc_rwlock_try_upgradable_lock(&lock_);
            break;
        case 1:
            taken = until(plc_rwlock_upgradable_lock_until(&lock_, deadline), deadline, &lock_);
            break;
        default:
            plc_rwlock_upgradable_lock(&lock_);
        }
        return taken ? Mode::upgradable : Mode::none;
    }
    Mode take_write(Worker &worker, Random &random) {
        const plc_deadline_t deadline = some_deadline(random);
        bool taken = true;
        worker.at("rwlock: write", &lock_);
        switch (random.below(3)) {
        case 0:
            taken = plc_rwlock_try_write_lock(&lock_);
            break;
        case 1:
            taken = until(plc_rwlock_write_lock_until(&lock_, deadline), deadline, &lock_);
            break;
        default:
            plc_rwlock_write_lock(&lock_);
        }
        return taken ? Mode::write : Mode::none;
    }

    /* ---- Inside. The counts are relaxed: they must be right by the lock's own orders. */

    void entered(Worker &worker, Mode mode) {
        const auto counted = [](std::atomic<int> &count) { return count.fetch_add(1, std::memory_order_relaxed) + 1; };
        if (mode == Mode::read)
            counted(readers_);
        else if (mode == Mode::upgradable && counted(upgradable_) != 1)
            fail("rwlock %p has two upgradable holders", static_cast<void *>(&lock_));
        else if (mode == Mode::write && (counted(writers_) != 1 || readers_.load(std::memory_order_relaxed) != 0 ||
                                         upgradable_.load(std::memory_order_relaxed) != 0))
            fail("rwlock %p has a writer and others", static_cast<void *>(&lock_));
        if (mode == Mode::write) {
            guarded_.enter(worker.index(), &lock_);
        } else {
            if (writers_.load(std::memory_order_relaxed) != 0)
                fail("rwlock %p has a reader and a writer", static_cast<void *>(&lock_));
            guarded_.read(&lock_);
        }
        if (!plc_rwlock_is_locked(&lock_) || plc_rwlock_is_write_locked(&lock_) != (mode == Mode::write))
            fail("rwlock %p does not know how it is held", static_cast<void *>(&lock_));
    }
    void leaving(Worker &worker, Mode mode) {
        if (mode == Mode::write)
            guarded_.leave(worker.index(), &lock_);
        (mode == Mode::read         ? readers_
         : mode == Mode::upgradable ? upgradable_
                                    : writers_)
            .fetch_sub(1, std::memory_order_relaxed);
    }

    /* ---- From one mode to another, without another writer in between */

    Mode step(Worker &worker, Random &random, Mode mode) {
        switch (mode) {
        case Mode::read:
            return step_as_reader(worker, random);
        case Mode::upgradable:
            return step_as_upgradable(worker, random);
        case Mode::write:
            return step_as_writer(worker, random);
        case Mode::none:
            break;
        }
        return mode;
    }
    Mode step_as_reader(Worker &worker, Random &random) {
        if (random.one_in(2)) {
            worker.at("rwlock: recursive read while reading", &lock_);
            plc_rwlock_recursive_read_lock(&lock_);
            entered(worker, Mode::read);
            work(random);
            leaving(worker, Mode::read);
            plc_rwlock_read_unlock(&lock_);
        } else {
            leaving(worker, Mode::read);
            worker.at("rwlock: read_bump", &lock_);
            plc_rwlock_read_bump(&lock_);
            entered(worker, Mode::read);
        }
        return Mode::read;
    }
    Mode step_as_upgradable(Worker &worker, Random &random) {
        const size_t choice = random.below(5);
        const plc_deadline_t deadline = some_deadline(random);
        const uint64_t version = guarded_.version();
        Mode mode = Mode::upgradable;
        leaving(worker, mode);
        worker.at("rwlock: upgrade or downgrade_upgradable", &lock_);
        switch (choice) {
        case 0:
            plc_rwlock_upgrade(&lock_);
            mode = Mode::write;
            break;
        case 1:
            mode = plc_rwlock_try_upgrade(&lock_) ? Mode::write : Mode::upgradable;
            break;
        case 2:
            mode = until(plc_rwlock_upgrade_until(&lock_, deadline), deadline, &lock_) ? Mode::write : Mode::upgradable;
            break;
        case 3:
            plc_rwlock_downgrade_upgradable(&lock_);
            mode = Mode::read;
            break;
        default:
            plc_rwlock_upgradable_bump(&lock_);
        }
        check_version(choice == 4 ? guarded_.version() : version);
        entered(worker, mode);
        return mode;
    }
    Mode step_as_writer(Worker &worker, Random &random) {
        leaving(worker, Mode::write);
        const size_t choice = random.below(3);
        const uint64_t version = guarded_.version();
        Mode mode = Mode::write;
        worker.at("rwlock: downgrade", &lock_);
        switch (choice) {
        case 0:
            plc_rwlock_downgrade(&lock_);
            mode = Mode::read;
            break;
        case 1:
            plc_rwlock_downgrade_to_upgradable(&lock_);
            mode = Mode::upgradable;
            break;
        default:
            worker.at("rwlock: write_bump", &lock_);
            plc_rwlock_write_bump(&lock_);
        }
        check_version(choice == 2 ? guarded_.version() : version);
        entered(worker, mode);
        return mode;
    }
    void check_version(uint64_t version) const {
        if (guarded_.version() != version)
            fail("rwlock %p: a writer came between two modes", static_cast<const void *>(&lock_));
    }

    /* ---- Giving up */

    void give_up(Worker &worker, Random &random, Mode mode) {
        const bool fair = random.one_in(4);
        leaving(worker, mode);
        worker.at("rwlock: unlock", &lock_);
        switch (mode) {
        case Mode::read:
            fair ? plc_rwlock_read_unlock_fair(&lock_) : plc_rwlock_read_unlock(&lock_);
            break;
        case Mode::upgradable:
            fair ? plc_rwlock_upgradable_unlock_fair(&lock_) : plc_rwlock_upgradable_unlock(&lock_);
            break;
        case Mode::write:
            fair ? plc_rwlock_write_unlock_fair(&lock_) : plc_rwlock_write_unlock(&lock_);
            break;
        case Mode::none:
            break;
        }
    }

    plc_rwlock_t lock_ = PLC_RWLOCK_INIT;
    Guarded guarded_;
    std::atomic<int> readers_{0};
    std::atomic<int> upgradable_{0};
    std::atomic<int> writers_{0};
};

class Rwlocks final : public Part {
  public:
    explicit Rwlocks(const Configuration &configuration) : locks_(configuration.objects) {}

    void operate(Worker &worker, Random &random) override {
        locks_[random.below(locks_.size())].operate(worker, random);
    }
    void check() override {
        for (Rwlock &lock : locks_)
            lock.check();
    }
    void in_child() override {
        for (Rwlock &lock : locks_)
            lock.in_child();
    }

  private:
    std::vector<Rwlock> locks_;
};

} // namespace

std::unique_ptr<Part> make_rwlocks(const Configuration &configuration) {
    return std::make_unique<Rwlocks>(configuration);
}

} // namespace torture
