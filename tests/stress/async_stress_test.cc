/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Thousands of tasks on a few threads, beside threads, on the same locks: each excludes, nobody is forgotten, and who gives
   up leaves no trace. */
#include <gtest/gtest.h>
#include <plc/async.h>
#include <vector>

#include "support/executor.h"
#include "support/stress.h"

namespace {

using plc_test::Executor;
using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

/* Plain data: a race or a lost update shows that a lock failed. */
struct Counted {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    size_t sections = 0;
    size_t copy = 0;

    void enter() {
        ++sections;
    }
    void leave() {
        copy = sections;
    }
};

constexpr size_t workers = 3;
constexpr size_t threads = 3;
constexpr size_t locks = 4;

/* Locks one of several mutexes again and again; gives up now and then while it waits; goes to sleep inside now and then,
   and may go on on another thread. */
class Locker : public Executor::Runnable {
  public:
    Locker(Counted *counted, size_t rounds, size_t stream) : counted_(counted), rounds_(rounds), random_(stream) {}

    plc_poll poll(const plc_waker_t *waker) override {
        while (rounds_ > 0) {
            if (!inside_) {
                if (plc_mutex_lock_async(&counted_[at_].mutex, &waiter_, waker) == PLC_POLL_PENDING) {
                    if (!random_.one_in(4))
                        return PLC_POLL_PENDING;
                    plc_async_cancel(&waiter_);
                    at_ = random_.below(locks);
                    continue;
                }
                inside_ = true;
                counted_[at_].enter();
                if (random_.one_in(8)) {
                    plc_waker_wake_by_ref(waker);
                    return PLC_POLL_PENDING;
                }
            }
            counted_[at_].leave();
            plc_mutex_unlock_async(&counted_[at_].mutex);
            inside_ = false;
            --rounds_;
            at_ = random_.below(locks);
        }
        return PLC_POLL_READY;
    }

