// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads that want one mutex, with work inside and outside of it.
use super::object::{boxed, destroy_guarded, guarded, Guarded};
use crate::abi::{delay, wait_begins, wait_ends, Job, Kernel, Worker};
use crate::peer::Mutex;
use std::os::raw::c_void;

pub unsafe extern "C" fn create_mutex<M: Mutex>(_: *const Job) -> *mut c_void {
    boxed(guarded(M::new()))
}

unsafe fn contended_loop<M: Mutex, const TIMED: bool>(job: &Job, me: &mut Worker) {
    let object = &*(job.object as *const Guarded<M>);
    let mut operations = 0;
    while !job.stopped() {
        let begin = wait_begins::<TIMED>();
        object.lock.locked(|| {
            wait_ends::<TIMED>(me, begin);
            let count = object.counter.read();
            delay(job.section);
            object.counter.write(count + 1);
        });
        delay(job.outside);
        operations += 1;
    }
    me.operations = operations;
}

unsafe extern "C" fn contended<M: Mutex>(job: *const Job, me: *mut Worker) {
    if (*job).timed != 0 {
        contended_loop::<M, true>(&*job, &mut *me)
    } else {
        contended_loop::<M, false>(&*job, &mut *me)
    }
}

pub const fn mutex_kernel<M: Mutex>() -> Kernel {
    Kernel::new(create_mutex::<M>, contended::<M>, destroy_guarded::<M>)
}
