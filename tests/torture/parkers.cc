/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Letters for threads that park: on parkers of one word, on their own, in block_on, woken through a place for a waker. */
#include <plc/atomic_waker.h>
#include <plc/block_on.h>
#include <plc/unparker.h>
#include <plc/waiters.h>
#include <plc/word_parker.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

/* One thread's mailbox, and what it parks on. */
class Mailbox {
  public:
    virtual ~Mailbox() = default;

    /* Leaves a letter if there is none. Beside a letter only stormy ones are unparked again: elsewhere a wake
       that is lost is not made good. */
    void post(Worker &worker, Random &random, bool stormy) {
        unsigned empty = EMPTY;
        worker.at("parker: post", this);
        if (state_.compare_exchange_strong(empty, WRITING, std::memory_order_acquire, std::memory_order_relaxed)) {
            letter_ = worker.index();
            copy_ = ~letter_;
            state_.store(FULL, std::memory_order_release);
            unpark();
        } else if (!stormy) {
            return;
        }
        for (size_t more = stormy ? random.below(4) : 0; more > 0; --more)
            unpark();
    }
    /* The owner: waits for a letter. */
    void wait(Worker &worker, Random &random) {
        const bool sleeps = random.one_in(2) && worker.sleepers().may_sleep();
        const plc_deadline_t deadline = sleeps ? far(random) : soon(random);
        worker.at(sleeps ? "parker: park" : "parker: park for a while", this);
        asleep_.store(sleeps, std::memory_order_relaxed);
        if (!park_until_letter(deadline)) {
            if (sleeps)
                fail("parker %p timed out long before its deadline", static_cast<void *>(this));
            check_time_out(deadline, "a park", this);
        }
        asleep_.store(false, std::memory_order_relaxed);
        if (sleeps)
            worker.sleepers().woke();
    }
    /* For an owner that nobody is about to wake. */
    void serve(Worker &worker, Random &random) {
        if (asleep_.load(std::memory_order_relaxed))
            post(worker, random, false);
    }

  protected:
    virtual void unpark() = 0;
    /* False: the deadline passed without a letter. */
    virtual bool park_until_letter(plc_deadline_t deadline) = 0;

    bool has_letter() const {
        return state_.load(std::memory_order_relaxed) == FULL;
    }
    bool take() {
        if (state_.load(std::memory_order_acquire) != FULL)
            return false;
        if (letter_ != ~copy_)
            fail("parker %p: half a letter", static_cast<void *>(this));
        state_.store(EMPTY, std::memory_order_release);
        return true;
    }
    /* Parks again and again: a permit may be an old letter's, or anybody's. */
    template <typename Park>
    bool take_or_park(Park park) {
        while (!take()) {
            if (!park())
                return take();
        }
        return true;
    }

  private:
    enum { EMPTY, WRITING, FULL };
    std::atomic<unsigned> state_{EMPTY};
    std::atomic<bool> asleep_{false};
    size_t letter_ = 0;
    size_t copy_ = ~size_t{0};
};

/* A parker of either kind, by its three calls. */
template <typename Parker, void (*unpark_it)(Parker *), void (*park_on)(Parker *),
          bool (*park_on_until)(Parker *, plc_deadline_t)>
class OfParker final : public Mailbox {
  protected:
    void unpark() override {
        unpark_it(&parker_);
    }
    bool park_until_letter(plc_deadline_t deadline) override {
        return take_or_park([&] {
            if (!plc_deadline_is_never(deadline))
                return park_on_until(&parker_, deadline);
            park_on(&parker_);
            return true;
        });
    }

  private:
    Parker parker_ = {}; /* as both initialisers have it */
};

using OfTokenParker = OfParker<plc_parker_t, plc_parker_unpark, plc_parker_park, plc_parker_park_until>;
using OfWordParker =
    OfParker<plc_word_parker_t, plc_word_parker_unpark, plc_word_parker_park, plc_word_parker_park_until>;

/* Who waits registers a waker; who posts wakes what was registered last, or nobody. */
class OfPlace : public Mailbox {
  public:
    ~OfPlace() override {
        plc_waker_t left = plc_atomic_waker_take(&place_);
        plc_waker_drop(&left);
    }

  protected:
    void unpark() override {
        plc_atomic_waker_wake(&place_);
    }

    plc_atomic_waker_t place_ = PLC_ATOMIC_WAKER_INIT;
};

/* Each of the owner's threads parks on its own. */
class OfUnparker final : public OfPlace {
  protected:
    bool park_until_letter(plc_deadline_t deadline) override {
        plc_unparker_t *const mine = plc_unparker_current();
        if (!mine)
            fail("no memory");
        const bool taken = take_or_park([&] {
            plc_atomic_waker_register(&place_, plc_unparker_into_waker(plc_unparker_clone(mine)));
            return has_letter() || plc_park_current_until(deadline);
        });
        plc_unparker_drop(mine);
        return taken;
    }
};

class OfBlockOn final : public OfPlace {
  protected:
    bool park_until_letter(plc_deadline_t deadline) override {
        const plc_block_on_status status = plc_block_on_until(poll, this, deadline);
        if (status == PLC_BLOCK_ON_NO_MEMORY)
            fail("no memory");
        return status == PLC_BLOCK_ON_READY;
    }

