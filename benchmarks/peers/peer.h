// SPDX-License-Identifier: MIT OR Apache-2.0
// Makes a table of kernels out of a peer's types, and keeps the list of all tables.
#ifndef PLC_BENCH_PEER_H
#define PLC_BENCH_PEER_H

#include "harness/abi.h"
#include "kernels/brief.h"
#include "kernels/broadcast.h"
#include "kernels/contended.h"
#include "kernels/many_locks.h"
#include "kernels/once.h"
#include "kernels/ping_pong.h"
#include "kernels/queue.h"
#include "kernels/relay.h"
#include "kernels/rwlock.h"
#include "kernels/uncontended.h"

#include <vector>

// A peer is one file in peers/ that wraps its locks in these types, with everything inline:
//   mutex:   lock(), try_lock(), unlock()
//   rwlock:  lock(), unlock(), lock_shared(), unlock_shared()
//   condvar: wait(mutex &), notify_one(), notify_all()
//   once:    call(void (*f)()), which runs f or waits until the call that does has returned from it
//   parker:  park(), unpark(); a token: an unpark before the park lets it through
// and registers those that it has:
//   const bool registered = add_peer(peer_table("name").with_mutex<mutex>().with_condvar<mutex, condvar>());
namespace plc_bench {
class peer_table {
  public:
    explicit peer_table(const char *name) {
        table_.name = name;
    }

    template <class Mutex>
    peer_table &with_mutex() {
        table_.lock_unlock = lock_unlock<Mutex>;
        table_.try_lock_unlock = try_lock_unlock<Mutex>;
        table_.try_lock_held = try_lock_held<Mutex>;
        table_.mutex = {create<guarded<Mutex>>, contended<Mutex>, destroy<guarded<Mutex>>};
        table_.brief = {create<guarded<Mutex>>, brief_life<Mutex>, destroy<guarded<Mutex>>};
        table_.million = {create_for<packed_locks<Mutex>>, pick_evenly<Mutex>, destroy<packed_locks<Mutex>>};
        table_.zipf = {create_for<spread_locks<Mutex>>, pick_popular<Mutex>, destroy_spread<Mutex>};
        return *this;
    }

    template <class RwLock>
    peer_table &with_rwlock() {
        table_.read_unlock = read_unlock<RwLock>;
        table_.write_unlock = write_unlock<RwLock>;
        table_.rwlock = {create<guarded_pair<RwLock>>, rwlock_mix<RwLock>, destroy<guarded_pair<RwLock>>};
        table_.rwlock_sides = {create<guarded_pair<RwLock>>, rwlock_sides<RwLock>, destroy<guarded_pair<RwLock>>};
        return *this;
    }

    template <class Once>
    peer_table &with_once() {
        table_.once_done = once_done<Once>;
        table_.once = {create_for<onces<Once>>, stampede<Once>, destroy<onces<Once>>};
        return *this;
    }

    template <class Mutex, class Condvar>
    peer_table &with_condvar() {
        using table = condvar_table<Mutex, Condvar>;
        table_.condvar_ping_pong = {create<table>, condvar_ping_pong<Mutex, Condvar>, destroy<table>};
        table_.queue = {create_queue<Mutex, Condvar>, queue_work<Mutex, Condvar>, destroy_queue<Mutex, Condvar>};
        table_.broadcast = {create_assembly<Mutex, Condvar>, broadcast<Mutex, Condvar>,
                            destroy<assembly<Mutex, Condvar>>};
        return *this;
    }

    template <class Parker>
    peer_table &with_parker() {
        using table = park_table<Parker>;
        table_.park_ping_pong = {create<table>, park_ping_pong<Parker>, destroy<table>};
        table_.relay = {create_for<relay<Parker>>, pass_token_on<Parker>, destroy<relay<Parker>>};
        table_.crowd = {create_for<relay<Parker>>, crowd<Parker>, destroy<relay<Parker>>};
        return *this;
    }

    // Parkers whose addresses share a bucket, as far as the peer has a table of them.
    template <class Parker>
    peer_table &with_colliding_parker() {
        table_.collision = {create_for<relay<Parker>>, pass_token_on<Parker>, destroy<relay<Parker>>};
        return *this;
    }

    operator const plc_bench_peer &() const {
        return table_;
    }

  private:
    plc_bench_peer table_{};
};

// All peers of this build.
inline std::vector<plc_bench_peer> &all_peers() {
    static std::vector<plc_bench_peer> peers;
    return peers;
}

inline bool add_peer(const plc_bench_peer &peer) {
    all_peers().push_back(peer);
    return true;
}
} // namespace plc_bench
#endif
