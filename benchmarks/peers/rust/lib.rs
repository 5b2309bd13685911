// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Rust peers: their measured loops, in Rust, so that every fast path is inlined as for their own users.
mod abi;
mod kernels;
mod peer;

#[cfg(feature = "parking_lot")]
mod parking_lot_peer;
mod std_peer;
#[cfg(feature = "tokio")]
mod tokio_peer;
