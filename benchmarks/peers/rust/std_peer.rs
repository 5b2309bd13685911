// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rust's standard library.
use crate::abi::{Kernel, PeerTable};
use crate::kernels::*;
use crate::peer;
use std::cell::UnsafeCell;
use std::os::raw::c_char;
use std::sync;
use std::thread::{self, Thread};

type Mutex = sync::Mutex<()>;
type RwLock = sync::RwLock<()>;
type Condvar = sync::Condvar;
type Once = sync::Once;

impl peer::Mutex for Mutex {
    fn new() -> Self {
        sync::Mutex::new(())
    }
    #[inline(always)]
    fn locked<R>(&self, section: impl FnOnce() -> R) -> R {
        let _guard = self.lock().unwrap();
        section()
    }
    #[inline(always)]
    fn try_locked(&self) -> bool {
        self.try_lock().is_ok()
    }
}

impl peer::RwLock for RwLock {
    fn new() -> Self {
        sync::RwLock::new(())
    }
    #[inline(always)]
    fn read<R>(&self, section: impl FnOnce() -> R) -> R {
        let _guard = sync::RwLock::read(self).unwrap();
        section()
    }
    #[inline(always)]
    fn write<R>(&self, section: impl FnOnce() -> R) -> R {
        let _guard = sync::RwLock::write(self).unwrap();
        section()
    }
}

impl peer::Condvar for Condvar {
    type Mutex = Mutex;
    fn new() -> Self {
        sync::Condvar::new()
    }
    #[inline(always)]
    fn locked_when<R>(&self, mutex: &Mutex, mut blocked: impl FnMut() -> bool, section: impl FnOnce() -> R) -> R {
        let mut guard = mutex.lock().unwrap();
        while blocked() {
            guard = self.wait(guard).unwrap();
        }
        section()
    }
    #[inline(always)]
    fn notify_one(&self) {
        sync::Condvar::notify_one(self);
    }
    #[inline(always)]
    fn notify_all(&self) {
        sync::Condvar::notify_all(self);
    }
}

impl peer::Once for Once {
    fn new() -> Self {
        sync::Once::new()
    }
    #[inline(always)]
    fn call(&self, run: impl FnOnce()) {
        self.call_once(run);
    }
}

/// A thread's own token. The kernel lets both threads adopt before either unparks, and orders that.
struct ThreadParker(UnsafeCell<Option<Thread>>);
unsafe impl Sync for ThreadParker {}

impl peer::Parker for ThreadParker {
    fn new() -> Self {
        ThreadParker(UnsafeCell::new(None))
    }
    fn adopt(&self) {
        unsafe { *self.0.get() = Some(thread::current()) }
    }
    #[inline(always)]
    fn park(&self) {
        // Allowed to return early, but on Linux it returns only for a token; the guarded counter would tell.
        thread::park();
    }
    #[inline(always)]
    fn unpark(&self) {
        unsafe { (*self.0.get()).as_ref().unwrap_unchecked().unpark() }
    }
}

unsafe extern "C" fn permit(n: u64) {
    let own = thread::current();
    for _ in 0..n {
        own.unpark();
        thread::park();
    }
}

unsafe extern "C" fn unpark_awake(n: u64) {
    let own = thread::current();
    for _ in 0..n {
        own.unpark();
    }
    thread::park();
}

#[no_mangle]
pub static plc_bench_rust_std: PeerTable = PeerTable {
    name: b"rust_std\0".as_ptr() as *const c_char,
    lock_unlock: Some(lock_unlock::<Mutex>),
    try_lock_unlock: Some(try_lock_unlock::<Mutex>),
    try_lock_held: Some(try_lock_held::<Mutex>),
    read_unlock: Some(read_unlock::<RwLock>),
    write_unlock: Some(write_unlock::<RwLock>),
    once_done: Some(once_done::<Once>),
    mutex: mutex_kernel::<Mutex>(),
    million: million_kernel::<Mutex>(),
    zipf: zipf_kernel::<Mutex>(),
    rwlock: rwlock_kernel::<RwLock>(),
    rwlock_sides: rwlock_sides_kernel::<RwLock>(),
    once: once_kernel::<Once>(),
    condvar_ping_pong: condvar_kernel::<Condvar>(),
    park_ping_pong: park_kernel::<ThreadParker>(),
    queue: queue_kernel::<Condvar>(),
    broadcast: broadcast_kernel::<Condvar>(),
    brief: brief_kernel::<Mutex>(),
    relay: relay_kernel::<ThreadParker>(),
    collision: Kernel::NONE,
    crowd: crowd_kernel::<ThreadParker>(),
    permit: Some(permit),
    unpark_awake: Some(unpark_awake),
    token_ping_pong: park_kernel::<ThreadParker>(),
    ..PeerTable::nothing(b"rust_std\0".as_ptr() as *const c_char)
};
