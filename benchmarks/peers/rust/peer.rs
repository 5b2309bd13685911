// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a Rust peer offers to the kernels. Closures instead of guards: the peers' guards have different types and
//! generic associated types are younger than Debian's compiler; all of it is inlined away.

pub trait Mutex: Sync {
    fn new() -> Self;
    /// Runs `section` with the mutex held.
    fn locked<R>(&self, section: impl FnOnce() -> R) -> R;
    /// Takes and frees the mutex if it is free.
    fn try_locked(&self) -> bool;
}

pub trait RwLock: Sync {
    fn new() -> Self;
    fn read<R>(&self, section: impl FnOnce() -> R) -> R;
    fn write<R>(&self, section: impl FnOnce() -> R) -> R;
}

pub trait Condvar: Sync {
    type Mutex: Mutex;
    fn new() -> Self;
    /// Locks, waits while `blocked`, runs `section`, unlocks.
    fn locked_when<R>(
        &self,
        mutex: &Self::Mutex,
        blocked: impl FnMut() -> bool,
        section: impl FnOnce() -> R,
    ) -> R;
    fn notify_one(&self);
    fn notify_all(&self);
}

pub trait Once: Sync {
    fn new() -> Self;
    /// Runs `run`, or waits until the call that does has returned from it.
    fn call(&self, run: impl FnOnce());
}

pub trait Parker: Sync {
    fn new() -> Self;
    /// Tells the parker which thread parks on it; before the first unpark.
    fn adopt(&self) {}
    fn park(&self);
    fn unpark(&self);
}
