/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A once: runs end when the program says so, well or badly.
 *
 * Specification: at most one run at a time; a good end is for ever; a bad one lets the next try, or poisons; who waits
 * gets the outcome, or becomes the one that runs. */
#include <algorithm>
#include <plc/once.h>
#include <vector>

#include "subject.h"
#include "support/lot_probe.h"

namespace fuzz {

namespace {

constexpr plc_once_form_ forms[] = {PLC_ONCE_RETRY_, PLC_ONCE_POISON_, PLC_ONCE_FORCE_};

class OnceSubject final : public Subject {
  public:
    void operate(Bytes &bytes) override {
        switch (bytes.below(4)) {
        case 0:
        case 1:
            call(forms[bytes.below(3)], bytes.flag(), bytes.flag());
            break;
        case 2:
            end_run(bytes.flag());
            break;
        default:
            if (state_ == PLC_ONCE_DONE && callers_.empty()) {
                note("once: a new one");
                once_ = PLC_ONCE_INIT;
                state_ = PLC_ONCE_NEW;
            }
        }
        settle();
    }
    bool unwind() override {
        if (state_ != PLC_ONCE_RUNNING)
            return false;
        end_run(true);
        settle();
        return true;
    }
    void check_end() override {
        expect("callers of a once that are left", static_cast<long>(callers_.size()), 0);
    }

  private:
    /* One call by an actor. */
    struct Call {
        OnceSubject *self;
        plc_once_form_ form;
    };

    static bool run(void *argument) {
        const Call *call = static_cast<const Call *>(argument);
        OnceSubject *self = call->self;
        self->runner_form_ = call->form;
        self->inside_.fetch_add(1, std::memory_order_acq_rel);
        int outcome;
        while ((outcome = self->outcome_.load(std::memory_order_acquire)) < 0)
            std::this_thread::yield();
        self->inside_.fetch_sub(1, std::memory_order_acq_rel);
        self->outcome_.store(-1, std::memory_order_release);
        return outcome != 0;
    }
    static bool run_at_once(void *argument) {
        auto *self = static_cast<OnceSubject *>(argument);
        self->ran_at_once_ = true;
        return self->succeeds_at_once_;
    }
    bool call_now(plc_once_form_ form, bool (*function)(void *), void *argument) {
        if (form == PLC_ONCE_RETRY_)
            return plc_once_call(&once_, function, argument);
        return form == PLC_ONCE_POISON_ ? plc_once_call_poison(&once_, function, argument)
                                        : plc_once_call_force(&once_, function, argument);
    }
    bool may_run(plc_once_form_ form) const {
        return state_ == PLC_ONCE_NEW || (state_ == PLC_ONCE_POISONED && form == PLC_ONCE_FORCE_);
    }
    void failed(plc_once_form_ form) {
        state_ = form == PLC_ONCE_RETRY_ ? PLC_ONCE_NEW : PLC_ONCE_POISONED;
    }
    void call(plc_once_form_ form, bool at_once, bool succeeds) {
        const bool ends_at_once = state_ != PLC_ONCE_RUNNING && (at_once || !may_run(form));
        if (!ends_at_once) {
            Actor *actor = idle_actor();
            if (!actor)
                return;
            note("once: call in form %d, %s", form, state_ == PLC_ONCE_RUNNING ? "waits" : "runs");
            callers_.push_back({actor, form, now()});
            actor->start([this, form, result = callers_.back().result] {
                Call call = {this, form};
                *result = call_now(form, run, &call);
            });
            return;
        }
        note("once: call in form %d by a function that %s", form, succeeds ? "succeeds" : "fails");
        const bool runs = may_run(form);
        ran_at_once_ = false;
        succeeds_at_once_ = succeeds;
        const bool done = call_now(form, run_at_once, this);
        expect("whether the function ran", ran_at_once_, runs);
        expect("the result of a call", done, runs ? succeeds : state_ == PLC_ONCE_DONE);
        if (runs && succeeds)
            state_ = PLC_ONCE_DONE;
        else if (runs)
            failed(form);
    }
    void end_run(bool succeeds) {
        if (state_ != PLC_ONCE_RUNNING)
            return;
        note("once: the run %s", succeeds ? "succeeds" : "fails");
        if (succeeds)
            state_ = PLC_ONCE_DONE;
        else
            failed(runner_form_);
        outcome_.store(succeeds, std::memory_order_release);
    }
    static bool is_done(const Pending &pending) {
        return pending.actor->is_done();
    }

    /* ---- Rest */

    void settle() {
        wait_until("once", [this] { return is_at_rest(); });
        expect("state of a once", plc_once_state(&once_), state_);
        expect("is_done", plc_once_is_done(&once_), state_ == PLC_ONCE_DONE);
    }
    bool is_at_rest() {
        while (collect()) {
        }
        /* In this order: a run that has been told to end leaves before it takes back what it was told. */
        const bool may_run_on = outcome_.load(std::memory_order_acquire) < 0;
        const int inside = inside_.load(std::memory_order_acquire);
        if (inside > 1)
            mismatch("once: two runs at a time");
        if (inside == 1 && may_run_on)
            state_ = PLC_ONCE_RUNNING;
        else if (inside == 1 || !callers_.empty())
            return false;
        const size_t waiting = callers_.size() - static_cast<size_t>(inside);
        return plc_test::parked_count(&once_, PLC_WAITER_ONCE) == waiting;
    }
    bool collect() {
        const auto found = std::find_if(callers_.begin(), callers_.end(), is_done);
        if (found == callers_.end())
            return false;
        const Pending caller = *found;
        callers_.erase(found);
        caller.actor->rest();
        if (*caller.result != 0 && plc_once_state(&once_) != PLC_ONCE_DONE)
            mismatch("once: a call says that it is done, but it is not");
        if (*caller.result == 0 && state_ == PLC_ONCE_DONE)
            mismatch("once: a call says that it is not done, but it is");
        return true;
    }

    plc_once_t once_ = PLC_ONCE_INIT;
    plc_once_status state_ = PLC_ONCE_NEW;
    std::atomic<int> inside_{0};
    std::atomic<int> outcome_{-1};                 /* what the run is told to end with */
    plc_once_form_ runner_form_ = PLC_ONCE_RETRY_; /* published by inside_ */
    std::vector<Pending> callers_;                 /* those that wait, and the one that runs */
    bool ran_at_once_ = false;
    bool succeeds_at_once_ = false;
};

} // namespace

std::unique_ptr<Subject> make_once_subject() {
    return std::make_unique<OnceSubject>();
}

} // namespace fuzz
