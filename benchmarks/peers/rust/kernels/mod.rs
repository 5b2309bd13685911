// SPDX-License-Identifier: MIT OR Apache-2.0
//! The measured loops: the same as the templates in benchmarks/kernels.
mod brief;
mod broadcast;
mod contended;
mod many_locks;
mod object;
mod once;
mod ping_pong;
mod queue;
mod relay;
mod rwlock;
mod uncontended;

pub use brief::*;
pub use broadcast::*;
pub use contended::*;
pub use many_locks::*;
pub use once::*;
pub use ping_pong::*;
pub use queue::*;
pub use relay::*;
pub use rwlock::*;
pub use uncontended::*;
