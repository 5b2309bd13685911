// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loops of one thread over a lock that nobody else wants.
use super::object::guarded;
use crate::peer::{Mutex, RwLock};

pub unsafe extern "C" fn lock_unlock<M: Mutex>(n: u64) {
    let object = guarded(M::new());
    for _ in 0..n {
        object.lock.locked(|| ());
    }
}

pub unsafe extern "C" fn try_lock_unlock<M: Mutex>(n: u64) {
    let object = guarded(M::new());
    for _ in 0..n {
        object.lock.try_locked();
    }
}

pub unsafe extern "C" fn try_lock_held<M: Mutex>(n: u64) {
    let object = guarded(M::new());
    object.lock.locked(|| {
        let mut taken = 0u64;
        for _ in 0..n {
            taken += object.lock.try_locked() as u64;
        }
        assert_eq!(taken, 0);
    });
}

pub unsafe extern "C" fn read_unlock<L: RwLock>(n: u64) {
    let object = guarded(L::new());
    for _ in 0..n {
        object.lock.read(|| ());
    }
}

pub unsafe extern "C" fn write_unlock<L: RwLock>(n: u64) {
    let object = guarded(L::new());
    for _ in 0..n {
        object.lock.write(|| ());
    }
}
