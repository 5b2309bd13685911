// SPDX-License-Identifier: MIT OR Apache-2.0
// Google's nsync; its mutex is a read-write lock.
#include "peers/peer.h"

// The library is compiled with this, and the names of some functions depend on it.
#define NSYNC_ATOMIC_CPP11 1
#include <nsync.h>

namespace plc_bench {
namespace {
class mutex {
  public:
    void lock() {
        nsync::nsync_mu_lock(&mutex_);
    }
    bool try_lock() {
        return nsync::nsync_mu_trylock(&mutex_) != 0;
    }
    void unlock() {
        nsync::nsync_mu_unlock(&mutex_);
    }
    void lock_shared() {
        nsync::nsync_mu_rlock(&mutex_);
    }
    void unlock_shared() {
        nsync::nsync_mu_runlock(&mutex_);
    }
    nsync::nsync_mu *native() {
        return &mutex_;
    }

  private:
    nsync::nsync_mu mutex_{};
};

class condvar {
  public:
    void wait(mutex &held) {
        nsync::nsync_cv_wait(&condvar_, held.native());
    }
    void notify_one() {
        nsync::nsync_cv_signal(&condvar_);
    }
    void notify_all() {
        nsync::nsync_cv_broadcast(&condvar_);
    }

  private:
    nsync::nsync_cv condvar_{};
};

class once {
  public:
    void call(void (*run)()) {
        nsync::nsync_run_once(&once_, run);
    }

  private:
    nsync::nsync_once once_{};
};

const bool registered = add_peer(
    peer_table("nsync").with_mutex<mutex>().with_condvar<mutex, condvar>().with_rwlock<mutex>().with_once<once>());
} // namespace
} // namespace plc_bench
