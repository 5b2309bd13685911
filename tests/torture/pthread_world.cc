/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A world of pthread's locks, for the drop-in: this program knows nothing of libplc, and must run on glibc as well. */
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "part.h"

namespace torture {

const char *const program_name = "pthread_torture";

namespace {

timespec from_now(clockid_t clock, int64_t ns) {
    timespec time;
    clock_gettime(clock, &time);
    ns += time.tv_nsec;
    time.tv_sec += ns / 1'000'000'000;
    time.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    return time;
}

/* Past, or within 50 microseconds, or in an hour. */
timespec some_time(clockid_t clock, Random &random, bool far_away) {
    if (far_away)
        return from_now(clock, INT64_C(3'600'000'000'000));
    return random.one_in(4) ? timespec{0, 0} : from_now(clock, static_cast<int64_t>(random.below(50'000)));
}

clockid_t some_clock(Random &random) {
    return random.one_in(2) ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

void expect(const char *what, const void *object, int actual, int expected) {
    if (actual != expected)
        fail("%s of %p returned %d (%s), not %d", what, object, actual, std::strerror(actual), expected);
}

/* True if it returned 0; any other result has to be the one expected. */
bool is_done(const char *what, const void *object, int result, int otherwise) {
    if (result != 0)
        expect(what, object, result, otherwise);
    return result == 0;
}

/* ---- Mutexes */

class Mutex {
  public:
    void set_up(size_t index) {
        static constexpr int kinds[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                        PTHREAD_MUTEX_ADAPTIVE_NP};
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        kind_ = kinds[index % 4];
        pthread_mutexattr_settype(&attributes, kind_);
        /* Some are shared between processes, which the drop-in leaves to glibc. */
        pthread_mutexattr_setpshared(&attributes, index % 8 < 6 ? PTHREAD_PROCESS_PRIVATE : PTHREAD_PROCESS_SHARED);
        expect("init", &mutex_, pthread_mutex_init(&mutex_, &attributes), 0);
        pthread_mutexattr_destroy(&attributes);
    }
    void operate(Worker &worker, Random &random) {
        if (!take(worker, random))
            return;
        guarded_.enter(worker.index(), &mutex_);
        work(random);
        if (kind_ == PTHREAD_MUTEX_RECURSIVE && random.one_in(2)) {
            expect("a recursive lock", &mutex_, pthread_mutex_lock(&mutex_), 0);
            expect("a recursive trylock", &mutex_, pthread_mutex_trylock(&mutex_), 0);
            expect("unlock", &mutex_, pthread_mutex_unlock(&mutex_), 0);
            expect("unlock", &mutex_, pthread_mutex_unlock(&mutex_), 0);
        } else if (kind_ == PTHREAD_MUTEX_ERRORCHECK) {
            expect("a second lock", &mutex_, pthread_mutex_lock(&mutex_), EDEADLK);
        } else if (kind_ != PTHREAD_MUTEX_RECURSIVE) {
            expect("trylock by the holder", &mutex_, pthread_mutex_trylock(&mutex_), EBUSY);
        }
        guarded_.leave(worker.index(), &mutex_);
        worker.at("pthread_mutex_unlock", &mutex_);
        expect("unlock", &mutex_, pthread_mutex_unlock(&mutex_), 0);
        if (kind_ == PTHREAD_MUTEX_ERRORCHECK)
            expect("unlock by somebody else", &mutex_, pthread_mutex_unlock(&mutex_), EPERM);
    }
    void check() {
        guarded_.check(&mutex_);
        expect("destroy", &mutex_, pthread_mutex_destroy(&mutex_), 0);
    }

  private:
    bool take(Worker &worker, Random &random) {
        const clockid_t clock = some_clock(random);
        const bool far_away = random.one_in(4);
        const timespec time = some_time(clock, random, far_away);
        worker.at("pthread_mutex_lock", &mutex_);
        switch (random.below(4)) {
        case 0:
            return is_done("trylock", &mutex_, pthread_mutex_trylock(&mutex_), EBUSY);
        case 1:
            return is_done("clocklock", &mutex_, pthread_mutex_clocklock(&mutex_, clock, &time),
                           far_away ? 0 : ETIMEDOUT);
        default:
            return is_done("lock", &mutex_, pthread_mutex_lock(&mutex_), 0);
        }
    }

    pthread_mutex_t mutex_;
    int kind_ = PTHREAD_MUTEX_NORMAL;
    Guarded guarded_;
};

/* ---- Reader-writer locks */

class Rwlock {
  public:
    void set_up(size_t index) {
        pthread_rwlockattr_t attributes;
        pthread_rwlockattr_init(&attributes);
        pthread_rwlockattr_setkind_np(&attributes, index % 2 ? PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
                                                             : PTHREAD_RWLOCK_PREFER_READER_NP);
        is_recursive_ = index % 2 == 0;
        expect("init", &rwlock_, pthread_rwlock_init(&rwlock_, &attributes), 0);
        pthread_rwlockattr_destroy(&attributes);
    }
    void operate(Worker &worker, Random &random) {
        const bool writes = random.one_in(3);
        if (!take(worker, random, writes))
            return;
        if (writes) {
            guarded_.enter(worker.index(), &rwlock_);
            expect("tryrdlock beside a writer", &rwlock_, pthread_rwlock_tryrdlock(&rwlock_), EBUSY);
            work(random);
            guarded_.leave(worker.index(), &rwlock_);
        } else {
            guarded_.read(&rwlock_);
            expect("trywrlock beside a reader", &rwlock_, pthread_rwlock_trywrlock(&rwlock_), EBUSY);
            if (is_recursive_) {
                expect("a recursive rdlock", &rwlock_, pthread_rwlock_rdlock(&rwlock_), 0);
                guarded_.read(&rwlock_);
                expect("unlock", &rwlock_, pthread_rwlock_unlock(&rwlock_), 0);
            }
            work(random);
            guarded_.read(&rwlock_);
        }
        worker.at("pthread_rwlock_unlock", &rwlock_);
        expect("unlock", &rwlock_, pthread_rwlock_unlock(&rwlock_), 0);
    }
    void check() {
        guarded_.check(&rwlock_);
        expect("destroy", &rwlock_, pthread_rwlock_destroy(&rwlock_), 0);
    }

  private:
    bool take(Worker &worker, Random &random, bool writes) {
        const clockid_t clock = some_clock(random);
        const bool far_away = random.one_in(4);
        const timespec time = some_time(clock, random, far_away);
        pthread_rwlock_t *lock = &rwlock_;
        worker.at(writes ? "pthread_rwlock_wrlock" : "pthread_rwlock_rdlock", lock);
        switch (random.below(4)) {
        case 0:
            return is_done("try", lock, writes ? pthread_rwlock_trywrlock(lock) : pthread_rwlock_tryrdlock(lock),
                           EBUSY);
        case 1:
            return is_done("clock", lock,
                           writes ? pthread_rwlock_clockwrlock(lock, clock, &time)
                                  : pthread_rwlock_clockrdlock(lock, clock, &time),
                           far_away ? 0 : ETIMEDOUT);
        default:
            return is_done("lock", lock, writes ? pthread_rwlock_wrlock(lock) : pthread_rwlock_rdlock(lock), 0);
        }
    }

    pthread_rwlock_t rwlock_;
    bool is_recursive_ = false;
    Guarded guarded_;
};

/* ---- Conditions: a channel of one counter between zero and a limit, on either clock */

class Channel {
  public:
    void set_up(size_t index) {
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        clock_ = index % 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
        pthread_condattr_setclock(&attributes, clock_);
        expect("init", &not_full_, pthread_cond_init(&not_full_, &attributes), 0);
        expect("init", &not_empty_, pthread_cond_init(&not_empty_, &attributes), 0);
        pthread_condattr_destroy(&attributes);
        mutex_ = PTHREAD_MUTEX_INITIALIZER;
    }
    void operate(Worker &worker, Random &random) {
        const bool puts = random.one_in(2);
        const bool may_sleep = random.one_in(2) && worker.sleepers().may_sleep();
        const timespec time = some_time(clock_, random, may_sleep);
        pthread_cond_t *condition = puts ? &not_full_ : &not_empty_;
        size_t &waiting = puts ? putters_ : getters_;
        worker.at(puts ? "channel: put" : "channel: get", condition);
        lock(worker);
        bool in_time = true;
        ++waiting;
        while ((puts ? items_ == limit : items_ == 0) && in_time) {
            guarded_.leave(worker.index(), this);
            const bool plainly = may_sleep && random.one_in(2);
            in_time = is_done("a wait", condition,
                              plainly ? pthread_cond_wait(condition, &mutex_)
                                      : pthread_cond_timedwait(condition, &mutex_, &time),
                              may_sleep ? 0 : ETIMEDOUT);
            guarded_.enter(worker.index(), this);
        }
        --waiting;
        if (may_sleep)
            worker.sleepers().woke();
        change(worker, puts, puts ? items_ < limit : items_ > 0, random.one_in(4));
    }
    void serve(Worker &worker) {
        lock(worker);
        const bool puts = getters_ != 0 && items_ == 0;
        const bool gets = putters_ != 0 && items_ == limit;
        change(worker, puts, puts || gets, false);
    }
    void check() {
        guarded_.check(this);
        expect("destroy", &not_full_, pthread_cond_destroy(&not_full_), 0);
        expect("destroy", &not_empty_, pthread_cond_destroy(&not_empty_), 0);
        expect("destroy", &mutex_, pthread_mutex_destroy(&mutex_), 0);
    }

  private:
    static constexpr size_t limit = 2;

    void lock(Worker &worker) {
        expect("lock", &mutex_, pthread_mutex_lock(&mutex_), 0);
        guarded_.enter(worker.index(), this);
    }
    void change(Worker &worker, bool puts, bool changes, bool all) {
        pthread_cond_t *condition = puts ? &not_empty_ : &not_full_;
        if (changes)
            items_ += puts ? size_t{1} : SIZE_MAX;
        guarded_.leave(worker.index(), this);
        expect("unlock", &mutex_, pthread_mutex_unlock(&mutex_), 0);
        if (changes)
            expect("signal", condition, all ? pthread_cond_broadcast(condition) : pthread_cond_signal(condition), 0);
    }

    pthread_mutex_t mutex_;
    pthread_cond_t not_full_;
    pthread_cond_t not_empty_;
    clockid_t clock_ = CLOCK_REALTIME;
    size_t items_ = 0;
    size_t putters_ = 0;
    size_t getters_ = 0;
    Guarded guarded_;
};

/* ---- All together */

pthread_once_t once = PTHREAD_ONCE_INIT;
size_t once_runs;

void run_once() {
    ++once_runs;
}

class PthreadWorld final : public World {
  public:
    explicit PthreadWorld(const Configuration &configuration)
        : World(configuration), mutexes_(configuration.objects + 3), rwlocks_(configuration.objects + 1),
          channels_(configuration.objects + 1) {
        for (size_t i = 0; i < mutexes_.size(); ++i)
            mutexes_[i].set_up(i);
        for (size_t i = 0; i < rwlocks_.size(); ++i)
            rwlocks_[i].set_up(i);
        for (size_t i = 0; i < channels_.size(); ++i)
            channels_[i].set_up(i);
        once = PTHREAD_ONCE_INIT;
        once_runs = 0;
    }
    void operate(Worker &worker, Random random) override {
        if (configuration().fork && random.one_in(configuration().fork))
            return fork_child(worker);
        if (configuration().signal && random.one_in(configuration().signal))
            send_signal(*this, random);
        const size_t choice = random.below(10);
        if (choice < 3) {
            mutexes_[random.below(mutexes_.size())].operate(worker, random);
        } else if (choice < 6) {
            rwlocks_[random.below(rwlocks_.size())].operate(worker, random);
        } else if (choice < 9) {
            channels_[random.below(channels_.size())].operate(worker, random);
        } else {
            worker.at("pthread_once", &once);
            expect("once", &once, pthread_once(&once, run_once), 0);
            if (once_runs != 1)
                fail("pthread_once ran %zu times", once_runs);
        }
    }
    void serve(Worker &worker) override {
        for (Channel &channel : channels_)
            channel.serve(worker);
    }
    void at_thread_exit() override {
        lock_aside();
    }
    /* pthread's locks are not for handlers; the signal is for the system calls that it interrupts. */
    void in_handler(bool) override {}
    void check() override {
        for (Mutex &mutex : mutexes_)
            mutex.check();
        for (Rwlock &rwlock : rwlocks_)
            rwlock.check();
        for (Channel &channel : channels_)
            channel.check();
        aside_.check(&aside_mutex_);
    }

  private:
    void lock_aside() {
        pthread_mutex_lock(&aside_mutex_);
        aside_.enter(0, &aside_mutex_);
        aside_.leave(0, &aside_mutex_);
        pthread_mutex_unlock(&aside_mutex_);
    }
    /* The child uses locks of its own, and a wait that ends by time. */
    static void run_child() {
        this_is_a_child();
        alarm(120);
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
        pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
        const timespec time = from_now(CLOCK_REALTIME, 100'000);
        expect("lock in a child", &mutex, pthread_mutex_lock(&mutex), 0);
        expect("timedwait in a child", &condition, pthread_cond_timedwait(&condition, &mutex, &time), ETIMEDOUT);
        expect("unlock in a child", &mutex, pthread_mutex_unlock(&mutex), 0);
        expect("wrlock in a child", &rwlock, pthread_rwlock_wrlock(&rwlock), 0);
        expect("unlock in a child", &rwlock, pthread_rwlock_unlock(&rwlock), 0);
        _exit(0);
    }
    static void fork_child(Worker &worker) {
        worker.at("fork");
        const pid_t child = fork();
        if (child == 0)
            run_child();
        if (child < 0)
            fail("fork failed: errno %d", errno);
        worker.at("waits for a child");
        int status = 0;
        while (waitpid(child, &status, 0) != child) {
            if (errno != EINTR)
                fail("waitpid failed: errno %d", errno);
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail("the child %d failed: status %#x", static_cast<int>(child), static_cast<unsigned>(status));
    }

    std::vector<Mutex> mutexes_;
    std::vector<Rwlock> rwlocks_;
    std::vector<Channel> channels_;
    pthread_mutex_t aside_mutex_ = PTHREAD_MUTEX_INITIALIZER;
    Guarded aside_;
};

} // namespace

std::unique_ptr<World> make_world(const Configuration &configuration, Random) {
    return std::make_unique<PthreadWorld>(configuration);
}

} // namespace torture
