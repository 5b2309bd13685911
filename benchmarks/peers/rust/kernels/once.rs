// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls of a once: one that is done, and threads that rush to one new once after the other.
use super::object::{boxed, unboxed, Plain};
use crate::abi::{delay, wait_begins, wait_ends, Job, Kernel, Worker};
use crate::peer::Once;
use std::os::raw::c_void;

struct Onces<O> {
    slots: Vec<O>,
    counter: Plain<u64>,
}

unsafe extern "C" fn create_onces<O: Once>(job: *const Job) -> *mut c_void {
    boxed(Onces::<O> { slots: (0..(*job).locks).map(|_| O::new()).collect(), counter: Plain::new(0) })
}

unsafe extern "C" fn destroy_onces<O: Once>(object: *mut c_void) -> u64 {
    unboxed::<Onces<O>>(object).counter.read()
}

unsafe fn stampede_loop<O: Once, const TIMED: bool>(job: &Job, me: &mut Worker) {
    let object = &*(job.object as *const Onces<O>);
    let mut index = 0;
    while !job.stopped() {
        assert!(index < object.slots.len(), "out of onces: the run is too long");
        let begin = wait_begins::<TIMED>();
        object.slots.get_unchecked(index).call(|| {
            let before = object.counter.read();
            delay(job.section);
            object.counter.write(before + 1);
        });
        wait_ends::<TIMED>(me, begin);
        index += 1;
    }
    me.operations = index as u64;
}

unsafe extern "C" fn stampede<O: Once>(job: *const Job, me: *mut Worker) {
    if (*job).timed != 0 {
        stampede_loop::<O, true>(&*job, &mut *me)
    } else {
        stampede_loop::<O, false>(&*job, &mut *me)
    }
}

pub const fn once_kernel<O: Once>() -> Kernel {
    Kernel::new(create_onces::<O>, stampede::<O>, destroy_onces::<O>)
}

pub unsafe extern "C" fn once_done<O: Once>(n: u64) {
    let once = O::new();
    let runs = Plain::new(0u64);
    for _ in 0..n {
        once.call(|| runs.write(runs.read() + 1));
    }
    assert_eq!(runs.read(), 1);
}
