// SPDX-License-Identifier: MIT OR Apache-2.0
// libplc's read-write lock whose readers share no cache line, beside the one-word locks of all peers.
#include "peers/peer.h"

#if __has_include(<plc/rwlock_scalable.h>)
#include <plc/rwlock_scalable.h>

namespace plc_bench {
namespace {
class rwlock {
  public:
    void lock() {
        plc_rwlock_scalable_write_lock(&rwlock_);
    }
    void unlock() {
        plc_rwlock_scalable_write_unlock(&rwlock_);
    }
    void lock_shared() {
        plc_rwlock_scalable_read_lock(&rwlock_);
    }
    void unlock_shared() {
        plc_rwlock_scalable_read_unlock(&rwlock_);
    }

  private:
    plc_rwlock_scalable_t rwlock_ = PLC_RWLOCK_SCALABLE_INIT;
};

const bool registered = add_peer(peer_table("libplc_scalable").with_rwlock<rwlock>());
} // namespace
} // namespace plc_bench
#endif
