/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bounded channels between threads, tasks, and threads that run tasks: a mutex and two condition variables for all. */
#include <array>
#include <plc/async.h>

#include "room.h"

namespace torture {

namespace {

class Channel;

/* One who puts an item into a channel, or gets one, by polling. */
class Visit {
  public:
    explicit Visit(Channel &channel) : channel_(channel) {}

    /* sleeps: a thread, that somebody must let go on. */
    void begin(size_t who, bool puts, bool sleeps) {
        who_ = who;
        puts_ = puts;
        sleeps_ = sleeps;
        step_ = Step::locking;
    }
    bool puts() const {
        return puts_;
    }
    /* The library is not waited for any more. */
    void end() {
        step_ = Step::idle;
    }
    bool is_idle() const {
        return step_ == Step::idle;
    }
    bool waits_for_notification() const {
        return step_ == Step::waiting;
    }
    bool has_the_mutex() const {
        return step_ == Step::inside;
    }
    /* rests: may leave off while it has the mutex, and go on at the next poll. */
    plc_poll poll(plc_async_waiter_t *waiter, const plc_waker_t *waker, Random &random, bool rests);

  private:
    enum class Step { idle, locking, inside, waiting };
    bool get_inside(plc_async_waiter_t *waiter, const plc_waker_t *waker);

    Channel &channel_;
    size_t who_ = 0;
    bool puts_ = false;
    bool sleeps_ = false;
    Step step_ = Step::idle;
};

class Channel final : public Room {
  public:
    Channel(size_t index, size_t first_guest);

    /* ---- With the mutex */

    bool is_stuck(bool puts) const {
        return puts ? put_ - got_ == capacity_ : put_ == got_;
    }
    void enter(size_t who) {
        guarded_.enter(who, this);
    }
    void leave(size_t who) {
        guarded_.leave(who, this);
    }
    void pass(bool puts);
    /* A thread begins to wait to put, or to get, until it is notified. */
    void thread_waits(bool puts) {
        ++asleep_[puts];
    }
    void thread_waits_no_more(bool puts) {
        --asleep_[puts];
    }

    plc_mutex_t *mutex() {
        return &locks_->mutex;
    }
    plc_condvar_t *awaited(bool puts) {
        return puts ? &locks_->not_full : &locks_->not_empty;
    }
    void notify(bool puts, Random &random);
    /* A wait has ended that was not cancelled. */
    void was_notified() {
        told_.fetch_add(1, std::memory_order_relaxed);
    }

  protected:
    void use(Worker &worker, Random &random) override;
    void serve_threads(Worker &worker) override;
    bool is_locked() const override {
        return plc_mutex_is_locked(&locks_->mutex);
    }
    void check_and_release() override;
    void renew() override;

  private:
    static constexpr size_t most_items = 4;
    struct Locks {
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        plc_condvar_t not_empty = PLC_CONDVAR_INIT;
        plc_condvar_t not_full = PLC_CONDVAR_INIT;
    };
    bool lock(Worker &worker, Random &random, bool sleeps);
    void use_as_thread(Worker &worker, Random &random, bool puts, bool sleeps);
    void use_as_task(Worker &worker, Random &random, bool puts, bool sleeps);

    std::unique_ptr<Locks> locks_ = std::make_unique<Locks>();
    Guarded guarded_;
    size_t capacity_;
    size_t put_ = 0;
    size_t got_ = 0;
    std::array<size_t, most_items> items_ = {};
    size_t asleep_[2] = {}; /* threads that wait to get, and to put */
    std::atomic<size_t> notified_{0};
    std::atomic<size_t> told_{0};
};

class Peer final : public Guest {
  public:
    explicit Peer(Channel &channel) : channel_(channel), visit_(channel) {}
    bool is_idle() const override {
        return visit_.is_idle();
    }
    bool waits_to(bool put) const {
        return visit_.waits_for_notification() && visit_.puts() == put;
    }

  protected:
    Outcome poll(const plc_waker_t *waker) override {
        if (visit_.is_idle()) {
            renew_waiter();
            visit_.begin(index(), random_.one_in(2), false);
        }
        if (visit_.poll(waiter(), waker, random_, true) == PLC_POLL_READY)
            return Outcome::goes_on;
        if (visit_.has_the_mutex() || channel_.is_closed())
            return Outcome::pending;
        if (random_.one_in(24))
            return Outcome::leaked;
        if (!random_.one_in(8))
            return Outcome::pending;
        plc_async_cancel(waiter());
        cancelled();
        return Outcome::goes_on;
    }
    void cancelled() override {
        visit_.end();
    }
    void meddle(size_t who) override {
        if (!plc_mutex_try_lock(channel_.mutex()))
            return;
        channel_.enter(who);
        channel_.leave(who);
        plc_mutex_unlock(channel_.mutex());
    }