  private:
    Counted *counted_;
    size_t rounds_;
    Random random_;
    size_t at_ = 0;
    bool inside_ = false;
    plc_async_waiter_t waiter_ = PLC_ASYNC_WAITER_INIT;
};

TEST(AsyncStress, TasksAndThreadsShareMutexes) {
    constexpr size_t tasks = 2000;
    const size_t rounds = scaled(25);
    const size_t thread_rounds = scaled(20'000);
    Counted counted[locks];
    Executor executor;
    for (size_t i = 0; i < tasks; ++i)
        executor.add(std::make_unique<Locker>(counted, rounds, 100 + i));
    executor.start();
    std::atomic<size_t> timed_out{0};
    run_threads(workers + threads, [&](size_t self, Random &random) {
        if (self < workers) {
            executor.work();
            return;
        }
        for (size_t i = 0; i < thread_rounds; ++i) {
            Counted &mine = counted[random.below(locks)];
            if (random.one_in(8)) {
                if (!plc_mutex_lock_until(&mine.mutex,
                                          plc_deadline_after_ns(static_cast<int64_t>(random.below(20'000))))) {
                    ++timed_out;
                    continue;
                }
            } else {
                plc_mutex_lock(&mine.mutex);
            }
            mine.enter();
            mine.leave();
            if (random.one_in(8))
                plc_mutex_unlock_fair(&mine.mutex);
            else
                plc_mutex_unlock(&mine.mutex);
        }
    });
    size_t sections = 0;
    for (const Counted &each : counted) {
        EXPECT_EQ(each.mutex.state, 0);
        EXPECT_EQ(each.sections, each.copy);
        sections += each.sections;
    }
    EXPECT_EQ(sections, tasks * rounds + threads * thread_rounds - timed_out);
}

/* ---- Readers and writers: each writer changes both, no reader sees them differ */

struct Shared {
    plc_rwlock_t lock = PLC_RWLOCK_INIT;
    size_t one = 0;
    size_t other = 0;
};

class ReaderOrWriter : public Executor::Runnable {
  public:
    ReaderOrWriter(Shared *shared, size_t rounds, size_t stream, std::atomic<size_t> *writes)
        : shared_(shared), rounds_(rounds), random_(stream), writes_(writes) {
        choose();
    }

    plc_poll poll(const plc_waker_t *waker) override {
        while (rounds_ > 0) {
            const plc_poll taken = writes_now_ ? plc_rwlock_write_lock_async(&shared_->lock, &waiter_, waker)
                                               : plc_rwlock_read_lock_async(&shared_->lock, &waiter_, waker);
            if (taken == PLC_POLL_PENDING) {
                if (!random_.one_in(4))
                    return PLC_POLL_PENDING;
                plc_async_cancel(&waiter_);
                choose();
                continue;
            }
            if (writes_now_) {
                ++shared_->one;
                ++shared_->other;
                ++*writes_;
                plc_rwlock_write_unlock_async(&shared_->lock);
            } else {
                EXPECT_EQ(shared_->one, shared_->other);
                plc_rwlock_read_unlock_async(&shared_->lock);
            }
            --rounds_;
            choose();
        }
        return PLC_POLL_READY;
    }

  private:
    void choose() {
        writes_now_ = random_.one_in(3);
    }

    Shared *shared_;
    size_t rounds_;
    Random random_;
    std::atomic<size_t> *writes_;
    bool writes_now_ = false;
    plc_async_waiter_t waiter_ = PLC_ASYNC_WAITER_INIT;
};

void use_as_thread(Shared *shared, Random &random, std::atomic<size_t> *writes) {
    auto write = [&] {
        ++shared->one;
        ++shared->other;
        ++*writes;
    };
    switch (random.below(8)) {
    case 0:
        plc_rwlock_write_lock(&shared->lock);
        write();
        plc_rwlock_write_unlock(&shared->lock);
        break;
    case 1:
        plc_rwlock_write_lock(&shared->lock);
        write();
        plc_rwlock_write_unlock_fair(&shared->lock);
        break;
    case 2:
        if (plc_rwlock_write_lock_until(&shared->lock,
                                        plc_deadline_after_ns(static_cast<int64_t>(random.below(20'000))))) {
            write();
            plc_rwlock_downgrade(&shared->lock);
            EXPECT_EQ(shared->one, shared->other);
            plc_rwlock_read_unlock(&shared->lock);
        }
        break;
    case 3:
        plc_rwlock_upgradable_lock(&shared->lock);
        EXPECT_EQ(shared->one, shared->other);
        if (plc_rwlock_upgrade_until(&shared->lock,
                                     plc_deadline_after_ns(static_cast<int64_t>(random.below(20'000))))) {
            write();
            plc_rwlock_write_unlock(&shared->lock);
        } else {
            plc_rwlock_upgradable_unlock(&shared->lock);
        }
        break;
    default:
        plc_rwlock_read_lock(&shared->lock);
        EXPECT_EQ(shared->one, shared->other);
        plc_rwlock_read_unlock(&shared->lock);
        break;
    }
}

TEST(AsyncStress, TasksAndThreadsShareAReaderWriterLock) {
    constexpr size_t tasks = 1000;
    const size_t rounds = scaled(25);
    const size_t thread_rounds = scaled(10'000);
    Shared shared;
    std::atomic<size_t> writes{0};
    Executor executor;
    for (size_t i = 0; i < tasks; ++i)
        executor.add(std::make_unique<ReaderOrWriter>(&shared, rounds, 100 + i, &writes));
    executor.start();
    run_threads(workers + threads, [&](size_t self, Random &random) {
        if (self < workers) {
            executor.work();
            return;
        }
        for (size_t i = 0; i < thread_rounds; ++i)
            use_as_thread(&shared, random, &writes);
    });
    EXPECT_EQ(shared.lock.state, 0u);
    EXPECT_EQ(shared.one, writes);
    EXPECT_EQ(shared.other, writes);
}

/* ---- A queue of few places between producers and consumers, some of each threads, some tasks */

struct Channel {
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    plc_condvar_t has_items = PLC_CONDVAR_INIT;
    plc_condvar_t has_room = PLC_CONDVAR_INIT;
    std::vector<size_t> items;
    static constexpr size_t room = 8;
};

/* Sends or receives: a token each. Gives up a wait now and then, and begins again. */
class Peer : public Executor::Runnable {
  public:
    Peer(Channel *channel, bool sends, size_t rounds, std::atomic<size_t> *sum, size_t stream)
        : channel_(channel), sends_(sends), rounds_(rounds), sum_(sum), random_(stream) {}

    plc_poll poll(const plc_waker_t *waker) override {
        while (rounds_ > 0) {
            if (!has_mutex(waker))
                return PLC_POLL_PENDING;
            if (sends_ ? channel_->items.size() == Channel::room : channel_->items.empty()) {
                step_ = WAITING;
                if (plc_condvar_wait_async(condvar(), &channel_->mutex, &waiter_, waker) == PLC_POLL_PENDING) {
                    if (!random_.one_in(4))
                        return PLC_POLL_PENDING;
                    plc_async_cancel(&waiter_);
                    step_ = LOCKING;
                }
                continue;
            }
            if (sends_) {
                channel_->items.push_back(rounds_);
            } else {
                *sum_ += channel_->items.back();
                channel_->items.pop_back();
            }
            plc_condvar_notify_one(sends_ ? &channel_->has_items : &channel_->has_room);
            plc_mutex_unlock_async(&channel_->mutex);
            step_ = LOCKING;
            --rounds_;
        }
        return PLC_POLL_READY;
    }

  private:
    enum Step { LOCKING, WAITING };
    plc_condvar_t *condvar() {
        return sends_ ? &channel_->has_room : &channel_->has_items;
    }
    bool has_mutex(const plc_waker_t *waker) {
        if (step_ == LOCKING)
            return plc_mutex_lock_async(&channel_->mutex, &waiter_, waker) == PLC_POLL_READY;
        return plc_condvar_wait_async(condvar(), &channel_->mutex, &waiter_, waker) == PLC_POLL_READY;
    }

    Channel *channel_;
    bool sends_;
    size_t rounds_;
    std::atomic<size_t> *sum_;
    Random random_;
    Step step_ = LOCKING;
    plc_async_waiter_t waiter_ = PLC_ASYNC_WAITER_INIT;
};

TEST(AsyncStress, TasksAndThreadsShareAChannel) {
    constexpr size_t tasks = 400;
    const size_t rounds = scaled(100);
    Channel channel;
    channel.items.reserve(Channel::room);
    std::atomic<size_t> received{0};
    Executor executor;
    for (size_t i = 0; i < tasks; ++i)
        executor.add(std::make_unique<Peer>(&channel, i % 2 == 0, rounds, &received, 100 + i));
    executor.start();
    const size_t thread_rounds = tasks / 2 * rounds;
    run_threads(workers + 2, [&](size_t self, Random &) {
        if (self < workers) {
            executor.work();
            return;
        }
        const bool sends = self == workers;
        for (size_t i = thread_rounds; i > 0; --i) {
            plc_mutex_lock(&channel.mutex);
            while (sends ? channel.items.size() == Channel::room : channel.items.empty())
                plc_condvar_wait(sends ? &channel.has_room : &channel.has_items, &channel.mutex);
            if (sends) {
                channel.items.push_back(i);
            } else {
                received += channel.items.back();
                channel.items.pop_back();
            }
            plc_condvar_notify_one(sends ? &channel.has_items : &channel.has_room);
            plc_mutex_unlock(&channel.mutex);
        }
    });
    EXPECT_TRUE(channel.items.empty());
    EXPECT_EQ(received, tasks / 2 * (rounds * (rounds + 1) / 2) + thread_rounds * (thread_rounds + 1) / 2);
    EXPECT_EQ(channel.mutex.state, 0);
    EXPECT_EQ(channel.has_items.state, 0u);
    EXPECT_EQ(channel.has_room.state, 0u);
}

} // namespace
