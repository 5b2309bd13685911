/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scalable reader-writer locks: readers in the table and at the word, writers that look for them. */
#include <plc/rwlock_scalable.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

class Scalable {
  public:
    /* One in so many operations writes, which closes the table for a while. */
    void operate(Worker &worker, Random &random, size_t writes) {
        if (random.one_in(writes))
            write(worker, random);
        else
            read(worker, random);
    }
    void check() {
        guarded_.check(&lock_);
        if (plc_rwlock_scalable_is_locked(&lock_) || readers_ != 0 || writers_ != 0)
            fail("scalable rwlock %p was left locked", static_cast<void *>(&lock_));
    }
    void in_child() {
        if (plc_rwlock_scalable_try_write_lock(&lock_))
            plc_rwlock_scalable_write_unlock(&lock_);
        if (plc_rwlock_scalable_try_read_lock(&lock_))
            plc_rwlock_scalable_read_unlock(&lock_);
    }

  private:
    static plc_deadline_t some_deadline(Random &random) {
        return random.one_in(4) ? far(random) : soon(random);
    }
    void read(Worker &worker, Random &random) {
        const size_t choice = random.below(4);
        const plc_deadline_t deadline = some_deadline(random);
        worker.at("scalable rwlock: read", &lock_);
        if (choice == 0) {
            if (!plc_rwlock_scalable_try_read_lock(&lock_))
                return;
        } else if (choice == 1) {
            if (!plc_rwlock_scalable_read_lock_until(&lock_, deadline))
                return check_time_out(deadline, "read_lock_until", &lock_);
        } else {
            plc_rwlock_scalable_read_lock(&lock_);
        }
        reading(worker, random);
    }
    void reading(Worker &worker, Random &random) {
        readers_.fetch_add(1, std::memory_order_relaxed);
        if (writers_.load(std::memory_order_relaxed) != 0)
            fail("scalable rwlock %p has a reader and a writer", static_cast<void *>(&lock_));
        guarded_.read(&lock_);
        work(random);
        guarded_.read(&lock_);
        if (!plc_rwlock_scalable_is_locked(&lock_))
            fail("scalable rwlock %p is held but says it is not", static_cast<void *>(&lock_));
        readers_.fetch_sub(1, std::memory_order_relaxed);
        worker.at("scalable rwlock: read_unlock", &lock_);
        plc_rwlock_scalable_read_unlock(&lock_);
    }
    void write(Worker &worker, Random &random) {
        const size_t choice = random.below(4);
        const plc_deadline_t deadline = some_deadline(random);
        worker.at("scalable rwlock: write", &lock_);
        if (choice == 0) {
            if (!plc_rwlock_scalable_try_write_lock(&lock_))
                return;
        } else if (choice == 1) {
            if (!plc_rwlock_scalable_write_lock_until(&lock_, deadline))
                return check_time_out(deadline, "write_lock_until", &lock_);
        } else {
            plc_rwlock_scalable_write_lock(&lock_);
        }
        if (writers_.fetch_add(1, std::memory_order_relaxed) != 0 || readers_.load(std::memory_order_relaxed) != 0)
            fail("scalable rwlock %p has a writer and others", static_cast<void *>(&lock_));
        guarded_.enter(worker.index(), &lock_);
        work(random);
        guarded_.leave(worker.index(), &lock_);
        writers_.fetch_sub(1, std::memory_order_relaxed);
        if (random.one_in(4)) {
            const uint64_t version = guarded_.version();
            worker.at("scalable rwlock: downgrade", &lock_);
            plc_rwlock_scalable_downgrade(&lock_);
            if (guarded_.version() != version)
                fail("scalable rwlock %p: a writer came between two modes", static_cast<void *>(&lock_));
            reading(worker, random);
        } else {
            worker.at("scalable rwlock: write_unlock", &lock_);
            plc_rwlock_scalable_write_unlock(&lock_);
        }
    }

    plc_rwlock_scalable_t lock_ = PLC_RWLOCK_SCALABLE_INIT;
    Guarded guarded_;
    std::atomic<int> readers_{0};
    std::atomic<int> writers_{0};
};

class Scalables final : public Part {
  public:
    explicit Scalables(const Configuration &configuration) : locks_(configuration.objects) {}

    void operate(Worker &worker, Random &random) override {
        static constexpr size_t writes[] = {400, 50, 8};
        const size_t i = random.below(locks_.size());
        locks_[i].operate(worker, random, writes[i % 3]);
    }
    void check() override {
        for (Scalable &lock : locks_)
            lock.check();
    }
    void in_child() override {
        for (Scalable &lock : locks_)
            lock.in_child();
    }

  private:
    std::vector<Scalable> locks_;
};

} // namespace

std::unique_ptr<Part> make_scalables(const Configuration &configuration) {
    return std::make_unique<Scalables>(configuration);
}

} // namespace torture