  private:
    static plc_poll poll(void *context, const plc_waker_t *waker) {
        auto *const self = static_cast<OfBlockOn *>(context);
        plc_atomic_waker_register_by_ref(&self->place_, waker);
        return self->take() ? PLC_POLL_READY : PLC_POLL_PENDING;
    }
};

class Parkers final : public Part {
  public:
    explicit Parkers(const Configuration &configuration) {
        for (size_t i = 0; i < configuration.threads; ++i) {
            mailboxes_.push_back(std::make_unique<OfTokenParker>());
            mailboxes_.push_back(std::make_unique<OfWordParker>());
            mailboxes_.push_back(std::make_unique<OfUnparker>());
            mailboxes_.push_back(std::make_unique<OfBlockOn>());
        }
    }
    void operate(Worker &worker, Random &random) override {
        if (random.one_in(2)) {
            mailboxes_[worker.index() * kinds + random.below(kinds)]->wait(worker, random);
            return;
        }
        const size_t whose = random.below(mailboxes_.size());
        mailboxes_[whose]->post(worker, random, whose / kinds % 3 == 2);
    }
    void serve(Worker &worker) override {
        Random random(worker.index());
        for (auto &mailbox : mailboxes_)
            mailbox->serve(worker, random);
    }

  private:
    static constexpr size_t kinds = 4;
    std::vector<std::unique_ptr<Mailbox>> mailboxes_;
};

/* ---- Gates: many wait for the next opening */

class Gate {
  public:
    void wait(Worker &worker, Random &random) {
        const bool sleeps = random.one_in(2) && worker.sleepers().may_sleep();
        const plc_deadline_t deadline = sleeps ? far(random) : soon(random);
        const size_t turn = turn_.load(std::memory_order_acquire);
        worker.at(sleeps ? "gate: wait" : "gate: wait for a while", this);
        waiting_[turn % turns].fetch_add(1, std::memory_order_relaxed);
        const plc_waiters_status status = plc_deadline_is_never(deadline)
                                              ? plc_waiters_wait(&waiters_, value_of(turn))
                                              : plc_waiters_wait_until(&waiters_, value_of(turn), deadline);
        waiting_[turn % turns].fetch_sub(1, std::memory_order_relaxed);
        if (status == PLC_WAITERS_WOKEN && turn_.load(std::memory_order_acquire) == turn)
            fail("gate %p: a wait ended, and nobody has opened it", static_cast<void *>(this));
        if (status == PLC_WAITERS_TIMED_OUT && sleeps)
            fail("gate %p: a wait timed out long before its deadline", static_cast<void *>(this));
        if (status == PLC_WAITERS_TIMED_OUT)
            check_time_out(deadline, "a wait", this);
        if (sleeps)
            worker.sleepers().woke();
    }
    /* Not while anybody is there from before the last opening: so who is not woken then is not woken by another one. */
    void open(Worker &worker) {
        worker.at("gate: open", this);
        if (is_busy_.exchange(true, std::memory_order_acquire))
            return;
        const size_t turn = turn_.load(std::memory_order_relaxed);
        if (!anybody_but(turn)) {
            turn_.store(turn + 1, std::memory_order_release);
            plc_waiters_store_and_wake(&waiters_, value_of(turn + 1));
        }
        is_busy_.store(false, std::memory_order_release);
    }
    /* Stores what is there already: nobody is woken, and nobody forgotten. */
    void touch(Worker &worker) {
        unsigned value = plc_waiters_value(&waiters_);
        worker.at("gate: touch", this);
        plc_waiters_compare_exchange(&waiters_, &value, value);
    }
    void serve(Worker &worker) {
        if (waiting_[turn_.load(std::memory_order_relaxed) % turns].load(std::memory_order_relaxed) != 0)
            open(worker);
    }

  private:
    static constexpr size_t turns = 4;
    static unsigned value_of(size_t turn) {
        return static_cast<unsigned>(turn % PLC_WAITERS_VALUES);
    }
    bool anybody_but(size_t turn) const {
        for (size_t i = 0; i < turns; ++i) {
            if (i != turn % turns && waiting_[i].load(std::memory_order_relaxed) != 0)
                return true;
        }
        return false;
    }

    plc_waiters_t waiters_ = PLC_WAITERS_INIT;
    std::atomic<size_t> turn_{0};
    std::atomic<size_t> waiting_[turns] = {};
    std::atomic<bool> is_busy_{false};
};

class Gates final : public Part {
  public:
    explicit Gates(const Configuration &configuration)
        : count_(configuration.objects), gates_(std::make_unique<Gate[]>(count_)) {}

    void operate(Worker &worker, Random &random) override {
        Gate &gate = gates_[random.below(count_)];
        switch (random.below(4)) {
        case 0:
            return gate.open(worker);
        case 1:
            return gate.touch(worker);
        default:
            gate.wait(worker, random);
        }
    }
    void serve(Worker &worker) override {
        for (size_t i = 0; i < count_; ++i)
            gates_[i].serve(worker);
    }

  private:
    size_t count_;
    std::unique_ptr<Gate[]> gates_;
};

} // namespace

std::unique_ptr<Part> make_parkers(const Configuration &configuration) {
    return std::make_unique<Parkers>(configuration);
}

std::unique_ptr<Part> make_gates(const Configuration &configuration) {
    return std::make_unique<Gates>(configuration);
}

} // namespace torture
