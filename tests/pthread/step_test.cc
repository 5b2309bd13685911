/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Signals at every instruction of a lock's slow path, and jumps out of each. */
#include "steps.h"

#include <csetjmp>
#include <memory>
#include <vector>

using namespace dropin;
using plc_test::SingleStep;
using plc_test::Step;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

/* ---- What is locked. Each test runs in a process of its own, which hangs if it finds a mistake. */

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
unsigned handled = 0;

/* A handler may come while its thread has the lock, or while nobody has. */
template <typename Lock>
int undo_or_excuse(int code, Lock *lock, int (*unlock)(Lock *)) {
    return code == 0 ? unlock(lock) : code == ETIMEDOUT || code == EDEADLK ? 0 : code;
}

int mutex_in_vain() {
    const timespec past = at(1, 0);
    return undo_or_excuse(pthread_mutex_timedlock(&mutex, &past), &mutex, pthread_mutex_unlock);
}

int rwlock_in_vain() {
    const timespec past = at(1, 0);
    const int read = undo_or_excuse(pthread_rwlock_timedrdlock(&rwlock, &past), &rwlock, pthread_rwlock_unlock);
    return read | undo_or_excuse(pthread_rwlock_timedwrlock(&rwlock, &past), &rwlock, pthread_rwlock_unlock);
}

int cond_in_vain() {
    const timespec past = at(1, 0);
    int code = pthread_mutex_lock(&mutex);
    const int wait = pthread_cond_timedwait(&cond, &mutex, &past);
    code |= wait == ETIMEDOUT ? 0 : wait;
    return code | pthread_mutex_unlock(&mutex);
}

/* ---- A handler that wants what its thread is busy with, at each instruction */

int (*in_handler)() = nullptr;

void handle(int) {
    ++handled;
    if (in_handler() != 0)
        _exit(2);
}

bool signal_here(const Step &) {
    plc_test::send_to_self(SIGUSR1);
    return true;
}

struct Interrupted {
    const char *name;
    void (*prepare)();
    void (*sleeper)(); /* null: nobody waits */
    int (*stepped)();
    int (*in_handler)();
};

void nothing() {}

void hold_all() {
    std::thread([] {
        pthread_mutex_lock(&mutex);
        pthread_rwlock_wrlock(&rwlock);
    }).join();
}

void lock_mutex() {
    pthread_mutex_lock(&mutex);
}

void lock_mutex_and_unlock() {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
}

void write_rwlock() {
    pthread_rwlock_wrlock(&rwlock);
}

void read_rwlock_and_unlock() {
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
}

void wait_once() {
    pthread_mutex_lock(&mutex);
    pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
}

int unlock_mutex() {
    return pthread_mutex_unlock(&mutex);
}

int unlock_rwlock() {
    return pthread_rwlock_unlock(&rwlock);
}

int signal_cond() {
    return pthread_cond_signal(&cond);
}

int broadcast_cond() {
    return pthread_cond_broadcast(&cond);
}

int interrupt(const Interrupted &test) {
    in_handler = test.in_handler;
    struct sigaction action = {};
    action.sa_handler = handle;
    sigaction(SIGUSR1, &action, nullptr);
    test.prepare();
    std::vector<std::unique_ptr<Sleeper>> sleepers;
    for (int i = 0; i < 2 && test.sleeper != nullptr; ++i)
        sleepers.push_back(std::make_unique<Sleeper>(test.sleeper));
    int code = -1;
    const unsigned long steps = SingleStep::run(signal_here, [&] { code = test.stepped(); });
    for (const auto &sleeper : sleepers) {
        while (test.stepped == signal_cond && !sleeper->has_ended()) /* which of them it woke, nobody knows */
            signal_cond();
        sleeper->join();
    }
    return code == 0 && steps >= 50 && handled >= steps / 8 ? 0 : 1;
}

class Everywhere : public testing::TestWithParam<Interrupted> {};

TEST_P(Everywhere, AHandlerMayUseTheSameLock) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] { return interrupt(GetParam()); }), 0);
}

std::string name_of(const testing::TestParamInfo<Interrupted> &info) {
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Step, Everywhere,
                         testing::Values(Interrupted{"Mutex", hold_all, nullptr, mutex_in_vain, mutex_in_vain},
                                         Interrupted{"MutexUnlock", lock_mutex, lock_mutex_and_unlock, unlock_mutex,
                                                     mutex_in_vain}),
                         name_of);

/* glibc's own have locks inside, which a handler may interrupt. */
INSTANTIATE_TEST_SUITE_P(
    Libplc, Everywhere,
    testing::Values(Interrupted{"Rwlock", hold_all, nullptr, rwlock_in_vain, rwlock_in_vain},
                    Interrupted{"RwlockUnlock", write_rwlock, read_rwlock_and_unlock, unlock_rwlock, rwlock_in_vain},
                    Interrupted{"CondWait", nothing, nullptr, cond_in_vain, signal_cond},
                    Interrupted{"CondSignal", nothing, wait_once, signal_cond, cond_in_vain},
                    Interrupted{"CondBroadcast", nothing, wait_once, broadcast_cond, cond_in_vain}),
    name_of);

/* No handler came, so no system call was needed to keep it out. */
unsigned long mask_calls = 0;

bool count_mask_calls(const Step &step) {
    mask_calls += step.system_call() == SYS_rt_sigprocmask;
    return true;
}

TEST(Libplc, ASectionThatNoSignalHitsTakesNoSystemCallForIt) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] {
                  in_handler = mutex_in_vain;
                  std::signal(SIGUSR1, handle);
                  hold_all();
                  int code = 0;
                  SingleStep::run(count_mask_calls, [&] { code = mutex_in_vain() | rwlock_in_vain(); });
                  return code != 0 || mask_calls != 0;
              }),
              0);
}