  private:
    Channel &channel_;
    Visit visit_;
};

/* ---- A visit */

bool Visit::get_inside(plc_async_waiter_t *waiter, const plc_waker_t *waker) {
    const bool waits = step_ == Step::waiting;
    const plc_poll result = waits ? plc_condvar_wait_async(channel_.awaited(puts_), channel_.mutex(), waiter, waker)
                                  : plc_mutex_lock_async(channel_.mutex(), waiter, waker);
    if (result == PLC_POLL_PENDING)
        return false;
    if (waits)
        channel_.was_notified();
    channel_.enter(who_);
    if (waits && sleeps_)
        channel_.thread_waits_no_more(puts_);
    step_ = Step::inside;
    return true;
}

plc_poll Visit::poll(plc_async_waiter_t *waiter, const plc_waker_t *waker, Random &random, bool rests) {
    if (step_ != Step::inside) {
        if (!get_inside(waiter, waker))
            return PLC_POLL_PENDING;
        if (rests && random.one_in(4)) {
            plc_waker_wake_by_ref(waker);
            return PLC_POLL_PENDING;
        }
    }
    const bool stuck = channel_.is_stuck(puts_);
    if (stuck && !channel_.is_closed()) {
        if (sleeps_)
            channel_.thread_waits(puts_);
        channel_.leave(who_);
        step_ = Step::waiting;
        if (plc_condvar_wait_async(channel_.awaited(puts_), channel_.mutex(), waiter, waker) != PLC_POLL_PENDING)
            fail("channel %p: the first poll of a wait is not pending", static_cast<void *>(&channel_));
        return PLC_POLL_PENDING;
    }
    if (!stuck)
        channel_.pass(puts_);
    channel_.leave(who_);
    step_ = Step::idle;
    const bool before_unlock = random.one_in(2);
    if (!stuck && before_unlock)
        channel_.notify(!puts_, random);
    plc_mutex_unlock_async(channel_.mutex());
    if (!stuck && !before_unlock)
        channel_.notify(!puts_, random);
    return PLC_POLL_READY;
}

/* ---- The channel */

Channel::Channel(size_t index, size_t first_guest) : capacity_(1 + index % most_items) {
    add_guests<Peer>(index % 2 ? 10 : 5, first_guest, *this);
}

void Channel::pass(bool puts) {
    if (puts) {
        items_[put_ % capacity_] = put_;
        ++put_;
    } else {
        if (items_[got_ % capacity_] != got_)
            fail("channel %p: item %zu is out of turn", static_cast<void *>(this), got_);
        ++got_;
    }
}

void Channel::notify(bool puts, Random &random) {
    const size_t notified = random.one_in(6) ? plc_condvar_notify_all(awaited(puts))
                                             : static_cast<size_t>(plc_condvar_notify_one(awaited(puts)));
    notified_.fetch_add(notified, std::memory_order_relaxed);
}

bool Channel::lock(Worker &worker, Random &random, bool sleeps) {
    worker.at(sleeps ? "task channel: lock" : "task channel: lock for a while", mutex());
    if (!sleeps) {
        const plc_deadline_t deadline = soon(random);
        if (random.one_in(2))
            return plc_mutex_try_lock(mutex());
        const bool taken = plc_mutex_lock_until(mutex(), deadline);
        if (!taken)
            check_time_out(deadline, "lock_until", mutex());
        return taken;
    }
    thread_sleeps();
    if (random.one_in(2))
        plc_mutex_lock(mutex());
    else if (!plc_mutex_lock_until(mutex(), far(random)))
        fail("lock_until of %p timed out long before its deadline", static_cast<void *>(mutex()));
    thread_woke();
    return true;
}

void Channel::use(Worker &worker, Random &random) {
    const bool puts = random.one_in(2);
    const bool sleeps = random.one_in(2) && worker.sleepers().may_sleep();
    if (random.one_in(3))
        use_as_task(worker, random, puts, sleeps);
    else
        use_as_thread(worker, random, puts, sleeps);
    if (sleeps)
        worker.sleepers().woke();
}

void Channel::use_as_thread(Worker &worker, Random &random, bool puts, bool sleeps) {
    if (!lock(worker, random, sleeps))
        return;
    enter(worker.index());
    /* To get the mutex again after a wait may take until somebody polls a task: for sleepers only. */
    while (sleeps && is_stuck(puts)) {
        worker.at("task channel: wait", awaited(puts));
        thread_waits(puts);
        leave(worker.index());
        if (!plc_condvar_wait_until(awaited(puts), mutex(), far(random)))
            fail("a wait on condvar %p timed out long before its deadline", static_cast<void *>(awaited(puts)));
        was_notified();
        enter(worker.index());
        thread_waits_no_more(puts);
    }
    worker.at("task channel: unlock", mutex());
    const bool passes = !is_stuck(puts);
    if (passes)
        pass(puts);
    leave(worker.index());
    const bool before_unlock = random.one_in(2);
    if (passes && before_unlock)
        notify(!puts, random);
    random.one_in(4) ? plc_mutex_unlock_fair(mutex()) : plc_mutex_unlock(mutex());
    if (passes && !before_unlock)
        notify(!puts, random);
}

/* A thread that runs a task, and nothing else meanwhile. */
class Blocked {
  public:
    Blocked(Channel &channel, Random &random) : visit(channel), random_(random) {}

