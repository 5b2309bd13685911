/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The threads of a round, what they share, and who may sleep until another one wakes it. */
#ifndef PLC_TESTS_TORTURE_WORKER_H
#define PLC_TESTS_TORTURE_WORKER_H

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <pthread.h>

#include "configuration.h"
#include "random.h"
#include "watchdog.h"

namespace torture {

/* How many threads have operations left, and how many of them sleep until somebody does something for them. A thread may
   sleep so only while others do not, and must serve the sleepers before it leaves as the last one that is awake. So a
   round always ends, unless a wake is lost. */
class Sleepers {
  public:
    explicit Sleepers(size_t threads) : word_(static_cast<uint64_t>(threads) << 32) {}

    /* May the caller go to sleep? If so it calls woke() afterwards. */
    bool may_sleep() {
        uint64_t word = word_.load(std::memory_order_relaxed);
        do {
            if (2 * (asleep(word) + 1) > awake_or_asleep(word))
                return false;
        } while (!word_.compare_exchange_weak(word, word + 1, std::memory_order_relaxed));
        return true;
    }
    void woke() {
        word_.fetch_sub(1, std::memory_order_relaxed);
    }
    /* Has the caller left? Not if only sleepers would be left behind. */
    bool leave() {
        uint64_t word = word_.load(std::memory_order_relaxed);
        do {
            if (asleep(word) != 0 && asleep(word) + 1 >= awake_or_asleep(word))
                return false;
        } while (!word_.compare_exchange_weak(word, word - (UINT64_C(1) << 32), std::memory_order_relaxed));
        return true;
    }

  private:
    static uint64_t asleep(uint64_t word) {
        return word & UINT32_MAX;
    }
    static uint64_t awake_or_asleep(uint64_t word) {
        return word >> 32;
    }
    std::atomic<uint64_t> word_;
};

class Worker;

/* The objects of a round. Each program has its own kind of world. */
class World {
  public:
    explicit World(const Configuration &configuration)
        : configuration_(configuration), sleepers_(configuration.threads), missing_(configuration.threads) {}
    virtual ~World() = default;

    virtual void operate(Worker &worker, Random random) = 0;
    /* Wakes those that sleep until somebody does something for them. */
    virtual void serve(Worker &worker) = 0;
    /* In a thread that ends, among the destructors of its thread-local data. */
    virtual void at_thread_exit() = 0;
    /* In a signal's handler; may_lock: the thread was not inside the library, or it slept there. */
    virtual void in_handler(bool may_lock) = 0;
    /* When all threads have ended: is everything as it should be? */
    virtual void check() = 0;

    const Configuration &configuration() const {
        return configuration_;
    }
    Sleepers &sleepers() {
        return sleepers_;
    }

    /* All begin together. */
    void begin();

  private:
    Configuration configuration_;
    Sleepers sleepers_;
    std::atomic<size_t> missing_;
};

/* Defined by each program. */
extern const char *const program_name;
std::unique_ptr<World> make_world(const Configuration &configuration, Random random);

/* One of a round's programs; it is run by several threads, one after the other. */
class Worker {
  public:
    Worker(World &world, size_t index, size_t operations, Random random)
        : index_(index), world_(world), operations_(operations), random_(random) {}

    size_t index() const {
        return index_;
    }
    void at(const char *step, const void *object = nullptr) {
        slot(index_).at(step, object);
    }
    Sleepers &sleepers() {
        return world_.sleepers();
    }
    World &world() {
        return world_;
    }
    /* Joins the last of the worker's threads, once it is known. */
    void join();

  private:
    friend class Round;
    size_t index_;
    World &world_;
    size_t operations_;
    Random random_;
    std::atomic<bool> has_ended_{false};
    pthread_t last_thread_ = {};
};

/* Runs a round to its end, or fails. Returns how many operations were done. */
size_t run_round(const Configuration &configuration, uint64_t seed, size_t operations);

/* While one lives on the stack, a signal's handler may use locks: the thread is in its own code. */
class OutsideTheLibrary {
  public:
    OutsideTheLibrary() : before_(set(1)) {}
    ~OutsideTheLibrary() {
        set(before_);
    }
    OutsideTheLibrary(const OutsideTheLibrary &) = delete;
    OutsideTheLibrary &operator=(const OutsideTheLibrary &) = delete;

    static sig_atomic_t set(sig_atomic_t outside);

  private:
    sig_atomic_t before_;
};

/* Sends a signal to a random other thread. */
void send_signal(World &world, Random &random);

/* A little of a thread's own work, in which signals may come. */
void work(Random &random);

/* Keeps the compiler from knowing how long a loop of nothing lasts. */
inline void pause_briefly() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

} // namespace torture

#endif
