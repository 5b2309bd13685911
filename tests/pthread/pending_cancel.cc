/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A cancellation that is pending stays so in a mutex, a rwlock and a once, whether or not the thread has to wait there. */
#include "steps.h"

using namespace dropin;

namespace {

struct Locks {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_once_t once = PTHREAD_ONCE_INIT;
};

Locks *locks = nullptr;
std::atomic<bool> is_held{false};
std::atomic<bool> may_release{false};

void wait_to_release() {
    is_held = true;
    while (!may_release)
        std::this_thread::yield();
}

struct Way {
    const char *name;
    void (*hold)(); /* returns after wait_to_release() has */
    int (*wait)();
};

void hold_mutex() {
    pthread_mutex_lock(&locks->mutex);
    wait_to_release();
    pthread_mutex_unlock(&locks->mutex);
}

void hold_rwlock() {
    pthread_rwlock_wrlock(&locks->rwlock);
    wait_to_release();
    pthread_rwlock_unlock(&locks->rwlock);
}

void hold_once() {
    pthread_once(&locks->once, wait_to_release);
}

int wait_for_mutex() {
    return pthread_mutex_lock(&locks->mutex) | pthread_mutex_unlock(&locks->mutex);
}

int wait_for_mutex_until() {
    const timespec late = never();
    return pthread_mutex_timedlock(&locks->mutex, &late) | pthread_mutex_unlock(&locks->mutex);
}

int wait_to_read() {
    return pthread_rwlock_rdlock(&locks->rwlock) | pthread_rwlock_unlock(&locks->rwlock);
}

int wait_to_write() {
    return pthread_rwlock_wrlock(&locks->rwlock) | pthread_rwlock_unlock(&locks->rwlock);
}

int wait_for_once() {
    return pthread_once(&locks->once, [] {});
}

struct Doomed {
    int (*wait)();
    std::atomic<int> thread{0};
    int code = -1;

    static void *run(void *argument) {
        auto *self = static_cast<Doomed *>(argument);
        pthread_cancel(pthread_self());
        self->thread = tid();
        self->code = self->wait();
        pthread_testcancel();
        return nullptr;
    }
};

std::string name_of(const testing::TestParamInfo<Way> &way) {
    return way.param.name;
}

class PendingCancel : public testing::TestWithParam<Way> {};
INSTANTIATE_TEST_SUITE_P(Locks, PendingCancel,
                         testing::Values(Way{"Mutex", hold_mutex, wait_for_mutex},
                                         Way{"MutexUntil", hold_mutex, wait_for_mutex_until},
                                         Way{"Reading", hold_rwlock, wait_to_read},
                                         Way{"Writing", hold_rwlock, wait_to_write},
                                         Way{"Once", hold_once, wait_for_once}),
                         name_of);

TEST_P(PendingCancel, ActsAfterTheLockOnly) {
    Locks fresh;
    locks = &fresh;
    is_held = may_release = false;
    std::thread holder(GetParam().hold);
    while (!is_held)
        std::this_thread::yield();
    Doomed doomed{GetParam().wait};
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, nullptr, Doomed::run, &doomed), 0);
    void *result = nullptr;
    bool has_ended = false;
    while (!has_ended && (doomed.thread == 0 || !plc_test::is_in_the_kernel(doomed.thread))) {
        has_ended = pthread_tryjoin_np(thread, &result) == 0;
        std::this_thread::yield();
    }
    EXPECT_FALSE(has_ended); /* it waits */
    may_release = true;
    if (!has_ended)
        pthread_join(thread, &result);
    holder.join();
    EXPECT_EQ(result, PTHREAD_CANCELED);
    EXPECT_EQ(doomed.code, 0); /* it came out of the lock before that */
}

} // namespace
