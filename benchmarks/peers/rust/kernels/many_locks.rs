// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many locks, of which each operation takes one at random.
use super::object::{boxed, guarded, unboxed, Guarded, Plain};
use crate::abi::{delay, wait_begins, wait_ends, Job, Kernel, Worker};
use crate::peer::Mutex;
use std::os::raw::c_void;

struct PackedLocks<M> {
    locks: Vec<M>,
    counter: Plain<u64>,
}

unsafe extern "C" fn create_packed<M: Mutex>(job: *const Job) -> *mut c_void {
    boxed(PackedLocks::<M> { locks: (0..(*job).locks).map(|_| M::new()).collect(), counter: Plain::new(0) })
}

unsafe extern "C" fn destroy_packed<M: Mutex>(object: *mut c_void) -> u64 {
    unboxed::<PackedLocks<M>>(object).counter.read()
}

unsafe extern "C" fn pick_evenly<M: Mutex>(job: *const Job, me: *mut Worker) {
    let (job, me) = (&*job, &mut *me);
    let object = &*(job.object as *const PackedLocks<M>);
    let mut operations = 0;
    while !job.stopped() {
        let index = ((me.next_random() >> 32) * job.locks) >> 32;
        object.locks.get_unchecked(index as usize).locked(|| object.counter.write(object.counter.read() + 1));
        operations += 1;
    }
    me.operations = operations;
}

pub const fn million_kernel<M: Mutex>() -> Kernel {
    Kernel::new(create_packed::<M>, pick_evenly::<M>, destroy_packed::<M>)
}

type SpreadLocks<M> = Vec<Guarded<M>>;

unsafe extern "C" fn create_spread<M: Mutex>(job: *const Job) -> *mut c_void {
    let locks: SpreadLocks<M> = (0..(*job).locks).map(|_| guarded(M::new())).collect();
    boxed(locks)
}

unsafe extern "C" fn destroy_spread<M: Mutex>(object: *mut c_void) -> u64 {
    unboxed::<SpreadLocks<M>>(object).iter().map(|each| each.counter.read()).sum()
}

unsafe fn pick_popular_loop<M: Mutex, const TIMED: bool>(job: &Job, me: &mut Worker) {
    let locks = &*(job.object as *const SpreadLocks<M>);
    let mut operations = 0;
    while !job.stopped() {
        let pick = *job.picks.add((me.next_random() >> 48) as usize);
        let chosen = locks.get_unchecked(pick as usize);
        let begin = wait_begins::<TIMED>();
        chosen.lock.locked(|| {
            wait_ends::<TIMED>(me, begin);
            let count = chosen.counter.read();
            delay(job.section);
            chosen.counter.write(count + 1);
        });
        operations += 1;
    }
    me.operations = operations;
}

unsafe extern "C" fn pick_popular<M: Mutex>(job: *const Job, me: *mut Worker) {
    if (*job).timed != 0 {
        pick_popular_loop::<M, true>(&*job, &mut *me)
    } else {
        pick_popular_loop::<M, false>(&*job, &mut *me)
    }
}

pub const fn zipf_kernel<M: Mutex>() -> Kernel {
    Kernel::new(create_spread::<M>, pick_popular::<M>, destroy_spread::<M>)
}
