/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Onces: a row of them, called in all forms by functions that succeed or fail, until each is done or poisoned. */
#include <plc/once.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

class Once {
  public:
    /* Is there anything left to do with it? */
    bool operate(Worker &worker, Random &random) {
        Call call = {this, worker.index(), random.one_in(2), &random};
        bool done = false;
        worker.at("once: call", &once_);
        switch (random.below(4)) {
        case 0:
            done = plc_once_call_poison(&once_, run, &call);
            break;
        case 1:
            done = plc_once_call_force(&once_, run, &call);
            break;
        case 2:
            done = plc_once_is_done(&once_);
            break;
        default:
            done = plc_once_call(&once_, run, &call);
        }
        const plc_once_status status = plc_once_state(&once_);
        if (done && (status != PLC_ONCE_DONE || !plc_once_is_done(&once_)))
            fail("once %p is done no more", static_cast<void *>(&once_));
        if (status == PLC_ONCE_DONE)
            check_result();
        return status == PLC_ONCE_DONE;
    }
    void check() {
        const bool done = plc_once_state(&once_) == PLC_ONCE_DONE;
        if (done != (result_ != 0) || plc_once_state(&once_) == PLC_ONCE_RUNNING)
            fail("once %p was left with state %u and result %zu", static_cast<void *>(&once_), once_.state, result_);
    }

  private:
    struct Call {
        Once *self;
        size_t worker;
        bool succeeds;
        Random *random;
    };
    static bool run(void *argument) {
        Call *call = static_cast<Call *>(argument);
        Once *self = call->self;
        if (self->running_.exchange(true, std::memory_order_relaxed))
            fail("once %p runs twice at a time", static_cast<void *>(&self->once_));
        if (self->result_ != 0)
            fail("once %p runs again after it was done", static_cast<void *>(&self->once_));
        ++self->attempts_;
        work(*call->random);
        if (call->succeeds)
            self->result_ = self->attempts_;
        self->running_.store(false, std::memory_order_relaxed);
        return call->succeeds;
    }
    void check_result() const {
        if (result_ == 0 || result_ != attempts_)
            fail("once %p is done, but attempt %zu of %zu was the last", static_cast<const void *>(&once_), result_,
                 attempts_);
    }

    plc_once_t once_ = PLC_ONCE_INIT;
    std::atomic<bool> running_{false};
    size_t attempts_ = 0; /* plain: each run happens before the next */
    size_t result_ = 0;
};

class Onces final : public Part {
  public:
    explicit Onces(const Configuration &) : onces_(std::make_unique<Once[]>(count)) {}

    void operate(Worker &worker, Random &random) override {
        const size_t now = at_.load(std::memory_order_relaxed);
        const size_t older = random.one_in(8) ? random.below(now + 1) : now;
        if (onces_[older].operate(worker, random) && older == now && now + 1 < count) {
            size_t expected = now;
            at_.compare_exchange_strong(expected, now + 1, std::memory_order_relaxed);
        }
    }
    void check() override {
        for (size_t i = 0; i < count; ++i)
            onces_[i].check();
    }

  private:
    static constexpr size_t count = 4096;
    std::unique_ptr<Once[]> onces_;
    std::atomic<size_t> at_{0}; /* the one that everybody works on */
};

} // namespace

std::unique_ptr<Part> make_onces(const Configuration &configuration) {
    return std::make_unique<Onces>(configuration);
}

} // namespace torture
