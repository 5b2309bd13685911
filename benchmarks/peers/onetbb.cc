// SPDX-License-Identifier: MIT OR Apache-2.0
// oneTBB's blocking mutex and read-write mutex; it has no condition variable.
#include "peers/peer.h"

#include <oneapi/tbb/mutex.h>
#include <oneapi/tbb/rw_mutex.h>

namespace plc_bench {
namespace {
const bool registered = add_peer(peer_table("tbb").with_mutex<tbb::mutex>().with_rwlock<tbb::rw_mutex>());
} // namespace
} // namespace plc_bench
