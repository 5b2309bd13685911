// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the kernels lay out what they share: as in kernels/object.h.
use std::cell::UnsafeCell;
use std::os::raw::c_void;

/// What a lock guards: plain memory, so that the loops are those of C++.
pub struct Plain<T>(UnsafeCell<T>);
unsafe impl<T> Sync for Plain<T> {}
impl<T> Plain<T> {
    pub fn new(value: T) -> Self {
        Plain(UnsafeCell::new(value))
    }
    /// The caller holds the lock.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn get(&self) -> &mut T {
        &mut *self.0.get()
    }
}

/// As in kernels/object.h: read at the beginning of a section and written back plus one at its end.
impl Plain<u64> {
    #[inline(always)]
    pub unsafe fn read(&self) -> u64 {
        self.0.get().read_volatile()
    }
    #[inline(always)]
    pub unsafe fn write(&self, value: u64) {
        self.0.get().write_volatile(value)
    }
}

#[repr(C, align(128))]
pub struct Guarded<L> {
    pub lock: L,
    pub counter: Plain<u64>,
    /// Equal to `counter` but while a writer is inside.
    pub mirror: Plain<u64>,
}

pub fn boxed<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)) as *mut c_void
}

pub unsafe fn unboxed<T>(object: *mut c_void) -> Box<T> {
    Box::from_raw(object as *mut T)
}

pub fn guarded<L>(lock: L) -> Guarded<L> {
    Guarded { lock, counter: Plain::new(0), mirror: Plain::new(0) }
}

pub unsafe extern "C" fn destroy_guarded<L>(object: *mut c_void) -> u64 {
    *unboxed::<Guarded<L>>(object).counter.get()
}
