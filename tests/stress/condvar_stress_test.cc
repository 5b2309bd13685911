/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The condition variable under load: nothing lost, nothing invented, and no touch of a condvar that is gone. */
#include <plc/condvar.h>

#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <thread>
#include <utility>
#include <vector>

#include "support/internal.h"
#include "support/stress.h"
#include "sync/condvar.h"

namespace {

using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

const plc_lock_ops std_mutex_ops = {
    [](void *lock) { static_cast<std::mutex *>(lock)->unlock(); },
    [](void *lock) { static_cast<std::mutex *>(lock)->lock(); },
};

/* A condvar alone in its page, which is unmapped when it goes: any touch after that is a crash. */
class MappedCondvar {
  public:
    static plc_condvar_t *create() {
        return static_cast<plc_condvar_t *>(plc_os_pages_alloc(sizeof(plc_condvar_t)));
    }
    static void destroy(plc_condvar_t *condvar) {
        plc_os_pages_free(condvar, sizeof *condvar);
    }
};

/* ---- Producers and consumers */

struct QueueShape {
    size_t producers;
    size_t consumers;
    size_t capacity;
    bool notify_held;
};

class CondvarQueueStress : public testing::TestWithParam<QueueShape> {
  protected:
    void put(uint32_t item) {
        plc_mutex_lock(&mutex_);
        while (count_ == items_.size())
            plc_condvar_wait(&not_full_, &mutex_);
        items_[(first_ + count_) % items_.size()] = item;
        ++count_;
        notify_and_unlock(&not_empty_);
    }

    /* False once all items have been taken. */
    bool take(uint32_t *item) {
        plc_mutex_lock(&mutex_);
        while (count_ == 0 && to_take_ != 0)
            plc_condvar_wait(&not_empty_, &mutex_);
        if (to_take_ == 0) {
            plc_mutex_unlock(&mutex_);
            return false;
        }
        *item = items_[first_];
        first_ = (first_ + 1) % items_.size();
        --count_;
        if (--to_take_ == 0)
            plc_condvar_notify_all(&not_empty_); /* the other consumers may go home */
        notify_and_unlock(&not_full_);
        return true;
    }

