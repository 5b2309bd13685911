/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Letter boxes: each waiter brings a condition variable on its own stack, which is gone as soon as it was notified. */
#include <cstring>
#include <plc/condvar.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

/* One who waits for a letter. */
struct Recipient {
    plc_condvar_t condvar;
    bool is_timed;
    bool has_letter;
    bool was_found; /* what notify said */
    Recipient *next;
};

class LetterBox {
  public:
    void operate(Worker &worker, Random &random) {
        if (random.one_in(2))
            deliver(worker, random);
        else if (random.one_in(2))
            wait(worker, true, soon(random));
        else if (worker.sleepers().may_sleep())
            wait_asleep(worker, random);
    }
    void deliver(Worker &worker, Random &random) {
        const bool notify_all = random.one_in(2);
        const bool before_unlock = random.one_in(2);
        worker.at("letter box: deliver", this);
        plc_mutex_lock(&mutex_);
        guarded_.enter(worker.index(), this);
        Recipient *first = first_;
        bool notify_later = false;
        if (first) {
            first_ = first->next;
            if (!first_)
                last_ = &first_;
            first->has_letter = true;
            /* One that waits without a deadline is still there after the unlock: only a notification lets it go. */
            notify_later = !first->is_timed && !before_unlock;
            if (!notify_later)
                first->was_found = notify(first, notify_all);
        }
        guarded_.leave(worker.index(), this);
        plc_mutex_unlock(&mutex_);
        if (notify_later && !notify(first, notify_all))
            fail("letter box: the waiter on condvar %p was not found", static_cast<void *>(&first->condvar));
    }
    bool is_empty(Worker &worker) {
        plc_mutex_lock(&mutex_);
        guarded_.enter(worker.index(), this);
        const bool empty = first_ == nullptr;
        guarded_.leave(worker.index(), this);
        plc_mutex_unlock(&mutex_);
        return empty;
    }
    void check() const {
        guarded_.check(this);
        if (first_ || mutex_.state != 0)
            fail("letter box %p was left in use", static_cast<const void *>(this));
    }

  private:
    static bool notify(Recipient *recipient, bool all) {
        return all ? plc_condvar_notify_all(&recipient->condvar) != 0 : plc_condvar_notify_one(&recipient->condvar);
    }
    void wait_asleep(Worker &worker, Random &random) {
        wait(worker, false, far(random));
        worker.sleepers().woke();
    }
    void wait(Worker &worker, bool is_timed, plc_deadline_t deadline) {
        Recipient self = {PLC_CONDVAR_INIT, is_timed, false, false, nullptr};
        worker.at("letter box: wait", &self.condvar);
        plc_mutex_lock(&mutex_);
        guarded_.enter(worker.index(), this);
        *last_ = &self;
        last_ = &self.next;
        guarded_.leave(worker.index(), this);
        const bool notified = plc_condvar_wait_until(&self.condvar, &mutex_, deadline);
        guarded_.enter(worker.index(), this);
        if (!notified)
            check_time_out(deadline, "wait_until", &self.condvar);
        if (notified && !self.has_letter)
            fail("a wait on condvar %p ended for no reason", static_cast<void *>(&self.condvar));
        if (is_timed && notified != self.was_found)
            fail("condvar %p: the wait says %d, notify said %d", static_cast<void *>(&self.condvar), notified,
                 self.was_found);
        if (!self.has_letter)
            leave(&self);
        guarded_.leave(worker.index(), this);
        plc_mutex_unlock(&mutex_);
        std::memset(static_cast<void *>(&self), 0xa5, sizeof self); /* who still looks at it sees nonsense */
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    void leave(const Recipient *recipient) {
        Recipient **link = &first_;
        while (*link != recipient)
            link = &(*link)->next;
        *link = recipient->next;
        if (!*link)
            last_ = link;
    }

    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
    Guarded guarded_;
    Recipient *first_ = nullptr;
    Recipient **last_ = &first_;
};

class LetterBoxes final : public Part {
  public:
    explicit LetterBoxes(const Configuration &configuration)
        : count_(configuration.objects), boxes_(std::make_unique<LetterBox[]>(count_)) {}

    void operate(Worker &worker, Random &random) override {
        boxes_[random.below(count_)].operate(worker, random);
    }
    void serve(Worker &worker) override {
        Random random(worker.index());
        for (size_t i = 0; i < count_; ++i) {
            if (!boxes_[i].is_empty(worker))
                boxes_[i].deliver(worker, random);
        }
    }
    void check() override {
        for (size_t i = 0; i < count_; ++i)
            boxes_[i].check();
    }

  private:
    size_t count_;
    std::unique_ptr<LetterBox[]> boxes_;
};

} // namespace

std::unique_ptr<Part> make_letter_boxes(const Configuration &configuration) {
    return std::make_unique<LetterBoxes>(configuration);
}

} // namespace torture
