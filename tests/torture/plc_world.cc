/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* libplc's world: all parts together, forks, and what threads do at their end and in signal handlers. */
#include <cerrno>
#include <plc/plc.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "part.h"

namespace torture {

const char *const program_name = "plc_torture";

namespace {

/* What handlers and dying threads use. */
class Aside {
  public:
    void lock_and_unlock(size_t who) {
        plc_mutex_lock(&mutex_);
        guarded_.enter(who, &mutex_);
        guarded_.leave(who, &mutex_);
        plc_mutex_unlock(&mutex_);
        plc_rwlock_read_lock(&rwlock_);
        plc_rwlock_read_unlock(&rwlock_);
        const plc_park_ops nothing = {};
        if (plc_park(&key_, &nothing, nullptr, 0, plc_deadline_after_ns(1000)).status == PLC_PARK_INVALID)
            fail("a park that nothing forbids was refused");
        plc_unpark_one(&key_, nullptr, nullptr);
    }
    void check() const {
        guarded_.check(&mutex_);
    }

  private:
    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
    plc_rwlock_t rwlock_ = PLC_RWLOCK_INIT;
    Guarded guarded_;
    char key_ = 0;
};

class PlcWorld final : public World {
  public:
    explicit PlcWorld(const Configuration &configuration) : World(configuration) {
        add(make_mutexes(configuration), 10);
        add(make_rwlocks(configuration), 10);
        add(make_scalables(configuration), 10);
        add(make_channels(configuration), 10);
        add(make_letter_boxes(configuration), 10);
        add(make_onces(configuration), 10);
        add(make_disposables(configuration), 10);
        add(make_semaphores(configuration), 10);
        add(make_task_channels(configuration), 15);
        add(make_task_rwlocks(configuration), 15);
        add(make_parkers(configuration), 8);
        add(make_gates(configuration), 4);
        add(make_crews(configuration), 6);
        add(make_lot(configuration), configuration.lot);
    }

    void operate(Worker &worker, Random random) override {
        if (configuration().fork && random.one_in(configuration().fork))
            return fork_child(worker);
        if (configuration().signal && random.one_in(configuration().signal))
            send_signal(*this, random);
        turns_[random.below(turns_.size())]->operate(worker, random);
    }
    void serve(Worker &worker) override {
        for (auto &part : parts_)
            part->serve(worker);
    }
    void at_thread_exit() override {
        at_exit_.lock_and_unlock(0);
    }
    void in_handler(bool may_lock) override {
        if (may_lock)
            in_handler_.lock_and_unlock(1);
    }
    void check() override {
        for (auto &part : parts_)
            part->check();
        at_exit_.check();
        in_handler_.check();
    }

  private:
    void add(std::unique_ptr<Part> part, size_t weight) {
        turns_.insert(turns_.end(), weight, part.get());
        parts_.push_back(std::move(part));
    }

    /* The child finds the lot empty and everything usable that was not held; it says so by its exit status. */
    void fork_child(Worker &worker) {
        worker.at("fork");
        const pid_t child = fork();
        if (child < 0)
            fail("fork failed: errno %d", errno);
        if (child == 0) {
            this_is_a_child();
            alarm(120); /* a child that hangs fails */
            for (auto &part : parts_)
                part->in_child();
            Aside own;
            own.lock_and_unlock(2);
            own.check();
            _exit(0);
        }
        worker.at("waits for a child");
        int status = 0;
        while (waitpid(child, &status, 0) != child) {
            if (errno != EINTR)
                fail("waitpid failed: errno %d", errno);
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail("the child %d failed: status %#x", static_cast<int>(child), static_cast<unsigned>(status));
    }

    std::vector<std::unique_ptr<Part>> parts_;
    std::vector<Part *> turns_; /* each part as often as its weight */
    Aside at_exit_;
    Aside in_handler_;
};

} // namespace

std::unique_ptr<World> make_world(const Configuration &configuration, Random) {
    return std::make_unique<PlcWorld>(configuration);
}

} // namespace torture