/* ---- A signal of a shared cond comes as soon as the waiter has let go of its mutex */

pthread_cond_t shared_cond;
bool is_signalled = false; /* guarded by mutex */
std::atomic<int> signaller{0};
std::atomic<bool> may_signal{false};
std::atomic<bool> signals{false};
std::atomic<bool> has_signalled{false};

/* Once the mutex is free the signaller goes first, until it is done or has to wait. */
bool let_the_signaller_go_first(const Step &) {
    if (__atomic_load_n(&mutex.__data.__lock, __ATOMIC_RELAXED) != 0)
        return true;
    may_signal = true;
    while (!has_signalled && !(signals && plc_test::is_in_the_kernel(signaller)))
        sched_yield();
    return false;
}

int wait_and_be_signalled() {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    int code = pthread_cond_init(&shared_cond, &attributes);
    std::thread other([] {
        signaller = tid();
        while (!may_signal)
            sched_yield();
        pthread_mutex_lock(&mutex);
        is_signalled = true;
        signals = true;
        pthread_cond_signal(&shared_cond);
        has_signalled = true;
        pthread_mutex_unlock(&mutex);
    });
    while (signaller == 0)
        sched_yield();
    code |= pthread_mutex_lock(&mutex);
    SingleStep::run(let_the_signaller_go_first, [&] {
        while (!is_signalled)
            code |= pthread_cond_wait(&shared_cond, &mutex);
    });
    code |= pthread_mutex_unlock(&mutex);
    other.join();
    return code;
}

TEST(SharedCond, ASignalRightAfterTheUnlockIsNotLost) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child(wait_and_be_signalled, 20), 0);
}

/* ---- A handler that jumps away, from every third instruction: nobody else's wake is lost */

sigjmp_buf landing_place;
unsigned long jump_at = 0;

void jump(int) {
    SingleStep::end();
    siglongjmp(landing_place, 1);
}

bool signal_once(const Step &step) {
    if (step.number == jump_at)
        plc_test::send_to_self(SIGUSR1);
    return step.number < jump_at; /* then it goes on by itself, until the section is over */
}

/* Does `wakes`, torn out of it after ever more instructions, lose the wake of one who sleeps? Then he sleeps for ever: `again` wakes only
   who is still queued. */
int jump_everywhere(void (*prepare)(), void (*sleeper)(), int (*wakes)(), void (*again)(const Sleeper &)) {
    struct sigaction action = {};
    action.sa_handler = jump;
    sigaction(SIGUSR1, &action, nullptr);
    volatile bool was_torn = true;
    for (jump_at = 1; was_torn; jump_at += kInstrumented ? 29 : 3) { /* each takes a new thread */
        was_torn = false;
        prepare();
        Sleeper waiter(sleeper);
        if (sigsetjmp(landing_place, 1) == 0)
            SingleStep::run(signal_once, wakes);
        else
            was_torn = true;
        again(waiter);
        waiter.join();
    }
    return jump_at > 100 ? 0 : 1;
}

TEST(Libplc, AJumpOutOfACondsSignalLosesNoWake) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] {
                  return jump_everywhere(nothing, wait_once, signal_cond, [](const Sleeper &) { signal_cond(); });
              }),
              0);
}

TEST(Libplc, AJumpOutOfABroadcastLosesNoWake) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] {
                  return jump_everywhere(nothing, wait_once, broadcast_cond, [](const Sleeper &) { broadcast_cond(); });
              }),
              0);
}

/* Out of an unlock that has let go of the mutex but woken nobody: the next unlock does. */
TEST(Libplc, AJumpOutOfAnUnlockLosesNoWake) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] {
                  return jump_everywhere(lock_mutex, lock_mutex_and_unlock, unlock_mutex, [](const Sleeper &waiter) {
                      waiter.await();
                      if ((__atomic_load_n(&mutex.__data.__lock, __ATOMIC_RELAXED) & 1) != 0)
                          unlock_mutex(); /* torn out before it let go: he who sleeps does not have it */
                      lock_mutex_and_unlock();
                  });
              }),
              0);
}

/* ---- A cancellation of the asynchronous type, at every seventh instruction: it leaves no bucket locked, and no wake unsent */

unsigned long cancel_at = 0;
int (*cancelled)() = nullptr;

bool cancel_once(const Step &step) {
    if (step.number == cancel_at) {
        SingleStep::end();
        pthread_cancel(pthread_self()); /* acts at once, or when the section is over */
    }
    return step.number < cancel_at;
}

void *be_cancelled(void *) {
    int code = pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
    SingleStep::run(cancel_once, [&] { code |= cancelled(); });
    code |= pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    return code == 0 ? nullptr : &cancelled;
}

/* Whoever waits is woken by the cancelled one or by another call of the same, which hangs if the bucket was left locked. */
int cancel_everywhere(int (*wakes)()) {
    cancelled = wakes;
    void *result = PTHREAD_CANCELED;
    for (cancel_at = 1; result == PTHREAD_CANCELED; cancel_at += kInstrumented ? 29 : 7) {
        Sleeper waiter(wait_once);
        pthread_t thread;
        if (pthread_create(&thread, nullptr, be_cancelled, nullptr) != 0 || pthread_join(thread, &result) != 0)
            return 2;
        wakes();
        waiter.join();
    }
    return result == nullptr && cancel_at > 100 ? 0 : 1;
}

TEST(Libplc, AnAsynchronousCancellationKeepsOutOfACondsSignal) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] { return cancel_everywhere(signal_cond); }), 0);
}

TEST(Libplc, AnAsynchronousCancellationKeepsOutOfABroadcast) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] { return cancel_everywhere(broadcast_cond); }), 0);
}

} // namespace
