// SPDX-License-Identifier: MIT OR Apache-2.0
// The C library's POSIX locks; under LD_PRELOAD of libplc_pthread.so, libplc's in their place.
#include "peers/peer.h"

#include <pthread.h>
#include <semaphore.h>

namespace plc_bench {
namespace {
class mutex {
  public:
    void lock() {
        pthread_mutex_lock(&mutex_);
    }
    bool try_lock() {
        return pthread_mutex_trylock(&mutex_) == 0;
    }
    void unlock() {
        pthread_mutex_unlock(&mutex_);
    }
    pthread_mutex_t *native() {
        return &mutex_;
    }

  private:
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

class condvar {
  public:
    void wait(mutex &held) {
        pthread_cond_wait(&condvar_, held.native());
    }
    void notify_one() {
        pthread_cond_signal(&condvar_);
    }
    void notify_all() {
        pthread_cond_broadcast(&condvar_);
    }

  private:
    pthread_cond_t condvar_ = PTHREAD_COND_INITIALIZER;
};

class rwlock {
  public:
    void lock() {
        pthread_rwlock_wrlock(&rwlock_);
    }
    void unlock() {
        pthread_rwlock_unlock(&rwlock_);
    }
    void lock_shared() {
        pthread_rwlock_rdlock(&rwlock_);
    }
    void unlock_shared() {
        pthread_rwlock_unlock(&rwlock_);
    }

  private:
    pthread_rwlock_t rwlock_ = PTHREAD_RWLOCK_INITIALIZER;
};

class once {
  public:
    void call(void (*run)()) {
        pthread_once(&once_, run);
    }

  private:
    pthread_once_t once_ = PTHREAD_ONCE_INIT;
};

// The fastest way to park that the C library offers.
class parker {
  public:
    parker() {
        sem_init(&tokens_, 0, 0);
    }
    ~parker() {
        sem_destroy(&tokens_);
    }
    parker(const parker &) = delete;
    parker &operator=(const parker &) = delete;
    void park() {
        while (sem_wait(&tokens_) != 0) {
        }
    }
    void unpark() {
        sem_post(&tokens_);
    }

  private:
    sem_t tokens_;
};

const bool registered = add_peer(peer_table("glibc")
                                     .with_mutex<mutex>()
                                     .with_condvar<mutex, condvar>()
                                     .with_rwlock<rwlock>()
                                     .with_parker<parker>()
                                     .with_once<once>());
} // namespace
} // namespace plc_bench
