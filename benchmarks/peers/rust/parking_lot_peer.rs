// SPDX-License-Identifier: MIT OR Apache-2.0
//! The parking_lot crate.
use crate::abi::PeerTable;
use crate::kernels::*;
use crate::peer;
use parking_lot_core::{park, unpark_one, DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN};
use std::os::raw::c_char;
use std::sync::atomic::{AtomicU32, Ordering};

type Mutex = parking_lot::Mutex<()>;
type RwLock = parking_lot::RwLock<()>;
type Condvar = parking_lot::Condvar;
type Once = parking_lot::Once;

impl peer::Mutex for Mutex {
    fn new() -> Self {
        parking_lot::Mutex::new(())
    }
    #[inline(always)]
    fn locked<R>(&self, section: impl FnOnce() -> R) -> R {
        let _guard = self.lock();
        section()
    }
    #[inline(always)]
    fn try_locked(&self) -> bool {
        self.try_lock().is_some()
    }
}

impl peer::RwLock for RwLock {
    fn new() -> Self {
        parking_lot::RwLock::new(())
    }
    #[inline(always)]
    fn read<R>(&self, section: impl FnOnce() -> R) -> R {
        let _guard = parking_lot::RwLock::read(self);
        section()
    }
    #[inline(always)]
    fn write<R>(&self, section: impl FnOnce() -> R) -> R {
        let _guard = parking_lot::RwLock::write(self);
        section()
    }
}

impl peer::Condvar for Condvar {
    type Mutex = Mutex;
    fn new() -> Self {
        parking_lot::Condvar::new()
    }
    #[inline(always)]
    fn locked_when<R>(&self, mutex: &Mutex, mut blocked: impl FnMut() -> bool, section: impl FnOnce() -> R) -> R {
        let mut guard = mutex.lock();
        while blocked() {
            self.wait(&mut guard);
        }
        section()
    }
    #[inline(always)]
    fn notify_one(&self) {
        parking_lot::Condvar::notify_one(self);
    }
    #[inline(always)]
    fn notify_all(&self) {
        parking_lot::Condvar::notify_all(self);
    }
}

impl peer::Once for Once {
    fn new() -> Self {
        parking_lot::Once::new()
    }
    #[inline(always)]
    fn call(&self, run: impl FnOnce()) {
        self.call_once(run);
    }
}

/// The same parker over the crate's lot as libplc's peer has over libplc's.
#[inline(always)]
fn park_at(key: usize, token: &AtomicU32) {
    while token.swap(0, Ordering::Acquire) == 0 {
        let is_unset = || token.load(Ordering::Relaxed) == 0;
        unsafe {
            park(key, is_unset, || (), |_, _| (), DEFAULT_PARK_TOKEN, None);
        }
    }
}

#[inline(always)]
fn unpark_at(key: usize, token: &AtomicU32) {
    token.store(1, Ordering::Release);
    unsafe {
        unpark_one(key, |_| DEFAULT_UNPARK_TOKEN);
    }
}

struct LotParker(AtomicU32);

impl LotParker {
    fn key(&self) -> usize {
        &self.0 as *const AtomicU32 as usize
    }
}

impl peer::Parker for LotParker {
    fn new() -> Self {
        LotParker(AtomicU32::new(0))
    }
    #[inline(always)]
    fn park(&self) {
        park_at(self.key(), &self.0);
    }
    #[inline(always)]
    fn unpark(&self) {
        unpark_at(self.key(), &self.0);
    }
}

/// Each at a key of its own, and all keys in one bucket: the crate's hash is the one of libplc.
struct CollidingParker {
    token: AtomicU32,
    key: usize,
}

impl peer::Parker for CollidingParker {
    fn new() -> Self {
        CollidingParker { token: AtomicU32::new(0), key: unsafe { plc_bench_colliding_key() } }
    }
    #[inline(always)]
    fn park(&self) {
        park_at(self.key, &self.token);
    }
    #[inline(always)]
    fn unpark(&self) {
        unpark_at(self.key, &self.token);
    }
}

extern "C" {
    fn plc_bench_colliding_key() -> usize;
}

#[no_mangle]
pub static plc_bench_parking_lot: PeerTable = PeerTable {
    name: b"parking_lot\0".as_ptr() as *const c_char,
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
    park_ping_pong: park_kernel::<LotParker>(),
    queue: queue_kernel::<Condvar>(),
    broadcast: broadcast_kernel::<Condvar>(),
    brief: brief_kernel::<Mutex>(),
    relay: relay_kernel::<LotParker>(),
    collision: relay_kernel::<CollidingParker>(),
    crowd: crowd_kernel::<LotParker>(),
    ..PeerTable::nothing(b"parking_lot\0".as_ptr() as *const c_char)
};
