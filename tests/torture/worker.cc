/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A round: threads that do random operations, die, are succeeded, and are signalled. */
#include "worker.h"

#include <cerrno>
#include <ctime>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace torture {

namespace {

thread_local volatile sig_atomic_t outside_the_library;
std::atomic<World *> signalled_world{nullptr};

void on_signal(int) {
    const int saved = errno;
    World *world = signalled_world.load(std::memory_order_relaxed);
    if (world)
        world->in_handler(outside_the_library != 0);
    errno = saved;
}

void block_signal(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(how, &set, nullptr);
}

/* Lets threads of any priority run. */
void sleep_briefly() {
    const timespec moment = {0, 50'000};
    nanosleep(&moment, nullptr);
}

int own_thread_id() {
    return static_cast<int>(syscall(SYS_gettid));
}

/* Locks among the destructors of a thread: after the library's own thread-local data was last used, as far as the thread
   knows. */
struct AtExit {
    World *world = nullptr;
    ~AtExit() {
        if (world)
            world->at_thread_exit();
    }
};
thread_local AtExit at_exit;

/* One thread of several that run a worker's program in turn. */
struct Life {
    Worker *worker;
    pthread_t predecessor;
    bool has_predecessor;
};

} // namespace

sig_atomic_t OutsideTheLibrary::set(sig_atomic_t outside) {
    const sig_atomic_t before = outside_the_library;
    outside_the_library = outside;
    return before;
}

void send_signal(World &world, Random &random) {
    const int thread_id = slot(random.below(world.configuration().threads)).thread_id();
    if (thread_id != 0)
        syscall(SYS_tgkill, getpid(), thread_id, SIGUSR1); /* a thread that has ended meanwhile is not found */
}

void work(Random &random) {
    const OutsideTheLibrary outside;
    if (random.one_in(16)) {
        sched_yield();
    } else {
        for (size_t left = random.below(64); left > 0; --left)
            pause_briefly();
    }
}

void World::begin() {
    missing_.fetch_sub(1, std::memory_order_relaxed);
    while (missing_.load(std::memory_order_relaxed) != 0)
        sleep_briefly();
}

void Worker::join() {
    while (!has_ended_.load(std::memory_order_acquire))
        sleep_briefly();
    pthread_join(last_thread_, nullptr);
}

/* The threads of a round. */
class Round {
  public:
    static void *run(void *argument) {
        const std::unique_ptr<Life> life(static_cast<Life *>(argument));
        Worker &worker = *life->worker;
        World &world = worker.world_;
        const Configuration &configuration = world.configuration();
        slot(worker.index_).begin(own_thread_id());
        if (life->has_predecessor) {
            worker.at("joins the thread before it");
            pthread_join(life->predecessor, nullptr);
        } else {
            worker.at("waits for all to begin");
            world.begin();
        }
        at_exit.world = &world;
        enter_configuration(configuration, worker.index_);
        block_signal(SIG_UNBLOCK);
        const bool has_successor = operate_until_end_of_life(worker);
        if (!has_successor)
            finish(worker);
        block_signal(SIG_BLOCK);
        slot(worker.index_).end();
        worker.last_thread_ = pthread_self();
        if (has_successor)
            start(worker, true);
        else
            worker.has_ended_.store(true, std::memory_order_release);
        return nullptr;
    }

    static void start(Worker &worker, bool is_successor) {
        auto life = std::make_unique<Life>();
        *life = {&worker, pthread_self(), is_successor};
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, size_t{256} << 10);
        if (pthread_create(&thread, &attributes, run, life.get()) != 0)
            fail("cannot create a thread");
        life.release(); /* the thread's now */
        pthread_attr_destroy(&attributes);
    }

    static size_t run_all(const Configuration &configuration, uint64_t seed, size_t operations);

  private:
    /* False if the program has ended. */
    static bool operate_until_end_of_life(Worker &worker) {
        const unsigned life = worker.world_.configuration().life;
        while (worker.operations_ > 0) {
            --worker.operations_;
            worker.world_.operate(worker, worker.random_.split());
            slot(worker.index_).done();
            if (life && worker.random_.one_in(life))
                return true;
        }
        return false;
    }
    static void finish(Worker &worker) {
        worker.at("finishes: waits for sleepers to wake up");
        while (!worker.sleepers().leave()) {
            worker.world_.serve(worker);
            sleep_briefly();
        }
    }
};

size_t Round::run_all(const Configuration &configuration, uint64_t seed, size_t operations) {
    Random random(seed);
    const auto world = make_world(configuration, random.split());
    std::vector<std::unique_ptr<Worker>> workers;
    for (size_t i = 0; i < configuration.threads; ++i)
        workers.push_back(std::make_unique<Worker>(*world, i, operations, random.split()));
    signalled_world.store(world.get(), std::memory_order_release);
    for (auto &worker : workers) {
        slot(worker->index_).reset();
        start(*worker, false);
    }
    size_t done = 0;
    for (auto &worker : workers) {
        worker->join();
        done += operations;
    }
    signalled_world.store(nullptr, std::memory_order_release);
    world->check();
    return done;
}

size_t run_round(const Configuration &configuration, uint64_t seed, size_t operations) {
    static const bool installed = [] {
        block_signal(SIG_BLOCK); /* for this thread and those that it starts; workers unblock it */
        struct sigaction action = {};
        action.sa_handler = on_signal;
        return sigaction(SIGUSR1, &action, nullptr) == 0; /* no SA_RESTART: system calls are to fail with EINTR */
    }();
    if (!installed)
        fail("cannot install the signal's handler");
    return Round::run_all(configuration, seed, operations);
}

} // namespace torture
