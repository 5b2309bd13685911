/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bounded channels: condition variables with a mutex or with a lock of another type, notified in every way. */
#include <array>
#include <plc/condvar.h>
#include <plc/rwlock.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

constexpr plc_lock_ops write_lock = {
    [](void *lock) { plc_rwlock_write_unlock(static_cast<plc_rwlock_t *>(lock)); },
    [](void *lock) { plc_rwlock_write_lock(static_cast<plc_rwlock_t *>(lock)); },
};

/* A condition with a count of how often it was notified, and of how often somebody was told so: the two are equal when
   nobody waits, as a notification is neither lost nor made up. */
class Condition {
  public:
    template <typename Wait>
    bool wait(Wait wait_now) {
        ++waiting_;
        const bool notified = wait_now(&condvar_);
        --waiting_;
        if (notified)
            told_.fetch_add(1, std::memory_order_relaxed);
        return notified;
    }
    void notify(Random &random) {
        const size_t notified =
            random.one_in(6) ? plc_condvar_notify_all(&condvar_) : plc_condvar_notify_one(&condvar_);
        notified_.fetch_add(notified, std::memory_order_relaxed);
    }
    size_t waiting() const { /* with the lock held */
        return waiting_;
    }
    void check() const {
        if (told_ != notified_ || condvar_.state != 0)
            fail("condvar %p: %zu notifications, %zu received, state %#zx", static_cast<const void *>(&condvar_),
                 notified_.load(), told_.load(), size_t{condvar_.state});
    }

  private:
    plc_condvar_t condvar_ = PLC_CONDVAR_INIT;
    size_t waiting_ = 0;
    std::atomic<size_t> told_{0};
    std::atomic<size_t> notified_{0};
};

class Channel {
  public:
    void set_up(size_t index) {
        with_rwlock_ = index % 3 == 2;
        capacity_ = 1 + index % items_.size();
    }
    void operate(Worker &worker, Random &random) {
        const bool puts = random.one_in(2);
        const bool may_sleep = random.one_in(2) && worker.sleepers().may_sleep();
        const plc_deadline_t deadline = may_sleep ? far(random) : soon(random);
        Condition &condition = puts ? not_full_ : not_empty_;
        worker.at(puts ? "channel: put" : "channel: get", this);
        lock();
        guarded_.enter(worker.index(), this);
        bool notified = true;
        while ((puts ? is_full() : is_empty()) && notified) {
            guarded_.leave(worker.index(), this);
            notified = condition.wait([&](plc_condvar_t *condvar) { return wait(condvar, random, deadline); });
            guarded_.enter(worker.index(), this);
            if (!notified)
                check_time_out(deadline, "wait_until", this);
        }
        if (may_sleep)
            worker.sleepers().woke();
        const bool done = puts ? put() : get();
        unlock_and_notify(worker, random, puts ? not_empty_ : not_full_, done);
    }
    void serve(Worker &worker) {
        Random random(worker.index());
        lock();
        guarded_.enter(worker.index(), this);
        const bool puts = not_empty_.waiting() != 0 && is_empty() && put();
        const bool gets = !puts && not_full_.waiting() != 0 && is_full() && get();
        unlock_and_notify(worker, random, puts ? not_empty_ : not_full_, puts || gets);
    }
    void check() {
        guarded_.check(this);
        not_empty_.check();
        not_full_.check();
        if (mutex_.state != 0 || rwlock_.state != 0)
            fail("channel %p was left locked", static_cast<void *>(this));
    }

  private:
    void lock() {
        with_rwlock_ ? plc_rwlock_write_lock(&rwlock_) : plc_mutex_lock(&mutex_);
    }
    void unlock() {
        with_rwlock_ ? plc_rwlock_write_unlock(&rwlock_) : plc_mutex_unlock(&mutex_);
    }
    bool wait(plc_condvar_t *condvar, Random &random, plc_deadline_t deadline) {
        const bool plainly = plc_deadline_is_never(deadline) && random.one_in(2);
        if (!with_rwlock_ && plainly)
            plc_condvar_wait(condvar, &mutex_);
        else if (plainly)
            plc_condvar_wait_any(condvar, &write_lock, &rwlock_);
        else if (with_rwlock_)
            return plc_condvar_wait_any_until(condvar, &write_lock, &rwlock_, deadline);
        else
            return plc_condvar_wait_until(condvar, &mutex_, deadline);
        return true;
    }
    void unlock_and_notify(Worker &worker, Random &random, Condition &condition, bool changed) {
        const bool before_unlock = random.one_in(2);
        guarded_.leave(worker.index(), this);
        if (changed && before_unlock)
            condition.notify(random);
        unlock();
        if (changed && !before_unlock)
            condition.notify(random);
    }
    bool is_full() const {
        return put_ - got_ == capacity_;
    }
    bool is_empty() const {
        return put_ == got_;
    }
    bool put() {
        const bool room = !is_full();
        if (room) {
            items_[put_ % capacity_] = put_;
            ++put_;
        }
        return room;
    }
    bool get() {
        const bool item = !is_empty();
        if (item) {
            if (items_[got_ % capacity_] != got_)
                fail("channel %p: item %zu is out of turn", static_cast<void *>(this), got_);
            ++got_;
        }
        return item;
    }

    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
    plc_rwlock_t rwlock_ = PLC_RWLOCK_INIT;
    bool with_rwlock_ = false;
    size_t capacity_ = 1;
    Condition not_empty_;
    Condition not_full_;
    Guarded guarded_;
    std::array<size_t, 4> items_ = {};
    size_t put_ = 0;
    size_t got_ = 0;
};

class Channels final : public Part {
  public:
    explicit Channels(const Configuration &configuration) : channels_(configuration.objects + 2) {
        for (size_t i = 0; i < channels_.size(); ++i)
            channels_[i].set_up(i);
    }
    void operate(Worker &worker, Random &random) override {
        channels_[random.below(channels_.size())].operate(worker, random);
    }
    void serve(Worker &worker) override {
        for (Channel &channel : channels_)
            channel.serve(worker);
    }
    void check() override {
        for (Channel &channel : channels_)
            channel.check();
    }

  private:
    std::vector<Channel> channels_;
};

} // namespace

std::unique_ptr<Part> make_channels(const Configuration &configuration) {
    return std::make_unique<Channels>(configuration);
}

} // namespace torture
