// SPDX-License-Identifier: MIT OR Apache-2.0
// The C++ standard library's locks.
#include "peers/peer.h"

#include <condition_variable>
#include <mutex>
#include <shared_mutex>

namespace plc_bench {
namespace {
class condvar {
  public:
    void wait(std::mutex &held) {
        std::unique_lock<std::mutex> lock(held, std::adopt_lock);
        condvar_.wait(lock);
        lock.release();
    }
    void notify_one() {
        condvar_.notify_one();
    }
    void notify_all() {
        condvar_.notify_all();
    }

  private:
    std::condition_variable condvar_;
};

class once {
  public:
    void call(void (*run)()) {
        std::call_once(once_, run);
    }

  private:
    std::once_flag once_;
};

class parker {
  public:
    void park() {
        std::unique_lock<std::mutex> lock(mutex_);
        unparked_.wait(lock, [this] { return token_; });
        token_ = false;
    }
    void unpark() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            token_ = true;
        }
        unparked_.notify_one();
    }

  private:
    std::mutex mutex_;
    std::condition_variable unparked_;
    bool token_ = false;
};

const bool registered = add_peer(peer_table("std")
                                     .with_mutex<std::mutex>()
                                     .with_condvar<std::mutex, condvar>()
                                     .with_rwlock<std::shared_mutex>()
                                     .with_parker<parker>()
                                     .with_once<once>());
} // namespace
} // namespace plc_bench