    void notify_and_unlock(plc_condvar_t *condvar) {
        if (GetParam().notify_held)
            plc_condvar_notify_one(condvar);
        plc_mutex_unlock(&mutex_);
        if (!GetParam().notify_held)
            plc_condvar_notify_one(condvar);
    }

    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
    plc_condvar_t not_empty_ = PLC_CONDVAR_INIT;
    plc_condvar_t not_full_ = PLC_CONDVAR_INIT;
    std::vector<uint32_t> items_; /* guarded by mutex_, as are the following */
    size_t first_ = 0;
    size_t count_ = 0;
    size_t to_take_ = 0;
};

TEST_P(CondvarQueueStress, EveryItemArrivesOnce) {
    const QueueShape shape = GetParam();
    const size_t per_producer = scaled(40000) / shape.producers + 1;
    const size_t total = per_producer * shape.producers;
    std::vector<std::atomic<uint8_t>> taken(total);
    items_.resize(shape.capacity);
    to_take_ = total;
    run_threads(shape.producers + shape.consumers, [&](size_t index) {
        uint32_t item;
        if (index < shape.producers)
            for (size_t i = 0; i < per_producer; ++i)
                put(static_cast<uint32_t>(index * per_producer + i));
        else
            while (take(&item))
                taken[item].fetch_add(1, std::memory_order_relaxed);
    });
    for (size_t item = 0; item < total; ++item)
        ASSERT_EQ(taken[item].load(), 1) << "item " << item;
    EXPECT_EQ(not_empty_.state, 0u);
    EXPECT_EQ(not_full_.state, 0u);
    EXPECT_EQ(mutex_.state, 0u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, CondvarQueueStress,
                         testing::Values(QueueShape{1, 1, 1, false}, QueueShape{1, 1, 1, true},
                                         QueueShape{1, 1, 1000, false}, QueueShape{4, 4, 1, false},
                                         QueueShape{4, 4, 1, true}, QueueShape{4, 4, 10, true},
                                         QueueShape{1, 8, 100, true}, QueueShape{8, 1, 100, false},
                                         QueueShape{16, 16, 1000, true}),
                         [](const testing::TestParamInfo<QueueShape> &instance) {
                             const QueueShape &shape = instance.param;
                             return std::to_string(shape.producers) + "to" + std::to_string(shape.consumers) + "by" +
                                    std::to_string(shape.capacity) + (shape.notify_held ? "held" : "after");
                         });

/* ---- Deadlines against notifications */

/* How a thread waits on the condvar that all share, and how it may be notified. */
struct Contest {
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
    plc_mutex_t mutexes[2] = {};
    std::mutex other;
    bool degrade = false;  /* two mutexes and another lock, all at once */
    bool endless = false;  /* some waits have no deadline */
    bool any_lock = false; /* only locks of another type */

    plc_deadline_t random_deadline(Random &random) const {
        if (endless && random.one_in(2))
            return PLC_NO_DEADLINE;
        return plc_test::after(plc_test::clocks[random.below(2)], static_cast<int64_t>(random.below(100'000)));
    }

    bool wait(Random &random) {
        plc_condvar_request request = {};
        const size_t choice = any_lock ? 2 : degrade ? random.below(3) : 0;
        request.deadline = random_deadline(random);
        request.degrade = degrade;
        if (choice == 2) {
            const std::lock_guard<std::mutex> guard(other);
            request.ops = &std_mutex_ops;
            request.lock = &other;
            return plc_condvar_wait_core_(&condvar, &request);
        }
        request.mutex = &mutexes[choice];
        plc_mutex_lock(request.mutex);
        const bool notified = plc_condvar_wait_core_(&condvar, &request);
        EXPECT_TRUE(plc_mutex_is_locked(request.mutex));
        plc_mutex_unlock(request.mutex);
        return notified;
    }

    size_t notify(Random &random) {
        const bool held = random.one_in(2);
        if (held)
            plc_mutex_lock(&mutexes[0]);
        const size_t notified =
            random.one_in(4) ? plc_condvar_notify_all(&condvar) : static_cast<size_t>(plc_condvar_notify_one(&condvar));
        for (size_t i = random.below(200); held && i > 0; --i)
            plc_cpu_relax(); /* deadlines may pass in the mutex's queue */
        if (held)
            plc_mutex_unlock(&mutexes[0]);
        return notified;
    }
};

/* Each notification that was counted ended one wait as "notified", and no other wait ended so. */
void expect_conservation(Contest &contest, size_t waiters, size_t notifiers, size_t waits_each) {
    std::atomic<size_t> sent = 0;
    std::atomic<size_t> received = 0;
    std::atomic<size_t> waiters_left = waiters;
    run_threads(waiters + notifiers, [&](size_t index, Random &random) {
        size_t count = 0;
        if (index < waiters) {
            for (size_t i = 0; i < waits_each; ++i)
                count += contest.wait(random);
            received += count;
            --waiters_left;
        } else {
            while (waiters_left != 0) {
                count += contest.notify(random);
                if (random.one_in(8))
                    std::this_thread::yield();
            }
            sent += count;
        }
    });
    EXPECT_EQ(sent, received);
    EXPECT_EQ(contest.condvar.state, 0u);
    for (const plc_mutex_t &mutex : contest.mutexes)
        EXPECT_EQ(mutex.state, 0u);
}

TEST(CondvarStress, DeadlinesAgainstNotifications) {
    Contest contest;
    expect_conservation(contest, 6, 2, scaled(5000));
}

/* One waiter: each time-out is that of the last one, which clears the word. */
TEST(CondvarStress, LastDeadlineAgainstNotifications) {
    Contest contest;
    expect_conservation(contest, 1, 2, scaled(10000));
}

TEST(CondvarStress, EndlessWaitsAreAllNotified) {
    Contest contest;
    contest.endless = true;
    expect_conservation(contest, 8, 2, scaled(5000));
}

TEST(CondvarStress, AnyLocksAgainstNotifications) {
    Contest contest;
    contest.any_lock = true;
    expect_conservation(contest, 6, 2, scaled(5000));
}

TEST(CondvarStress, MixedLocksDegrade) {
    Contest contest;
    contest.degrade = true;
    contest.endless = true;
    expect_conservation(contest, 6, 2, scaled(5000));
}

/* One thread waits in turn with one mutex and with another, which is right as it is alone. A notification that saw the
   first of them in the word must not move the waiter to that one's queue. */
TEST(CondvarStress, MutexesInTurn) {
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
    plc_mutex_t mutexes[2] = {};
    size_t counts[2] = {}; /* each guarded by its mutex */
    const size_t rounds = scaled(5000);
    std::atomic<bool> done = false;
    std::atomic<size_t> sent = 0;
    run_threads(4, [&](size_t index, Random &random) {
        if (index == 0) {
            for (size_t r = 0; r < rounds; ++r) {
                plc_mutex_lock(&mutexes[r % 2]);
                plc_condvar_wait(&condvar, &mutexes[r % 2]);
                ++counts[r % 2];
                plc_mutex_unlock(&mutexes[r % 2]);
            }
            done = true;
        }
        while (!done) {
            while (plc_load_relaxed(&condvar.state) == 0 && !done)
                std::this_thread::yield();
            const size_t held = random.below(3);
            if (held < 2)
                plc_mutex_lock(&mutexes[held]);
            sent += plc_condvar_notify_one(&condvar);
            if (held < 2)
                plc_mutex_unlock(&mutexes[held]);
        }
    });
    EXPECT_EQ(sent, rounds);
    EXPECT_EQ(counts[0] + counts[1], rounds);
    EXPECT_EQ(mutexes[0].state, 0u);
    EXPECT_EQ(mutexes[1].state, 0u);
}

/* A waiter with another mutex turns the word to "any lock" while a notification is about to move somebody: it must find
   one of the two all the same. */
TEST(CondvarStress, NotificationMeetsDegradation) {
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
    plc_mutex_t mutexes[2] = {};
    const size_t rounds = scaled(3000);
    std::atomic<size_t> started = 0;
    std::atomic<size_t> ended = 0;
    run_threads(3, [&](size_t index) {
        for (size_t r = 1; r <= rounds; ++r) {
            if (index == 2) {
                while (started < 2 * r - 1 || plc_load_relaxed(&condvar.state) == 0)
                    plc_cpu_relax();
                EXPECT_TRUE(plc_condvar_notify_one(&condvar));
                while (ended < 2 * r) {
                    plc_condvar_notify_all(&condvar);
                    std::this_thread::yield();
                }
                continue;
            }
            plc_condvar_request request = {};
            request.mutex = &mutexes[index];
            request.deadline = PLC_NO_DEADLINE;
            request.degrade = true;
            plc_mutex_lock(request.mutex);
            ++started;
            EXPECT_TRUE(plc_condvar_wait_core_(&condvar, &request));
            plc_mutex_unlock(request.mutex);
            ++ended;
            while (ended < 2 * r)
                std::this_thread::yield();
        }
    });
    EXPECT_EQ(condvar.state, 0u);
}

/* Does this build's thread parker sleep in the kernel? One that only spins can't be run with real-time priorities. */
bool parker_sleeps() {
    plc_condvar_t condvar = PLC_CONDVAR_INIT;
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    bool slept = false;
    plc_condvar_request request = {};
    request.mutex = &mutex;
    request.deadline = plc_test::soon();
    request.wait_begin = [](void *context) { *static_cast<bool *>(context) = true; };
    request.wait_end = [](void *) {};
    request.hook_context = &slept;
    plc_mutex_lock(&mutex);
    EXPECT_FALSE(plc_condvar_wait_core_(&condvar, &request));
    plc_mutex_unlock(&mutex);
    return slept;
}

/* A thread that spins or yields for ever in the hope that another moves on would hang here: all are on one processor,
   and where this is allowed they have different real-time priorities. */
TEST(CondvarStress, OneProcessorAndPriorities) {
    const bool with_priorities = parker_sleeps();
    Contest contest;
    std::atomic<size_t> next = 0;
    std::thread host([&] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
        if (pthread_setaffinity_np(pthread_self(), sizeof one, &one) != 0)
            return;
        std::atomic<size_t> sent = 0;
        std::atomic<size_t> received = 0;
        run_threads(4, [&](size_t index, Random &random) {
            sched_param priority = {};
            priority.sched_priority = static_cast<int>(1 + index);
            if (with_priorities) /* not permitted: then without */
                pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority);
            const size_t operations = scaled(500);
            for (size_t i = 0; i < operations; ++i) {
                if (index % 2 == 0)
                    received += contest.wait(random);
                else
                    sent += contest.notify(random);
            }
        });
        EXPECT_EQ(sent, received);
        next = 1;
    });
    host.join();
    if (next == 0)
        GTEST_SKIP() << "this thread may not choose its processor";
    EXPECT_EQ(contest.condvar.state, 0u);
    EXPECT_EQ(contest.mutexes[0].state, 0u);
}

/* ---- Condvars that go away */

struct Broadcast {
    bool held;      /* notify_all under the mutex */
    bool deadlines; /* some waiters give up at about the same time */
    bool any_lock;
};

class CondvarBroadcastStress : public testing::TestWithParam<Broadcast> {
  protected:
    /* What one round of waiting needs; guarded by the lock that the waits use. */
    plc_condvar_t *condvar_ = nullptr;
    size_t round_ = 0;
    size_t waiting_ = 0;
    size_t notified_ = 0;
    size_t done_ = 0;

    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
    std::mutex other_;
    plc_condvar_t progress_ = PLC_CONDVAR_INIT; /* outlives the rounds */

    void lock() {
        GetParam().any_lock ? other_.lock() : plc_mutex_lock(&mutex_);
    }
    void unlock() {
        GetParam().any_lock ? other_.unlock() : plc_mutex_unlock(&mutex_);
    }
    bool wait(plc_condvar_t *condvar, plc_deadline_t deadline) {
        return GetParam().any_lock ? plc_condvar_wait_any_until(condvar, &std_mutex_ops, &other_, deadline)
                                   : plc_condvar_wait_until(condvar, &mutex_, deadline);
    }
    /* Waits, with the lock held, until count has the value. */
    void await(const size_t &count, size_t value) {
        while (count != value)
            wait(&progress_, PLC_NO_DEADLINE);
    }

    void be_notified(size_t round, Random &random) {
        lock();
        await(round_, round);
        ++waiting_;
        plc_condvar_notify_all(&progress_);
        notified_ += wait(condvar_, GetParam().deadlines ? plc_test::after(PLC_CLOCK_MONOTONIC,
                                                                           static_cast<int64_t>(random.below(30'000)))
                                                         : PLC_NO_DEADLINE);
        ++done_;
        plc_condvar_notify_all(&progress_);
        unlock();
    }

    void broadcast_and_unmap(size_t round, size_t waiters) {
        const Broadcast how = GetParam();
        lock();
        condvar_ = MappedCondvar::create();
        ASSERT_NE(condvar_, nullptr);
        waiting_ = notified_ = done_ = 0;
        round_ = round;
        plc_condvar_notify_all(&progress_);
        await(waiting_, waiters);
        if (!how.held)
            unlock();
        const size_t count = plc_condvar_notify_all(condvar_);
        MappedCondvar::destroy(condvar_);
        if (!how.held)
            lock();
        await(done_, waiters);
        EXPECT_EQ(notified_, count);
        EXPECT_TRUE(count == waiters || (how.deadlines && count < waiters)) << count;
        unlock();
    }
};

/* The notifier unmaps the condvar right after notify_all has returned. */
TEST_P(CondvarBroadcastStress, UnmappedAtOnce) {
    constexpr size_t waiters = 4;
    const size_t rounds = scaled(2000);
    run_threads(waiters + 1, [&](size_t index, Random &random) {
        for (size_t round = 1; round <= rounds; ++round) {
            if (index < waiters)
                be_notified(round, random);
            else
                broadcast_and_unmap(round, waiters);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(Ways, CondvarBroadcastStress,
                         testing::Values(Broadcast{false, false, false}, Broadcast{true, false, false},
                                         Broadcast{false, true, false}, Broadcast{true, true, false},
                                         Broadcast{false, false, true}, Broadcast{false, true, true}),
                         [](const testing::TestParamInfo<Broadcast> &instance) {
                             const Broadcast &how = instance.param;
                             return std::string(how.held ? "Held" : "After") + (how.deadlines ? "Deadlines" : "") +
                                    (how.any_lock ? "AnyLock" : "");
                         });

/* The waiter unmaps the condvar as soon as it is woken, while the notifier may still be inside its call. */
TEST(CondvarStress, WokenWaiterUnmaps) {
    const size_t rounds = scaled(10000);
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_condvar_t somebody_waits = PLC_CONDVAR_INIT;
    plc_condvar_t *condvar = nullptr; /* guarded by mutex; null: nobody waits */
    run_threads(2, [&](size_t index, Random &random) {
        for (size_t r = 0; r < rounds; ++r) {
            plc_mutex_lock(&mutex);
            if (index == 0) {
                plc_condvar_t *const mine = MappedCondvar::create();
                ASSERT_NE(mine, nullptr);
                condvar = mine;
                plc_condvar_notify_one(&somebody_waits);
                plc_condvar_wait(mine, &mutex);
                plc_mutex_unlock(&mutex);
                MappedCondvar::destroy(mine);
                continue;
            }
            while (!condvar)
                plc_condvar_wait(&somebody_waits, &mutex);
            plc_condvar_t *const theirs = std::exchange(condvar, nullptr);
            const bool held = random.one_in(4);
            if (!held)
                plc_mutex_unlock(&mutex);
            EXPECT_EQ(random.one_in(2) ? plc_condvar_notify_all(theirs)
                                       : static_cast<size_t>(plc_condvar_notify_one(theirs)),
                      1u);
            if (held)
                plc_mutex_unlock(&mutex);
        }
    });
}

} // namespace
