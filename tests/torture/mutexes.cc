/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Mutexes: every way to lock, to unlock and to let others in, nested in order, with neighbours in the same word. */
#include <plc/mutex.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

class Mutexes final : public Part {
  public:
    explicit Mutexes(const Configuration &configuration)
        : mutexes_(configuration.objects), guarded_(std::make_unique<Guarded[]>(configuration.objects)) {}

    void operate(Worker &worker, Random &random) override {
        const size_t i = random.below(mutexes_.size());
        if (take(worker, random, i))
            section(worker, random, i, 0, true);
    }
    void check() override {
        for (size_t i = 0; i < mutexes_.size(); ++i) {
            guarded_[i].check(&mutexes_[i]);
            if (mutexes_[i].state != 0)
                fail("mutex %p was left with state %u", static_cast<void *>(&mutexes_[i]), mutexes_[i].state);
        }
    }
    void in_child() override {
        for (plc_mutex_t &mutex : mutexes_) {
            if (plc_mutex_try_lock(&mutex))
                plc_mutex_unlock(&mutex);
        }
    }

  private:
    bool take(Worker &worker, Random &random, size_t i) {
        plc_mutex_t *mutex = &mutexes_[i];
        bool taken = true;
        switch (random.below(4)) {
        case 0:
            worker.at("mutex: try_lock", mutex);
            return plc_mutex_try_lock(mutex);
        case 1: {
            const plc_deadline_t deadline = soon(random);
            worker.at("mutex: lock_until soon", mutex);
            taken = plc_mutex_lock_until(mutex, deadline);
            if (!taken)
                check_time_out(deadline, "lock_until", mutex);
            return taken;
        }
        case 2:
            worker.at("mutex: lock_until far", mutex);
            taken = plc_mutex_lock_until(mutex, far(random));
            if (!taken)
                fail("lock_until of %p timed out long before its deadline", static_cast<void *>(mutex));
            return taken;
        default:
            worker.at("mutex: lock", mutex);
            plc_mutex_lock(mutex);
            return taken;
        }
    }
    /* upwards: everything else that the thread holds is before it, so it may be waited for once more. */
    void section(Worker &worker, Random &random, size_t i, unsigned depth, bool upwards) {
        plc_mutex_t *mutex = &mutexes_[i];
        guarded_[i].enter(worker.index(), mutex);
        work(random);
        if (!plc_mutex_is_locked(mutex))
            fail("mutex %p is held but says it is not", static_cast<void *>(mutex));
        if (upwards && depth < 3 && random.one_in(4))
            nest(worker, random, i, depth);
        guarded_[i].leave(worker.index(), mutex);
        if (upwards && random.one_in(8)) {
            worker.at("mutex: bump", mutex);
            plc_mutex_bump(mutex);
            guarded_[i].enter(worker.index(), mutex);
            guarded_[i].leave(worker.index(), mutex);
        }
        worker.at("mutex: unlock", mutex);
        if (random.one_in(4))
            plc_mutex_unlock_fair(mutex);
        else
            plc_mutex_unlock(mutex);
    }
    /* Upwards in any way; downwards only without blocking. */
    void nest(Worker &worker, Random &random, size_t i, unsigned depth) {
        const size_t j = random.below(mutexes_.size());
        if (j == i)
            return;
        worker.at("mutex: nested", &mutexes_[j]);
        if (j > i ? take(worker, random, j) : plc_mutex_try_lock(&mutexes_[j]))
            section(worker, random, j, depth + 1, j > i);
    }

    std::vector<plc_mutex_t> mutexes_; /* side by side, eight to a word */
    std::unique_ptr<Guarded[]> guarded_;
};

} // namespace

std::unique_ptr<Part> make_mutexes(const Configuration &configuration) {
    return std::make_unique<Mutexes>(configuration);
}

} // namespace torture
