// SPDX-License-Identifier: MIT OR Apache-2.0
// The Rust peers of the static library in peers/rust.
#include "peers/peer.h"

extern "C" {
#ifdef PLC_BENCH_HAS_PARKING_LOT
extern const plc_bench_peer plc_bench_parking_lot;
#endif
extern const plc_bench_peer plc_bench_rust_std;
#ifdef PLC_BENCH_HAS_TOKIO
extern const plc_bench_peer plc_bench_tokio;
#endif
}

namespace plc_bench {
namespace {
#ifdef PLC_BENCH_HAS_PARKING_LOT
const bool parking_lot_registered = add_peer(plc_bench_parking_lot);
#endif
const bool rust_std_registered = add_peer(plc_bench_rust_std);
#ifdef PLC_BENCH_HAS_TOKIO
const bool tokio_registered = add_peer(plc_bench_tokio);
#endif
} // namespace
} // namespace plc_bench
