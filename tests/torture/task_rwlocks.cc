/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reader-writer locks between threads, in all modes, and tasks that read, write, and upgrade. */
#include <plc/async.h>

#include "room.h"

namespace torture {

namespace {

class Library final : public Room {
  public:
    Library(size_t index, size_t first_guest);

    void entered(size_t who, bool writes) {
        if (writes)
            guarded_.enter(who, this);
        else
            guarded_.read(this);
    }
    void leaves(size_t who, bool writes) {
        if (writes)
            guarded_.leave(who, this);
        else
            guarded_.read(this);
    }
    uint64_t version() const {
        return guarded_.version();
    }
    plc_rwlock_t *lock() {
        return lock_.get();
    }

  protected:
    void use(Worker &worker, Random &random) override;
    bool is_locked() const override {
        return plc_rwlock_is_locked(lock_.get());
    }
    void renew() override;

  private:
    enum class Mode { none, read, upgradable, write };
    Mode take_asleep(Worker &worker, Random &random);
    Mode take_awake(Worker &worker, Random &random);
    Mode take_as_task(Worker &worker, Random &random, bool sleeps);
    Mode step(Worker &worker, Random &random, Mode mode, bool sleeps);
    void give_up(Worker &worker, Random &random, Mode mode);

    std::unique_ptr<plc_rwlock_t> lock_ = std::make_unique<plc_rwlock_t>();
    Guarded guarded_;
};

plc_poll poll_for(plc_rwlock_t *lock, bool writes, plc_async_waiter_t *waiter, const plc_waker_t *waker) {
    return writes ? plc_rwlock_write_lock_async(lock, waiter, waker) : plc_rwlock_read_lock_async(lock, waiter, waker);
}

class Reader final : public Guest {
  public:
    explicit Reader(Library &library) : library_(library) {}
    bool is_idle() const override {
        return step_ == Step::idle;
    }

  protected:
    Outcome poll(const plc_waker_t *waker) override {
        if (step_ == Step::idle)
            begin();
        if (step_ == Step::locking) {
            if (poll_to_lock(waker) == PLC_POLL_PENDING)
                return pending();
            if (upgrades_) {
                library_.entered(index(), false);
                seen_ = library_.version();
                step_ = Step::upgrading;
            }
        }
        if (step_ == Step::upgrading) {
            if (plc_rwlock_upgrade_async(library_.lock(), waiter(), waker) == PLC_POLL_PENDING)
                return pending();
            if (library_.version() != seen_)
                fail("rwlock %p: a writer came between a task and its upgrade", static_cast<void *>(library_.lock()));
        }
        if (step_ != Step::inside) {
            library_.entered(index(), writes_);
            step_ = Step::inside;
            if (random_.one_in(4)) {
                plc_waker_wake_by_ref(waker);
                return Outcome::pending;
            }
        }
        library_.leaves(index(), writes_);
        step_ = Step::idle;
        writes_ ? plc_rwlock_write_unlock_async(library_.lock()) : plc_rwlock_read_unlock_async(library_.lock());
        return Outcome::goes_on;
    }
    void cancelled() override {
        const bool has_it = step_ == Step::upgrading;
        step_ = Step::idle;
        if (has_it)
            plc_rwlock_upgradable_unlock_async(library_.lock());
    }
    void meddle(size_t who) override {
        const bool writes = meddled_.fetch_add(1, std::memory_order_relaxed) % 2 == 0;
        if (writes && plc_rwlock_try_write_lock(library_.lock())) {
            library_.entered(who, true);
            library_.leaves(who, true);
            plc_rwlock_write_unlock(library_.lock());
        } else if (plc_rwlock_try_read_lock(library_.lock())) {
            library_.entered(who, false);
            plc_rwlock_read_unlock(library_.lock());
        }
    }

