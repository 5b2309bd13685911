// SPDX-License-Identifier: MIT OR Apache-2.0
//! The measured loops: the same as the templates in benchmarks/kernels.
mod broadcast;
mod contended;
mod object;
mod ping_pong;
mod queue;
mod rwlock;
mod uncontended;

pub use broadcast::*;
pub use contended::*;
pub use ping_pong::*;
pub use queue::*;
pub use rwlock::*;
pub use uncontended::*;
