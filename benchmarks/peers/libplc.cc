// SPDX-License-Identifier: MIT OR Apache-2.0
// The peer that all of this is about.
#include "peers/libplc_tasks.h"
#include "peers/peer.h"

#include <plc/mutex.h>
#include <plc/parking_lot.h>
#if __has_include(<plc/condvar.h>)
#include <plc/condvar.h>
#define PLC_BENCH_HAS_CONDVAR 1
#endif
#if __has_include(<plc/once.h>)
#include <plc/once.h>
#define PLC_BENCH_HAS_ONCE 1
#endif
#if __has_include(<plc/rwlock.h>)
#include <plc/rwlock.h>
#define PLC_BENCH_HAS_RWLOCK 1
#endif

namespace plc_bench {
namespace {
class mutex {
  public:
    void lock() {
        plc_mutex_lock(&mutex_);
    }
    bool try_lock() {
        return plc_mutex_try_lock(&mutex_);
    }
    void unlock() {
        plc_mutex_unlock(&mutex_);
    }
    plc_mutex_t *native() {
        return &mutex_;
    }

  private:
    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
};

// The smallest parker that a user of the lot would write: a flag, and the lot's queue under a key.
bool is_unset(void *token) {
    return __atomic_load_n(static_cast<uint32_t *>(token), __ATOMIC_RELAXED) == 0;
}

inline void park_at(const void *key, uint32_t *token) {
    static constexpr plc_park_ops ops{is_unset, nullptr, nullptr, nullptr, nullptr, 0};
    while (__atomic_exchange_n(token, 0u, __ATOMIC_ACQUIRE) == 0)
        plc_park(key, &ops, token, 0, PLC_NO_DEADLINE);
}

inline void unpark_at(const void *key, uint32_t *token) {
    __atomic_store_n(token, 1u, __ATOMIC_RELEASE);
    plc_unpark_one(key, nullptr, nullptr);
}

// The key is the flag's address.
class parker {
  public:
    void park() {
        park_at(&token_, &token_);
    }
    void unpark() {
        unpark_at(&token_, &token_);
    }

  private:
    uint32_t token_ = 0;
};

// Each at a key of its own, and all keys in one bucket of the lot.
class colliding_parker {
  public:
    void park() {
        park_at(key_, &token_);
    }
    void unpark() {
        unpark_at(key_, &token_);
    }

  private:
    const void *key_ = reinterpret_cast<const void *>(plc_bench_colliding_key());
    uint32_t token_ = 0;
};

#ifdef PLC_BENCH_HAS_CONDVAR
class condvar {
  public:
    void wait(mutex &held) {
        plc_condvar_wait(&condvar_, held.native());
    }
    void notify_one() {
        plc_condvar_notify_one(&condvar_);
    }
    void notify_all() {
        plc_condvar_notify_all(&condvar_);
    }

  private:
    plc_condvar_t condvar_ = PLC_CONDVAR_INIT;
};
#endif

#ifdef PLC_BENCH_HAS_RWLOCK
class rwlock {
  public:
    void lock() {
        plc_rwlock_write_lock(&rwlock_);
    }
    void unlock() {
        plc_rwlock_write_unlock(&rwlock_);
    }
    void lock_shared() {
        plc_rwlock_read_lock(&rwlock_);
    }
    void unlock_shared() {
        plc_rwlock_read_unlock(&rwlock_);
    }

  private:
    plc_rwlock_t rwlock_ = PLC_RWLOCK_INIT;
};
#endif

#ifdef PLC_BENCH_HAS_ONCE
class once {
  public:
    void call(void (*run)()) {
        plc_once_call(&once_, run_and_succeed, reinterpret_cast<void *>(run));
    }

  private:
    static bool run_and_succeed(void *run) {
        reinterpret_cast<void (*)()>(run)();
        return true;
    }
    plc_once_t once_ = PLC_ONCE_INIT;
};
#endif

const bool registered = [] {
    peer_table peer("libplc");
    peer.with_mutex<mutex>().with_parker<parker>().with_colliding_parker<colliding_parker>();
#ifdef PLC_BENCH_HAS_CONDVAR
    peer.with_condvar<mutex, condvar>();
#endif
#ifdef PLC_BENCH_HAS_RWLOCK
    peer.with_rwlock<rwlock>();
#endif
#ifdef PLC_BENCH_HAS_ONCE
    peer.with_once<once>();
#endif
    plc_bench_peer table = peer;
    add_tasks(table);
    return add_peer(table);
}();
} // namespace
} // namespace plc_bench
