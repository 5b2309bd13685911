// SPDX-License-Identifier: MIT OR Apache-2.0
// The C library's mutex of the adaptive kind, which spins before it sleeps.
#include "peers/peer.h"

#include <pthread.h>

namespace plc_bench {
namespace {
class mutex {
  public:
    mutex() {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
        pthread_mutex_init(&mutex_, &attributes);
        pthread_mutexattr_destroy(&attributes);
    }
    void lock() {
        pthread_mutex_lock(&mutex_);
    }
    bool try_lock() {
        return pthread_mutex_trylock(&mutex_) == 0;
    }
    void unlock() {
        pthread_mutex_unlock(&mutex_);
    }

  private:
    pthread_mutex_t mutex_;
};

const bool registered = add_peer(peer_table("glibc_adaptive").with_mutex<mutex>());
} // namespace
} // namespace plc_bench