    static plc_poll poll(void *context, const plc_waker_t *waker) {
        auto *const self = static_cast<Blocked *>(context);
        return self->visit.poll(&self->waiter, waker, self->random_, false);
    }
    Visit visit;
    plc_async_waiter_t waiter = PLC_ASYNC_WAITER_INIT;

  private:
    Random &random_;
};

void Channel::use_as_task(Worker &worker, Random &random, bool puts, bool sleeps) {
    Blocked blocked(*this, random);
    const plc_deadline_t deadline = sleeps ? far(random) : soon(random);
    worker.at(sleeps ? "task channel: block_on" : "task channel: block_on for a while", mutex());
    blocked.visit.begin(worker.index(), puts, sleeps);
    switch (plc_block_on_until(Blocked::poll, &blocked, deadline)) {
    case PLC_BLOCK_ON_READY:
        return;
    case PLC_BLOCK_ON_NO_MEMORY:
        fail("no memory");
    case PLC_BLOCK_ON_TIMED_OUT:
        if (sleeps)
            fail("block_on timed out long before its deadline");
        check_time_out(deadline, "block_on", this);
        plc_async_cancel(&blocked.waiter);
    }
}

void Channel::serve_threads(Worker &worker) {
    Random random(worker.index());
    if (!plc_mutex_try_lock(mutex()))
        return;
    enter(worker.index());
    bool passes = false;
    bool puts = false;
    for (const bool waiting_to_put : {false, true}) {
        if (!passes && asleep_[waiting_to_put] != 0 && is_stuck(waiting_to_put)) {
            passes = true;
            puts = !waiting_to_put;
            pass(puts);
        }
    }
    leave(worker.index());
    plc_mutex_unlock(mutex());
    if (passes)
        notify(!puts, random);
}

/* A task that waits on a condvar is in its queue, and for a reason; and nobody else is. */
void Channel::check_and_release() {
    for (const bool puts : {false, true}) {
        const size_t waiting =
            count_guests([puts](const Guest &guest) { return static_cast<const Peer &>(guest).waits_to(puts); });
        if (waiting != 0 && !is_stuck(puts))
            fail("channel %p: %zu tasks wait to %s, and nothing keeps them from it", static_cast<void *>(this), waiting,
                 puts ? "put" : "get");
        const size_t notified = plc_condvar_notify_all(awaited(puts));
        notified_.fetch_add(notified, std::memory_order_relaxed);
        if (notified != waiting)
            fail("channel %p: %zu tasks wait to %s, %zu are queued", static_cast<void *>(this), waiting,
                 puts ? "put" : "get", notified);
    }
}

void Channel::renew() {
    guarded_.check(this);
    if (locks_->mutex.state != 0 || locks_->not_empty.state != 0 || locks_->not_full.state != 0)
        fail("channel %p: its locks were left in use", static_cast<void *>(this));
    if (told_ > notified_)
        fail("channel %p: %zu waits ended, by %zu notifications", static_cast<void *>(this), told_.load(),
             notified_.load());
    locks_ = std::make_unique<Locks>();
}

} // namespace

std::unique_ptr<Part> make_task_channels(const Configuration &configuration) {
    return std::make_unique<Rooms<Channel>>(std::min(configuration.objects + 1, size_t{8}), 10'000);
}

} // namespace torture
