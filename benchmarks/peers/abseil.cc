// SPDX-License-Identifier: MIT OR Apache-2.0
// Abseil's Mutex and CondVar; the same Mutex is its read-write lock.
#include "peers/peer.h"

#include <absl/base/call_once.h>
#include <absl/synchronization/mutex.h>

namespace plc_bench {
namespace {
class mutex {
  public:
    void lock() {
        mutex_.Lock();
    }
    bool try_lock() {
        return mutex_.TryLock();
    }
    void unlock() {
        mutex_.Unlock();
    }
    void lock_shared() {
        mutex_.ReaderLock();
    }
    void unlock_shared() {
        mutex_.ReaderUnlock();
    }
    absl::Mutex *native() {
        return &mutex_;
    }

  private:
    absl::Mutex mutex_;
};

class condvar {
  public:
    void wait(mutex &held) {
        condvar_.Wait(held.native());
    }
    void notify_one() {
        condvar_.Signal();
    }
    void notify_all() {
        condvar_.SignalAll();
    }

  private:
    absl::CondVar condvar_;
};

class once {
  public:
    void call(void (*run)()) {
        absl::call_once(once_, run);
    }

  private:
    absl::once_flag once_;
};

const bool registered = [] {
    // Debian builds it in, and it costs several times the lock; nobody measures with it.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    return add_peer(
        peer_table("absl").with_mutex<mutex>().with_condvar<mutex, condvar>().with_rwlock<mutex>().with_once<once>());
}();
} // namespace
} // namespace plc_bench