  private:
    enum class Step { idle, locking, upgrading, inside };
    void begin() {
        renew_waiter();
        writes_ = random_.one_in(3);
        upgrades_ = writes_ && random_.one_in(3);
        step_ = Step::locking;
    }
    plc_poll poll_to_lock(const plc_waker_t *waker) {
        return upgrades_ ? plc_rwlock_upgradable_lock_async(library_.lock(), waiter(), waker)
                         : poll_for(library_.lock(), writes_, waiter(), waker);
    }
    Outcome pending() {
        if (library_.is_closed())
            return Outcome::pending;
        if (random_.one_in(24))
            return Outcome::leaked;
        if (!random_.one_in(8))
            return Outcome::pending;
        plc_async_cancel(waiter());
        cancelled();
        return Outcome::goes_on;
    }

    Library &library_;
    Step step_ = Step::idle;
    bool writes_ = false;
    bool upgrades_ = false; /* and then writes */
    uint64_t seen_ = 0;     /* before the upgrade */
    std::atomic<unsigned> meddled_{0};
};

Library::Library(size_t index, size_t first_guest) {
    add_guests<Reader>(index % 2 ? 10 : 5, first_guest, *this);
}

/* ---- What threads do */

/* Whoever has the lock may be a task, so a thread waits for it only if somebody is awake to poll. */
void Library::use(Worker &worker, Random &random) {
    const bool sleeps = random.one_in(2) && worker.sleepers().may_sleep();
    const bool as_task = random.one_in(4);
    /* As a task it may have to wait for one that was leaked. */
    if (sleeps && !as_task)
        thread_sleeps();
    Mode mode = as_task  ? take_as_task(worker, random, sleeps)
                : sleeps ? take_asleep(worker, random)
                         : take_awake(worker, random);
    if (sleeps && !as_task)
        thread_woke();
    if (as_task || mode == Mode::none) {
        if (sleeps)
            worker.sleepers().woke();
        return;
    }
    entered(worker.index(), mode == Mode::write);
    for (size_t steps = random.below(3); steps > 0; --steps) {
        work(random);
        mode = step(worker, random, mode, sleeps);
    }
    if (sleeps)
        worker.sleepers().woke();
    leaves(worker.index(), mode == Mode::write);
    give_up(worker, random, mode);
}

Library::Mode Library::take_asleep(Worker &worker, Random &random) {
    const plc_deadline_t deadline = far(random);
    const bool plainly = random.one_in(2);
    bool taken = true;
    Mode mode = Mode::write;
    worker.at("task rwlock: lock", lock());
    switch (random.below(4)) {
    case 0:
        mode = Mode::upgradable;
        plainly ? plc_rwlock_upgradable_lock(lock()) : void(taken = plc_rwlock_upgradable_lock_until(lock(), deadline));
        break;
    case 1:
        plainly ? plc_rwlock_write_lock(lock()) : void(taken = plc_rwlock_write_lock_until(lock(), deadline));
        break;
    default:
        mode = Mode::read;
        plainly ? plc_rwlock_read_lock(lock()) : void(taken = plc_rwlock_read_lock_until(lock(), deadline));
    }
    if (!taken)
        fail("a lock of %p timed out long before its deadline", static_cast<void *>(lock()));
    return mode;
}

Library::Mode Library::take_awake(Worker &worker, Random &random) {
    const plc_deadline_t deadline = soon(random);
    const bool tries = random.one_in(2);
    bool taken = false;
    Mode mode = Mode::write;
    worker.at("task rwlock: lock for a while", lock());
    switch (random.below(4)) {
    case 0:
        mode = Mode::upgradable;
        taken = tries ? plc_rwlock_try_upgradable_lock(lock()) : plc_rwlock_upgradable_lock_until(lock(), deadline);
        break;
    case 1:
        taken = tries ? plc_rwlock_try_write_lock(lock()) : plc_rwlock_write_lock_until(lock(), deadline);
        break;
    default:
        mode = Mode::read;
        taken = tries ? plc_rwlock_try_read_lock(lock()) : plc_rwlock_read_lock_until(lock(), deadline);
    }
    if (!taken && !tries)
        check_time_out(deadline, "a timed lock", lock());
    return taken ? mode : Mode::none;
}

/* Takes it, uses it and gives it up as a task under block_on. */
Library::Mode Library::take_as_task(Worker &worker, Random &random, bool sleeps) {
    struct Visit {
        Library *library;
        bool writes;
        plc_async_waiter_t waiter = PLC_ASYNC_WAITER_INIT;
    } visit = {this, random.one_in(2)};
    const plc_deadline_t deadline = sleeps ? far(random) : soon(random);
    const plc_poll_function poll = [](void *context, const plc_waker_t *waker) {
        auto *const self = static_cast<Visit *>(context);
        return poll_for(self->library->lock(), self->writes, &self->waiter, waker);
    };
    worker.at(sleeps ? "task rwlock: block_on" : "task rwlock: block_on for a while", lock());
    const plc_block_on_status status = plc_block_on_until(poll, &visit, deadline);
    if (status == PLC_BLOCK_ON_NO_MEMORY)
        fail("no memory");
    if (status == PLC_BLOCK_ON_TIMED_OUT) {
        if (sleeps)
            fail("block_on timed out long before its deadline");
        check_time_out(deadline, "block_on", lock());
        plc_async_cancel(&visit.waiter);
        return Mode::none;
    }
    entered(worker.index(), visit.writes);
    work(random);
    leaves(worker.index(), visit.writes);
    visit.writes ? plc_rwlock_write_unlock_async(lock()) : plc_rwlock_read_unlock_async(lock());
    return Mode::none;
}

Library::Mode Library::step(Worker &worker, Random &random, Mode mode, bool sleeps) {
    if (mode == Mode::write) {
        leaves(worker.index(), true);
        worker.at("task rwlock: downgrade", lock());
        mode = random.one_in(2) ? Mode::read : Mode::upgradable;
        mode == Mode::read ? plc_rwlock_downgrade(lock()) : plc_rwlock_downgrade_to_upgradable(lock());
        entered(worker.index(), false);
        return mode;
    }
    if (mode != Mode::upgradable)
        return mode;
    const uint64_t version = guarded_.version();
    bool upgraded = true;
    worker.at("task rwlock: upgrade", lock());
    if (sleeps)
        plc_rwlock_upgrade(lock());
    else
        upgraded = random.one_in(2) ? plc_rwlock_try_upgrade(lock()) : plc_rwlock_upgrade_until(lock(), soon(random));
    if (guarded_.version() != version)
        fail("rwlock %p: a writer came between an upgradable holder and its upgrade", static_cast<void *>(lock()));
    if (!upgraded)
        return mode;
    entered(worker.index(), true);
    return Mode::write;
}

void Library::give_up(Worker &worker, Random &random, Mode mode) {
    const bool fair = random.one_in(4);
    worker.at("task rwlock: unlock", lock());
    if (mode == Mode::write)
        fair ? plc_rwlock_write_unlock_fair(lock()) : plc_rwlock_write_unlock(lock());
    else if (mode == Mode::upgradable)
        fair ? plc_rwlock_upgradable_unlock_fair(lock()) : plc_rwlock_upgradable_unlock(lock());
    else
        fair ? plc_rwlock_read_unlock_fair(lock()) : plc_rwlock_read_unlock(lock());
}

void Library::renew() {
    guarded_.check(this);
    if (lock_->state != 0)
        fail("rwlock %p was left with state %#zx", static_cast<void *>(lock()), size_t{lock_->state});
    lock_ = std::make_unique<plc_rwlock_t>();
}

} // namespace

std::unique_ptr<Part> make_task_rwlocks(const Configuration &configuration) {
    return std::make_unique<Rooms<Library>>(std::min(configuration.objects + 1, size_t{8}), 20'000);
}

} // namespace torture
